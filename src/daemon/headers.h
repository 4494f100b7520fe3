/* A record's headers as handlers get them: a JSON array of [name, value], value a string, null, or {"base64":"..."} (contracts for exec and stream). */
#ifndef OD_DAEMON_HEADERS_H
#define OD_DAEMON_HEADERS_H

#include "daemon/bytes.h"
#include "orderly/orderly.h"

/* Adds the first `count` headers of the record. */
void od_headers_json(struct od_bytes *, struct orderly_record *, size_t count);

#endif
