/* A TCP relay on loopback: the mock cluster takes whatever port it gets; a person wants one that stays. */
#ifndef OD_KAFKA_BROKER_RELAY_H
#define OD_KAFKA_BROKER_RELAY_H

#include <stdint.h>

#include "orderly/orderly.h"

struct od_relay;

/* Listens on 127.0.0.1:port and passes every connection on to 127.0.0.1:target, on a thread of its own. Errors: KAFKA (port taken), NOMEM. */
enum orderly_err od_relay_start(uint16_t port, uint16_t target, struct od_relay **ret, struct orderly_error *);
/* Closes all; NULL is fine. */
void od_relay_stop(struct od_relay *);

#endif
