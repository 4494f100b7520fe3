/* Lines of log: one for each thing that happened, saying what and why. */
#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/text.h"
#include "core/offset_map.h"
#include "runtime/member.h"

#define LINE_MAX_BYTES 1024

static _Thread_local bool inside;

bool od_log_inside(void)
{
    return inside;
}

void od_log(const struct orderly *orderly, int level, const char *area, const char *format, ...)
{
    if (orderly->callbacks.log == NULL || inside) {
        return;
    }
    char line[LINE_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    inside = true;
    orderly->callbacks.log(level, area, line, orderly->userdata);
    inside = false;
}

static const char *const state_texts[OD_STATE_COUNT] = {
    [OD_STATE_OFFSET_UNKNOWN] = "its committed offset is not known yet; nothing is read, and it is asked for again",
    [OD_STATE_MAP_FULL] =
        "what is done above the committed offset would no longer fit into the offset map; an old unfinished record holds it back",
    [OD_STATE_PARKED_FULL] =
        "as many records wait for their time as limits.parked allows; reading stops until some are due",
    [OD_STATE_LANE_FULL] = "a lane is longer than limits.lane: records of one key wait behind one that does not end",
    [OD_STATE_WINDOW_FULL] =
        "as many records above the committed offset as limits.window allows; the oldest unfinished one holds it back",
    [OD_STATE_MEMORY_FULL] = "memory.records is used up; reading goes on when records end",
    [OD_STATE_CALLBACK_BLOCKED] =
        "a callback of the application has not returned; newly assigned partitions wait for it",
    [OD_STATE_HANDLER_FAULT] =
        "the handler is at fault, not the records: they are held and tried again after a pause, no attempts are spent",
    [OD_STATE_THROTTLED] = "the handler says that it is busy; less is started",
    [OD_STATE_RELEASE_LOOP] = "a record was given back limits.releases times in a row; it is held",
    [OD_STATE_OVERSIZE] =
        "a copy is larger than its topic takes; raise max.message.bytes there or set dead_letter.oversize: reference",
    [OD_STATE_COPY_FAILING] = "copies cannot be written; they are tried again, and the records are kept",
    [OD_STATE_FOREIGN_RETRY] = "a record of another group is in this retry topic; it is not run",
    [OD_STATE_DEAD_LETTER_RATE] =
        "more records became dead letters than dead_letter.max_rate allows; the source stops until it is resumed by hand",
    [OD_STATE_RECORD_LOST] =
        "a parked record has gone from its topic: the retention is too short, or the topic is compacted",
    [OD_STATE_COMMIT_FAILING] = "commits are refused; they are tried again",
    [OD_STATE_READ_FAILING] = "a parked record cannot be read again; it is tried again",
    [OD_STATE_SUSPECT] =
        "the process stood still; nothing is started or committed until the broker has confirmed the membership",
    [OD_STATE_PAUSED] = "paused by the application",
    [OD_STATE_TOPIC_MISSING] = "its topic is missing",
    [OD_STATE_STUCK] = "a handler did not stop after it was told to",
};

const char *od_log_state_text(enum od_named_state state)
{
    return (unsigned)state < OD_STATE_COUNT && state_texts[state] != NULL ? state_texts[state] : "";
}

/* How loud: what stops work or loses something is a warning, what limits do all the time is not. */
static int state_level(enum od_named_state state)
{
    switch ((int)state) {
    case OD_STATE_OVERSIZE:
    case OD_STATE_DEAD_LETTER_RATE:
    case OD_STATE_RECORD_LOST:
    case OD_STATE_FOREIGN_RETRY:
    case OD_STATE_RELEASE_LOOP:
        return ORDERLY_LOG_ERROR;
    case OD_STATE_OFFSET_UNKNOWN:
        return ORDERLY_LOG_DEBUG; /* every assignment begins so; reading that fails says so itself */
    case OD_STATE_THROTTLED:
    case OD_STATE_MEMORY_FULL:
    case OD_STATE_PAUSED:
        return ORDERLY_LOG_INFO;
    default:
        return ORDERLY_LOG_WARNING;
    }
}

/* "orders/3 offset 17", "orders/3", or "the member". */
static void name_place(char *place, size_t size, const struct od_effect *effect, const struct od_lease *lease)
{
    if (lease == NULL) {
        snprintf(place, size, effect->id == 0 ? "the member" : "a partition that has gone");
    } else if (effect->offset >= 0) {
        snprintf(place, size, "%s/%d offset %lld", lease->topic, (int)lease->partition, (long long)effect->offset);
    } else {
        snprintf(place, size, "%s/%d", lease->topic, (int)lease->partition);
    }
}

/* Offsets that took a little longer than usual are nobody's concern. */
static int left_level(const struct od_effect *effect)
{
    bool brief = effect->tell.state == OD_STATE_OFFSET_UNKNOWN && effect->tell.a < 5000;
    return brief ? ORDERLY_LOG_DEBUG : ORDERLY_LOG_INFO;
}

/* ": class: text", or as much of it as there is. */
static void name_error(char *why, size_t size, const char *error_class, const char *error_text)
{
    snprintf(why, size, "%s%s%s%s", error_class != NULL ? ": " : "", error_class != NULL ? error_class : "",
             error_text != NULL ? ": " : "", error_text != NULL ? error_text : "");
}

void od_log_tell(const struct orderly *orderly, const struct od_effect *effect, const struct od_lease *lease,
                 const char *error_class, const char *error_text)
{
    if (orderly->callbacks.log == NULL) {
        return;
    }
    char place[320], why[400];
    name_place(place, sizeof place, effect, lease);
    name_error(why, sizeof why, error_class, error_text);
    const char *word = od_named_state_word(effect->tell.state);
    long long a = (long long)effect->tell.a, b = (long long)effect->tell.b;
    switch (effect->tell.tell) {
    case OD_TELL_STATE_ENTERED:
        od_log(orderly, state_level(effect->tell.state), "state", "%s is in state %s: %s", place, word,
               od_log_state_text(effect->tell.state));
        break;
    case OD_TELL_STATE_LEFT:
        od_log(orderly, left_level(effect), "state", "%s has left state %s", place, word);
        break;
    case OD_TELL_GATE_FORCED:
        od_log(orderly, ORDERLY_LOG_WARNING, "gate",
               "the gate was held for %lld ms and is opened by force: a rebalance cannot wait longer", a);
        break;
    case OD_TELL_DRAIN_CUT:
        od_log(orderly, ORDERLY_LOG_WARNING, "drain",
               "%s: the drain ended with %lld record%s still running; the next owner runs them again", place, a,
               a == 1 ? "" : "s");
        break;
    case OD_TELL_LATE_OUTCOME:
        od_log(orderly, ORDERLY_LOG_DEBUG, "settle", "%s: an outcome came after its record had gone; it moves nothing",
               place);
        break;
    case OD_TELL_DEAD_LETTER:
        od_log(orderly, ORDERLY_LOG_WARNING, "dead-letter", "%s went to the dead letters after %lld attempt%s%s", place,
               a, a == 1 ? "" : "s", why);
        break;
    case OD_TELL_RETRY:
        od_log(orderly, ORDERLY_LOG_DEBUG, "retry", "%s is tried again in %lld ms; %lld attempt%s spent%s", place, b, a,
               a == 1 ? "" : "s", why);
        break;
    case OD_TELL_MAP_REFUSED:
        od_log(orderly, ORDERLY_LOG_WARNING, "offset-map",
               "%s: the committed map is %s; all above the offset runs again", place,
               od_map_refusal_text((enum od_map_refusal)a));
        break;
    case OD_TELL_MAP_CAP_HALVED:
        od_log(orderly, ORDERLY_LOG_WARNING, "offset-map",
               "the broker refuses offset maps of that size; the cap is now %lld bytes (offset.metadata.max.bytes)", a);
        break;
    case OD_TELL_SKIPPED:
        od_log(orderly, ORDERLY_LOG_INFO, "offset-map",
               "%s: %lld record%s were done before the hand-over and are skipped", place, a, a == 1 ? "" : "s");
        break;
    case OD_TELL_DUPLICATE_COPY:
        od_log(orderly, ORDERLY_LOG_INFO, "retry", "%s is a second copy of the same attempt; it is not run", place);
        break;
    case OD_TELL_RELIEF:
        od_log(orderly, ORDERLY_LOG_DEBUG, "retry",
               "%s is copied to the end of the retry topic: it held the offset back", place);
        break;
    case OD_TELL_RECORD_LOST:
        od_log(orderly, ORDERLY_LOG_ERROR, "retry",
               "%s was removed by the topic's retention or compaction before its time came", place);
        break;
    case OD_TELL_RETRY_AFTER_CLAMPED:
        od_log(orderly, ORDERLY_LOG_INFO, "retry", "%s wants to wait longer than retry.max_delay; it waits that long",
               place);
        break;
    }
}
