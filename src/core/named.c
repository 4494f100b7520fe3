/* Named states: why something does not move. */
#include "core/state.h"

/* A state of the flow comes and goes with each batch; it is told only when it lasts. */
static const int64_t flow_ms = 1000;

const char *od_named_state_word(enum od_named_state state)
{
    static const char *const words[OD_STATE_COUNT] = {
        [OD_STATE_OFFSET_UNKNOWN] = "offset_unknown",
        [OD_STATE_MAP_FULL] = "map_full",
        [OD_STATE_PARKED_FULL] = "parked_full",
        [OD_STATE_LANE_FULL] = "lane_full",
        [OD_STATE_WINDOW_FULL] = "window_full",
        [OD_STATE_MEMORY_FULL] = "memory_full",
        [OD_STATE_CALLBACK_BLOCKED] = "callback_blocked",
        [OD_STATE_HANDLER_FAULT] = "handler_fault",
        [OD_STATE_THROTTLED] = "throttled",
        [OD_STATE_RELEASE_LOOP] = "release_loop",
        [OD_STATE_OVERSIZE] = "oversize",
        [OD_STATE_COPY_FAILING] = "copy_failing",
        [OD_STATE_FOREIGN_RETRY] = "foreign_retry",
        [OD_STATE_DEAD_LETTER_RATE] = "dead_letter_rate",
        [OD_STATE_RECORD_LOST] = "record_lost",
        [OD_STATE_COMMIT_FAILING] = "commit_failing",
        [OD_STATE_READ_FAILING] = "read_failing",
        [OD_STATE_SUSPECT] = "suspect",
        [OD_STATE_PAUSED] = "paused",
        [OD_STATE_TOPIC_MISSING] = "topic_missing",
        [OD_STATE_STUCK] = "stuck",
    };
    return (unsigned)state < OD_STATE_COUNT ? words[state] : "unknown";
}

static void tell(struct od_core *core, struct od_stay *stay, enum od_tell what, enum od_named_state state,
                 int64_t offset, int64_t lasted_ms)
{
    struct od_effect *effect = od_effect_push(core, OD_EFFECT_TELL, stay ? stay->id : 0);
    effect->offset = offset;
    effect->tell.tell = what;
    effect->tell.state = state;
    effect->tell.a = lasted_ms;
}

void od_named_enter(struct od_core *core, struct od_stay *stay, enum od_named_state state, int64_t offset)
{
    uint32_t *states = stay ? &stay->states : &core->states;
    if (*states >> state & 1u) {
        return;
    }
    *states |= 1u << state;
    (stay ? stay->state_since_ms : core->state_since_ms)[state] = core->now_ms;
    if (stay) {
        stay->state_offset[state] = offset;
    }
    tell(core, stay, OD_TELL_STATE_ENTERED, state, offset, 0);
}

void od_named_leave(struct od_core *core, struct od_stay *stay, enum od_named_state state)
{
    uint32_t *states = stay ? &stay->states : &core->states;
    if (stay) {
        stay->flow_since_ms[state] = OD_NO_TIME;
    }
    if (!(*states >> state & 1u)) {
        return;
    }
    *states &= ~(1u << state);
    int64_t since = (stay ? stay->state_since_ms : core->state_since_ms)[state];
    int64_t offset = stay ? stay->state_offset[state] : -1;
    tell(core, stay, OD_TELL_STATE_LEFT, state, offset, core->now_ms - since);
}

void od_named_set(struct od_core *core, struct od_stay *stay, enum od_named_state state, bool on, int64_t offset)
{
    if (on) {
        od_named_enter(core, stay, state, offset);
    } else {
        od_named_leave(core, stay, state);
    }
}

void od_named_flow(struct od_core *core, struct od_stay *stay, enum od_named_state state, bool on, int64_t offset)
{
    if (!on) {
        if (stay->flow_since_ms[state] != OD_NO_TIME) {
            od_named_leave(core, stay, state);
        }
        return;
    }
    if (stay->flow_since_ms[state] == OD_NO_TIME) {
        stay->flow_since_ms[state] = core->now_ms;
    }
    if (core->now_ms - stay->flow_since_ms[state] >= flow_ms) {
        od_named_enter(core, stay, state, offset);
    } else {
        od_stay_wake(core, stay, stay->flow_since_ms[state] + flow_ms);
    }
}
