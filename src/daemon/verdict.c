/* How one run of a handler ended: see verdict.h. */
#include "daemon/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/bytes.h"
#include "daemon/log.h"

void od_verdict_text(struct od_verdict *verdict, const char *prefix, const void *text, size_t size)
{
    size_t room = sizeof verdict->text - 1 - strlen(prefix) - 2;
    struct od_bytes clean = {0};
    const char *from;
    int separated;

    od_bytes_clean(&clean, text, size);
    while (clean.size > 0 && (unsigned char)clean.data[clean.size - 1] <= ' ') {
        clean.size--;
    }
    from = od_bytes_end(&clean);
    if (from == NULL) {
        from = "";
        clean.size = 0;
    }
    if (clean.size > room) {
        from += clean.size - room;
        while (((unsigned char)*from & 0xC0) == 0x80) {
            from++; /* begin with a whole character */
        }
    }
    separated = prefix[0] != '\0' && from[0] != '\0';
    snprintf(verdict->text, sizeof verdict->text, "%s%s%s", prefix, separated ? ": " : "", from);
    od_bytes_fini(&clean);
}

bool od_verdict_settle(const struct od_verdict *verdict, struct orderly_record *record)
{
    struct orderly_settlement settlement = ORDERLY_SETTLEMENT_INIT;
    enum orderly_err err;

    settlement.outcome = verdict->outcome;
    settlement.delay_ms = verdict->delay_ms;
    settlement.error_class = verdict->error_class[0] != '\0' ? verdict->error_class : NULL;
    settlement.error_text = verdict->text[0] != '\0' ? verdict->text : NULL;
    err = orderly_settle(record, &settlement);
    if (err != ORDERLY_OK && err != ORDERLY_STALE) {
        od_say_error("handler", "%s/%" PRId32 "/%" PRId64 " could not be settled: %s", orderly_record_topic(record),
                     orderly_record_partition(record), orderly_record_offset(record), orderly_strerror(err));
    }
    orderly_record_unref(record);
    return err == ORDERLY_OK;
}

static void say_opened(const struct od_verdict *verdict, const struct od_breaker *breaker, const char *name,
                       int64_t now_ms)
{
    od_say_error(
        "handler", "%s is at fault (%s%s%s): records are held, no attempt is spent, the next try is in %" PRId64 " ms",
        name, verdict->error_class, verdict->text[0] != '\0' ? ": " : "", verdict->text, breaker->until_ms - now_ms);
}

void od_verdict_tell(const struct od_verdict *verdict, struct od_breaker *breaker, const char *name, int64_t now_ms)
{
    switch (verdict->blame) {
    case OD_BLAME_NONE:
        if (od_breaker_good(breaker, now_ms)) {
            od_say_info("handler", "%s works again", name);
        }
        break;
    case OD_BLAME_NEUTRAL:
        od_breaker_neutral(breaker);
        break;
    case OD_BLAME_FAILURE:
        if (od_breaker_failure(breaker, now_ms)) {
            say_opened(verdict, breaker, name, now_ms);
        }
        break;
    case OD_BLAME_FAULT:
        if (od_breaker_fault(breaker, now_ms)) {
            say_opened(verdict, breaker, name, now_ms);
        }
        break;
    case OD_BLAME_BUSY:
        if (breaker->state != OD_BREAKER_THROTTLED) {
            od_say_warning("handler", "%s asks for a pause (%s)", name, verdict->error_class);
        }
        od_breaker_throttle(breaker, now_ms, verdict->pause_ms);
        break;
    case OD_BLAME_STOP:
        if (breaker->state != OD_BREAKER_STOPPED) {
            od_say_error("handler", "%s asked not to be run again (%s%s%s): stopped until `orderly resume`", name,
                         verdict->error_class, verdict->text[0] != '\0' ? ": " : "", verdict->text);
        }
        od_breaker_stop(breaker);
        break;
    }
}
