/* Inside of the admin face (<orderly/admin.h>): one librdkafka handle, one queue for answers, how a wait ends. */
#ifndef OD_KAFKA_ADMIN_H
#define OD_KAFKA_ADMIN_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>

#include "base/config.h"
#include "base/settings.h"
#include "kafka/deliver.h"
#include "orderly/admin.h"

enum od_embedded { OD_EMBEDDED_UNKNOWN, OD_EMBEDDED_NO, OD_EMBEDDED_YES };

struct orderly_admin {
    struct orderly_config *config; /* our copy */
    rd_kafka_t *rk;                /* a producer: it also answers admin requests */
    rd_kafka_queue_t *queue;
    struct od_deliver_count queued; /* orderly_admin_queue() */
    int64_t timeout_ms;
    enum od_embedded embedded;
    int32_t broker;       /* any one that answered; -1: none yet */
    pthread_mutex_t lock; /* of `why` */
    char why[256];        /* what librdkafka said last about a broker that cannot be reached */
};

/* The properties of `config` on a new librdkafka configuration, those of a group consumer left out; quiet. Errors: CONFIG. */
enum orderly_err od_admin_conf(struct orderly_admin *, rd_kafka_conf_t **ret, struct orderly_error *);

/* Our code for one of librdkafka's. */
enum orderly_err od_admin_code(rd_kafka_resp_err_t);
/* Fills the error with a sentence: what was tried ("topics cannot be listed"), what the broker said, what to do about it. */
enum orderly_err od_admin_fail(struct orderly_admin *, struct orderly_error *, rd_kafka_resp_err_t, const char *detail,
                               const char *what);

/* Options for a request of this kind; the caller destroys them. NULL: out of memory. */
rd_kafka_AdminOptions_t *od_admin_options(struct orderly_admin *, rd_kafka_admin_op_t);
/*
 * Waits for the answer to the one request that is out. OK: *ret is the caller's (rd_kafka_event_destroy) and holds no error as a whole.
 * `what` is for the sentence.
 */
enum orderly_err od_admin_wait(struct orderly_admin *, const char *what, rd_kafka_event_t **ret,
                               struct orderly_error *);

/* A topic of which nothing is known yet. */
void od_admin_blank(struct orderly_topic *, const char *name);

/* One setting that a broker tells; those without a value are left out. */
typedef void od_admin_entry(void *userdata, const char *name, const char *value);
/* The configuration of a topic or a broker (its id as text); *ret_count is how many settings were told: 0 without the right to ask. */
enum orderly_err od_admin_configs(struct orderly_admin *, rd_kafka_ResourceType_t, const char *name, od_admin_entry *,
                                  void *userdata, size_t *ret_count, struct orderly_error *);

/* A text of the configuration, never NULL. */
const char *od_admin_text(const struct orderly_admin *, const char *name);
/* Writes a text into a field of a public struct, cut where it must be. */
void od_admin_put(char *field, size_t size, const char *text);
/* The same from a format. */
void od_admin_say(char *field, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Whether this is the embedded broker, which has no controller: admin requests would wait for one until their timeout. Asks once. */
bool od_admin_embedded(struct orderly_admin *);
/* The refusal for such a request there. */
enum orderly_err od_admin_refuse(struct orderly_admin *, const char *what, struct orderly_error *);

/*
 * The committed offsets of `group` for the partitions asked, with metadata; waits within the admin's timeout for a coordinator that moves or
 * loads. OK: *ret is the caller's; elements may hold errors and offsets below 0 (none).
 */
enum orderly_err od_admin_offsets(struct orderly_admin *, const char *group,
                                  const rd_kafka_topic_partition_list_t *asked, rd_kafka_topic_partition_list_t **ret,
                                  struct orderly_error *);

/* The source topics: `topics` and what matches `patterns`, without retry and dead-letter topics. */
enum orderly_err od_admin_sources(struct orderly_admin *, const struct orderly_topics *, struct od_text_list *ret,
                                  struct orderly_error *);

#endif
