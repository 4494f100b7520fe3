/* One record that a process of a stream handler has: see stream_delivery.h. */
#include "daemon/stream_delivery.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "daemon/log.h"

static void watch_cancel(const struct od_stream_common *common, struct od_stream_delivery *delivery)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = &delivery->cancel}};

    if (orderly_record_cancel_fd(delivery->record, &delivery->cancel.fd) != ORDERLY_OK ||
        epoll_ctl(common->epoll, EPOLL_CTL_ADD, delivery->cancel.fd, &event) != 0) {
        delivery->cancel.fd = -1;
        delivery->recheck_ms = od_clock_ms() + OD_STREAM_RECHECK_MS;
    }
}

static void unwatch_cancel(const struct od_stream_common *common, struct od_stream_delivery *delivery)
{
    if (delivery->cancel.fd >= 0) {
        epoll_ctl(common->epoll, EPOLL_CTL_DEL, delivery->cancel.fd, NULL);
        delivery->cancel.fd = -1;
    }
}

struct od_stream_delivery *od_stream_delivery_new(struct od_stream_deliveries *deliveries,
                                                  struct od_stream_common *common, struct od_stream_process *process,
                                                  struct orderly_record *record)
{
    struct od_stream_delivery *delivery = calloc(1, sizeof *delivery);
    int64_t timeout_ms = common->options->timeout_ms;

    if (delivery == NULL) {
        return NULL;
    }
    delivery->id = ++deliveries->next_id;
    delivery->record = record;
    delivery->process = process;
    delivery->cancel = (struct od_stream_watch){delivery, OD_STREAM_CANCEL, -1};
    delivery->deadline_ms = timeout_ms > 0 ? od_clock_ms() + timeout_ms : INT64_MAX;
    delivery->kill_ms = INT64_MAX;
    delivery->recheck_ms = INT64_MAX;
    od_stream_delivery(&process->outbox, delivery->id, record, timeout_ms > 0 ? od_clock_wall_ms() + timeout_ms : 0,
                       process->base64);
    if (process->outbox.failed) {
        free(delivery);
        return NULL;
    }
    delivery->next = deliveries->list;
    if (delivery->next != NULL) {
        delivery->next->previous = delivery;
    }
    deliveries->list = delivery;
    process->in_flight++;
    watch_cancel(common, delivery);
    od_stream_process_flush(common, process);
    return delivery;
}

struct od_stream_delivery *od_stream_delivery_find(struct od_stream_deliveries *deliveries,
                                                   const struct od_stream_process *process, const char *id)
{
    char *end = NULL;
    unsigned long long number = strtoull(id, &end, 16);

    if (end == id || *end != '\0') {
        return NULL;
    }
    for (struct od_stream_delivery *at = deliveries->list; at != NULL; at = at->next) {
        if (at->id == number && at->process == process) {
            return at;
        }
    }
    return NULL;
}

void od_stream_delivery_extend(struct od_stream_delivery *delivery, int64_t ms)
{
    if (delivery->timed_out) {
        return; /* it was told to stop before this line came */
    }
    delivery->deadline_ms = od_clock_ms() + ms;
    if (orderly_record_extend(delivery->record, ms) != ORDERLY_OK) {
        od_say_debug("handler", "the library has no deadline to extend");
    }
}

/* ---- Cancelling --------------------------------------------------------------------------------------- */

static const char *reason_word(enum orderly_reason reason)
{
    switch (reason) {
    case ORDERLY_REASON_REVOKED:
        return "revoked";
    case ORDERLY_REASON_LOST:
        return "lost";
    case ORDERLY_REASON_CLOSING:
        return "closing";
    case ORDERLY_REASON_TIMEOUT:
        return "timeout";
    case ORDERLY_REASON_SEEK:
        return "seek";
    case ORDERLY_REASON_NONE:
        break;
    }
    return "cancelled";
}

static void tell(struct od_stream_common *common, struct od_stream_delivery *delivery, enum orderly_reason reason)
{
    if (delivery->told == reason) {
        return;
    }
    delivery->told = reason;
    od_stream_cancel(&delivery->process->outbox, delivery->id, reason_word(reason));
    od_stream_process_flush(common, delivery->process);
}

