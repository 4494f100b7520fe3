/* kafka.* properties: which are refused and why, which are secrets, and whether brokers are on this machine. Names are without "kafka.". */
#ifndef OD_BASE_PROPERTY_H
#define OD_BASE_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>

/* Why this value of this property is refused whatever else is set; NULL: it is not. */
const char *od_property_refused(const char *name, const char *value);
/* Why it is refused unless `insecure: true`; NULL: it is not. */
const char *od_property_insecure(const char *name, const char *value);
/* Whether its value must not be printed. */
bool od_property_secret(const char *name);
/* Whether every broker of a bootstrap list is on this machine; true for an empty list. */
bool od_brokers_loopback(const char *brokers);
/* Whether two names mean one property of librdkafka (aliases), or are the same. */
bool od_property_same(const char *a, const char *b);

#endif
