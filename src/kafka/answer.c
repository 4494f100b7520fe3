/*
 * Answers to rebalances while we leave. librdkafka (2.14.2) drops what its group part is asked once that part has ended, without a reply
 * (rd_kafka_cgrp_op_serve), and who asks waits for ever; when it ends is its own affair. So from the close on the loop asks nothing of it, and a
 * rebalance that still comes is answered by a thread of its own. One that never returns is left behind, and the handle with it.
 */
#include "kafka/inside.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct od_answering {
    atomic_int count;
};

struct answer {
    struct od_answering *answering;
    rd_kafka_t *rk;
};

struct od_answering *od_answering_new(void)
{
    struct od_answering *answering = calloc(1, sizeof *answering);
    if (answering) {
        atomic_init(&answering->count, 0);
    }
    return answering;
}

void od_answering_end(struct od_answering *answering)
{
    const struct timespec pause = {0, 2000000};
    while (answering && atomic_load(&answering->count) > 0) {
        nanosleep(&pause, NULL);
    }
    free(answering);
}

rd_kafka_error_t *od_answer_take_back(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *wanted)
{
    rd_kafka_topic_partition_list_t *has = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(wanted->cnt);
    if (rd_kafka_assignment(rk, &has) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        for (int i = 0; i < wanted->cnt; i++) {
            const rd_kafka_topic_partition_t *item = &wanted->elems[i];
            if (rd_kafka_topic_partition_list_find(has, item->topic, item->partition)) {
                rd_kafka_topic_partition_list_add(list, item->topic, item->partition);
            }
        }
        rd_kafka_topic_partition_list_destroy(has);
    }
    rd_kafka_error_t *error = rd_kafka_incremental_unassign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return error;
}

/* Nothing is taken any more, all is given. */
void od_answer_no(struct od_engine *engine, rd_kafka_event_t *event)
{
    rd_kafka_t *rk = engine->handle->rk;
    const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
    rd_kafka_error_t *error = NULL;
    const char *protocol = rd_kafka_rebalance_protocol(rk);
    if (!list || !protocol || strcmp(protocol, "COOPERATIVE") != 0) {
        rd_kafka_assign(rk, NULL);
    } else if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
        error = rd_kafka_incremental_assign(rk, none);
        rd_kafka_topic_partition_list_destroy(none);
    } else {
        error = od_answer_take_back(rk, list);
    }
    if (error) {
        rd_kafka_error_destroy(error); /* it asks for nothing */
    }
}

static void *answer_main(void *argument)
{
    struct answer *answer = argument;
    rd_kafka_assign(answer->rk, NULL);
    atomic_fetch_sub(&answer->answering->count, 1);
    free(answer);
    return NULL;
}

/*
 * From the close on librdkafka takes every answer, of whatever protocol, as one that gives all back, and ends then. So the first one is the only one: an
 * assign that came just before the close is followed by a revoke, and who answers that too may ask a group part that has ended.
 */
void od_answer_apart(struct od_engine *engine)
{
    struct od_handle *handle = engine->handle;
    if (engine->leaving.answered || rd_kafka_consumer_closed(handle->rk) || !handle->answering) {
        return;
    }
    struct answer *answer = malloc(sizeof *answer);
    if (!answer) {
        return; /* the leave ends at its timeout */
    }
    *answer = (struct answer){handle->answering, handle->rk};
    pthread_t thread;
    atomic_fetch_add(&handle->answering->count, 1);
    if (pthread_create(&thread, NULL, answer_main, answer) == 0) {
        engine->leaving.answered = true;
        pthread_detach(thread);
        return;
    }
    atomic_fetch_sub(&handle->answering->count, 1);
    free(answer);
}