/* The member leaves: the whole process is told, at once, and its end has a time. */
static void close_process(struct od_stream_common *common, struct od_stream_process *process, int64_t now_ms,
                          int64_t left_ms)
{
    int64_t grace_ms = od_clock_soonest(common->options->kill_grace_ms, left_ms);
    int64_t end_ms = left_ms < INT64_MAX / 2 ? now_ms + left_ms : INT64_MAX;

    if (!process->quiet) {
        process->quiet = true;
        od_stream_quiet(&process->outbox);
        od_stream_process_flush(common, process);
    }
    if (end_ms < process->kill_ms) {
        process->terminate_ms = od_clock_soonest(process->terminate_ms, end_ms - grace_ms);
        process->term_ms = od_clock_soonest(process->term_ms, end_ms - grace_ms / 2);
        process->kill_ms = end_ms;
    }
}

static void look(struct od_stream_common *common, struct od_stream_delivery *delivery, int64_t now_ms)
{
    enum orderly_reason reason = ORDERLY_REASON_NONE;
    int64_t left_ms = INT64_MAX;

    delivery->recheck_ms = now_ms + OD_STREAM_RECHECK_MS;
    if (!orderly_record_cancelled(delivery->record, &reason, &left_ms)) {
        return;
    }
    if (reason == ORDERLY_REASON_LOST) {
        tell(common, delivery, reason);
        delivery->kill_ms = od_clock_soonest(delivery->kill_ms, now_ms + common->options->lost_grace_ms);
        return;
    }
    left_ms = left_ms > 0 ? left_ms : 0;
    if (reason == ORDERLY_REASON_CLOSING) {
        delivery->told = reason; /* `quiet` says it, once for all records */
        close_process(common, delivery->process, now_ms, left_ms);
    } else {
        tell(common, delivery, reason);
        if (left_ms < INT64_MAX / 2) {
            delivery->kill_ms = od_clock_soonest(delivery->kill_ms, now_ms + left_ms);
        }
    }
}

void od_stream_delivery_cancelled(struct od_stream_common *common, struct od_stream_delivery *delivery, int64_t now_ms)
{
    unwatch_cancel(common, delivery); /* it stays readable: from here on the clock asks */
    look(common, delivery, now_ms);
}

int64_t od_stream_delivery_act(struct od_stream_common *common, struct od_stream_delivery *delivery, int64_t now_ms)
{
    if (now_ms >= delivery->recheck_ms) {
        look(common, delivery, now_ms);
    }
    if (now_ms >= delivery->deadline_ms) {
        delivery->deadline_ms = INT64_MAX;
        delivery->timed_out = delivery->told == ORDERLY_REASON_NONE;
        tell(common, delivery, ORDERLY_REASON_TIMEOUT);
        delivery->kill_ms = od_clock_soonest(delivery->kill_ms, now_ms + common->options->kill_grace_ms);
    }
    if (now_ms >= delivery->kill_ms) {
        /* Nothing else makes sure that it does not run on beside its next run. */
        od_say_warning("handler", "process %d did not let go of a cancelled record: it is killed",
                       (int)delivery->process->pid);
        delivery->process->kill_ms = now_ms;
        delivery->kill_ms = INT64_MAX;
        delivery->recheck_ms = INT64_MAX;
    }
    return od_clock_soonest(od_clock_soonest(delivery->recheck_ms, delivery->deadline_ms), delivery->kill_ms);
}

struct orderly_record *od_stream_delivery_end(struct od_stream_deliveries *deliveries, struct od_stream_common *common,
                                              struct od_stream_delivery *delivery)
{
    unwatch_cancel(common, delivery);
    if (delivery->previous != NULL) {
        delivery->previous->next = delivery->next;
    } else {
        deliveries->list = delivery->next;
    }
    if (delivery->next != NULL) {
        delivery->next->previous = delivery->previous;
    }
    delivery->process->in_flight--;
    delivery->next = deliveries->dead;
    deliveries->dead = delivery;
    return delivery->record;
}

void od_stream_deliveries_free_dead(struct od_stream_deliveries *deliveries)
{
    while (deliveries->dead != NULL) {
        struct od_stream_delivery *next = deliveries->dead->next;

        free(deliveries->dead);
        deliveries->dead = next;
    }
}
