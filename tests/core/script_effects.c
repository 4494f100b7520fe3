/* Transcripts: effects as text. */
#include "script_inside.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/offset_map.h"

_Noreturn void script_fail(const struct script *s, const char *what, const char *word)
{
    fprintf(stderr, "%s:%d: %s: %s\n", s->name, s->line, what, word ? word : "");
    abort();
}

void script_put(struct script *s, const char *format, ...)
{
    char text[16384];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    size_t size = (size_t)length;
    if (s->out_size + size + 1 > s->out_room) {
        s->out_room = (s->out_size + size + 1) * 2;
        s->out = realloc(s->out, s->out_room);
    }
    memcpy(s->out + s->out_size, text, size + 1);
    s->out_size += size;
}

/* ---- names ---- */

struct known *script_known_tag(struct script *s, uint64_t tag)
{
    for (size_t i = 0; i < s->known.count; i++) {
        if (s->known.items[i].tag == tag) {
            return &s->known.items[i];
        }
    }
    return NULL;
}

const char *script_name_of(struct script *s, uint64_t record, uint64_t tag)
{
    static char names[4][64];
    static unsigned next;
    char *name = names[next++ % 4];
    for (size_t i = s->known.count; i-- > 0;) {
        const struct known *known = &s->known.items[i];
        if ((tag && known->tag == tag) || (record && known->record == record)) {
            snprintf(name, sizeof names[0], "%u@%" PRId64, known->id, known->offset);
            return name;
        }
    }
    return "?";
}

struct known *script_find(struct script *s, const char *word)
{
    unsigned id = 0;
    int64_t offset = 0;
    if (sscanf(word, "%u@%" SCNd64, &id, &offset) != 2) {
        script_fail(s, "not a record", word);
    }
    for (size_t i = s->known.count; i-- > 0;) {
        if (s->known.items[i].id == id && s->known.items[i].offset == offset) {
            return &s->known.items[i];
        }
    }
    script_fail(s, "no such record", word);
}

int script_commit_of(struct script *s, uint32_t id)
{
    for (size_t i = 0; i < s->commit_count; i++) {
        if (s->commits[i].id == id) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- effects ---- */

static const char *const reasons[] = {"none", "revoked", "lost", "closing", "timeout", "seek"};
static const char *const waitings[] = {"none", "revoke", "leave", "lost"};
static const char *const tells[] = {"entered",        "left",   "gate_forced", "drain_cut",      "late",
                                    "dead_letter",    "retry",  "map_refused", "map_cap_halved", "skipped",
                                    "duplicate_copy", "relief", "record_lost", "clamped"};

static void put_ids(struct script *s, const struct od_effect *effect)
{
    static const char *const callbacks[] = {"callback assigned", "callback revoked", "callback lost"};
    const char *verb = effect->type == OD_EFFECT_ANSWER_REVOKE ? "answer_revoke" : "answer_lost";
    if (effect->type == OD_EFFECT_CALLBACK) {
        s->last_callback = effect->ids.sequence;
        verb = callbacks[effect->ids.callback];
    }
    script_put(s, "%s", verb);
    for (size_t i = 0; i < effect->ids.count; i++) {
        script_put(s, " %u", s->effects.ids[effect->ids.first + i]);
    }
    script_put(s, "\n");
}

static void put_run(struct script *s, const struct od_effect *effect)
{
    script_put(s, "run");
    for (size_t i = 0; i < effect->run.count; i++) {
        const struct od_run *run = &s->effects.runs[effect->run.first + i];
        struct known *known = script_known_tag(s, run->tag);
        if (!known) {
            script_fail(s, "run of a tag that was never given", "");
        }
        known->record = run->record;
        script_put(s, " %s", script_name_of(s, run->record, run->tag));
        if (run->attempt != 1) {
            script_put(s, "#%u", run->attempt);
        }
    }
    script_put(s, "\n");
}

static void put_map(struct script *s, const char *text, size_t size, int64_t base)
{
    struct od_offset_map map;
    for (uint64_t hash = 0; hash < 3; hash++) {
        if (od_offset_map_decode(&map, text, size, base, hash) != ORDERLY_OK) {
            abort();
        }
        if (map.refusal <= OD_MAP_EMPTY || hash == 2) {
            break;
        }
        od_offset_map_fini(&map);
    }
    script_put(s, " done={");
    for (size_t i = 0; i < map.runs.count; i++) {
        const struct od_map_run *run = &map.runs.items[i];
        script_put(s, run->count == 1 ? "%s%" PRId64 : "%s%" PRId64 "..%" PRId64, i ? " " : "", run->first,
                   run->first + run->count - 1);
    }
    script_put(s, "}");
    for (size_t i = 0; i < map.attempts.count; i++) {
        script_put(s, "%s%" PRId64 "#%u", i ? " " : " attempts=", map.attempts.items[i].offset,
                   map.attempts.items[i].attempts);
        if (map.attempts.items[i].due_ms) {
            script_put(s, "@%" PRId64, map.attempts.items[i].due_ms - WALL);
        }
    }
    od_offset_map_fini(&map);
}

static void put_commit(struct script *s, const struct od_effect *effect)
{
    int at = script_commit_of(s, effect->id);
    if (at < 0) {
        at = (int)s->commit_count++;
    }
    s->commits[at].id = effect->id;
    s->commits[at].sequence = effect->commit.sequence;
    s->commits[at].offset = effect->offset;
    s->commits[at].size = effect->commit.text_size;
    memcpy(s->commits[at].text, effect->commit.text, effect->commit.text_size);
    script_put(s, "commit %u offset=%" PRId64, effect->id, effect->offset);
    if (effect->commit.text_size) {
        put_map(s, effect->commit.text, effect->commit.text_size, effect->offset);
    }
    script_put(s, "\n");
}

static void put_copy(struct script *s, const struct od_effect *effect)
{
    static const char *const kinds[] = {"retry", "dead_letter", "relief"};
    static const char *const forms[] = {"", " no_error_text", " reference"};
    struct known *known = script_known_tag(s, effect->tag);
    known->record = effect->record;
    script_put(s, "copy %s %s%s attempts=%u", script_name_of(s, 0, effect->tag), kinds[effect->copy.kind],
               forms[effect->copy.form], effect->copy.attempts);
    if (effect->copy.due_ms) {
        script_put(s, " due=%" PRId64 " delay=%" PRId64, effect->copy.due_ms - WALL, effect->copy.delay_ms);
    }
    script_put(s, "\n");
}

static void put_tell(struct script *s, const struct od_effect *effect)
{
    script_put(s, "tell %s", tells[effect->tell.tell]);
    if (effect->tell.tell <= OD_TELL_STATE_LEFT) {
        script_put(s, " %s", od_named_state_word(effect->tell.state));
    }
    script_put(s, " %u", effect->id);
    if (effect->offset >= 0) {
        script_put(s, "@%" PRId64, effect->offset);
    }
    if (effect->tell.a || effect->tell.b) {
        script_put(s, effect->tell.b ? " %" PRId64 " %" PRId64 : " %" PRId64, effect->tell.a, effect->tell.b);
    }
    script_put(s, "\n");
}

static void put_reread(struct script *s, const struct od_effect *effect)
{
    char word[64];
    snprintf(word, sizeof word, "%u@%" PRId64, effect->id, effect->offset);
    script_find(s, word)->record = effect->record;
    script_put(s, "reread %s\n", word);
}

static void put_effect(struct script *s, const struct od_effect *effect)
{
    switch (effect->type) {
    case OD_EFFECT_FETCH:
        script_put(s, "fetch %u records=%u bytes=%" PRId64 "\n", effect->id, effect->fetch.records,
                   effect->fetch.bytes);
        break;
    case OD_EFFECT_REREAD:
        put_reread(s, effect);
        break;
    case OD_EFFECT_RUN:
        put_run(s, effect);
        break;
    case OD_EFFECT_CANCEL:
        script_put(s, "cancel %s %s left=%" PRId64 "\n", script_name_of(s, effect->record, effect->tag),
                   reasons[effect->cancel.reason], effect->cancel.left_ms);
        break;
    case OD_EFFECT_COPY:
        put_copy(s, effect);
        break;
    case OD_EFFECT_COMMIT:
        put_commit(s, effect);
        break;
    case OD_EFFECT_ANSWER_REVOKE:
    case OD_EFFECT_ANSWER_LOST:
    case OD_EFFECT_CALLBACK:
        put_ids(s, effect);
        break;
    case OD_EFFECT_POSITION:
        script_put(s, "position %u %" PRId64 "\n", effect->id, effect->offset);
        break;
    case OD_EFFECT_WAITING:
        script_put(s, "waiting %s left=%" PRId64 "\n", waitings[effect->waiting.waiting], effect->waiting.left_ms);
        break;
    case OD_EFFECT_SEEK:
        script_put(s, "seek %u %" PRId64 "\n", effect->id, effect->offset);
        break;
    case OD_EFFECT_FORGET:
        script_put(s, "forget %s\n", script_name_of(s, 0, effect->tag));
        break;
    case OD_EFFECT_LET_GO:
        script_put(s, "let_go %s\n", script_name_of(s, 0, effect->tag));
        break;
    case OD_EFFECT_COMMIT_DONE:
        script_put(s, "commit_done %" PRIu64 " %d\n", effect->done.token, (int)effect->done.error);
        break;
    case OD_EFFECT_CLOSED_ASSIGNMENT:
        script_put(s, "closed_assignment %u\n", effect->id);
        break;
    case OD_EFFECT_QUIT:
        script_put(s, "quit %u %s left=%" PRId64 "\n", effect->id, reasons[effect->cancel.reason],
                   effect->cancel.left_ms);
        break;
    case OD_EFFECT_LEAVE:
        script_put(s, "leave\n");
        break;
    case OD_EFFECT_CLOSED:
        script_put(s, "closed %d\n", (int)effect->done.error);
        break;
    case OD_EFFECT_RECALL:
        script_put(s, "recall %s\n", script_name_of(s, effect->record, effect->tag));
        break;
    case OD_EFFECT_TELL:
        put_tell(s, effect);
        break;
    }
}

void script_put_effects(struct script *s, int64_t at)
{
    for (size_t i = 0; i < s->effects.count; i++) {
        const struct od_effect *effect = &s->effects.list[i];
        if (effect->type == OD_EFFECT_FETCH && !s->show_fetch) {
            continue;
        }
        char margin[32] = "       ";
        if (at >= 0) {
            snprintf(margin, sizeof margin, "@%-6" PRId64, at);
        }
        script_put(s, "%s", margin);
        if (effect->type != OD_EFFECT_FORGET) {
            put_effect(s, effect);
            continue;
        }
        script_put(s, "forget %s", script_name_of(s, 0, effect->tag));
        while (i + 1 < s->effects.count && s->effects.list[i + 1].type == OD_EFFECT_FORGET) {
            script_put(s, " %s", script_name_of(s, 0, s->effects.list[++i].tag));
        }
        script_put(s, "\n");
    }
}
