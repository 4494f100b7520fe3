/* What each end of a handler means: asked of the very functions that judge, for each code; equal neighbours are one line. */
#include "cli/check_outcomes.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"
#include "daemon/config_file.h"
#include "daemon/exec_end.h"
#include "daemon/http_rules.h"
#include "daemon/setting.h"

static const char *handler_word(enum od_blame blame)
{
    switch (blame) {
    case OD_BLAME_FAULT:
        return "at fault: records are held";
    case OD_BLAME_BUSY:
        return "busy: fewer are started";
    case OD_BLAME_STOP:
        return "stopped until `orderly resume`";
    case OD_BLAME_FAILURE:
        return "a failure: many in a row hold records";
    case OD_BLAME_NONE:
    case OD_BLAME_NEUTRAL:
        return "-";
    }
    return "-";
}

static const char *attempt_word(enum orderly_outcome outcome)
{
    return outcome == ORDERLY_RETRY || outcome == ORDERLY_DEAD_LETTER || outcome == ORDERLY_DROP ? "yes" : "no";
}

struct printer {
    struct od_table table;
    bool json;
};

static void print_row(struct printer *printer, const char *kind, const char *end, enum orderly_outcome outcome,
                      enum od_blame blame)
{
    if (printer->json) {
        json_t *object =
            json_pack("{s:s, s:s, s:s, s:b, s:s}", "handler", kind, "end", end, "outcome", od_outcome_name(outcome),
                      "attempt_spent", !strcmp(attempt_word(outcome), "yes"), "handler_is", handler_word(blame));
        json_dumpf(object, stdout, JSON_COMPACT);
        fputc('\n', stdout);
        json_decref(object);
        return;
    }
    od_table_add(&printer->table, "%s", kind);
    od_table_add(&printer->table, "%s", end);
    od_table_add(&printer->table, "%s", od_outcome_name(outcome));
    od_table_add(&printer->table, "%s", attempt_word(outcome));
    od_table_add(&printer->table, "%s", handler_word(blame));
}

static void judge_code(int code, struct od_verdict *verdict)
{
    static const struct od_answer silent = OD_ANSWER_INIT;
    struct od_exec_end end = {.code = code, .answer = &silent, .tail = ""};
    od_exec_end_judge(&end, verdict);
}

static void print_exec(struct printer *printer, const struct od_values *values)
{
    static const struct od_answer silent = OD_ANSWER_INIT;
    const struct od_value *crashes = od_values_get(values, "handler.exec.max_crashes");
    struct od_verdict first, next;
    char text[64];
    for (int code = 0; code <= 255;) {
        int last = code;
        judge_code(code, &first);
        for (judge_code(last + 1, &next);
             last < 255 && next.outcome == first.outcome && next.blame == first.blame && code != 0;
             judge_code(last + 1, &next)) {
            last++;
        }
        snprintf(text, sizeof text, last > code ? "exit %d to %d" : "exit %d", code, last);
        print_row(printer, "exec", text, first.outcome, first.blame);
        code = last + 1;
    }
    struct od_exec_end end = {.signal = SIGSEGV, .answer = &silent, .tail = "", .crashes = 1, .max_crashes = 3};
    od_exec_end_judge(&end, &first);
    print_row(printer, "exec", "killed by a signal", first.outcome, first.blame);
    end.crashes = 3;
    od_exec_end_judge(&end, &first);
    snprintf(text, sizeof text, "killed by a signal, %s times in a row", crashes ? crashes->value : "3");
    print_row(printer, "exec", text, first.outcome, first.blame);
    end.kill = OD_KILL_TIMEOUT;
    od_exec_end_judge(&end, &first);
    print_row(printer, "exec", "killed by orderly at its timeout", first.outcome, first.blame);
    end.kill = OD_KILL_CANCEL;
    od_exec_end_judge(&end, &first);
    print_row(printer, "exec", "killed by orderly at the end of a drain", first.outcome, first.blame);
}

/* What --set, the file or the environment say of single statuses is counted in. */
static int print_http(const struct od_args *args, struct printer *printer, const struct od_values *values)
{
    const struct od_value *status = od_values_get(values, "handler.http.status");
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct od_http_rules rules;
    struct od_words words = {0};
    char text[64];
    if (!od_words_parse(status ? status->value : "", &words) || od_http_rules_init(&rules, &words, &error)) {
        return od_talk_failure(args, OD_EXIT_CONFIG, "handler.http.status: %s",
                               *error.text ? error.text : "cannot be read");
    }
    for (int code = 200; code <= 599;) {
        enum orderly_outcome outcome, next;
        enum od_blame blame, next_blame;
        int last = code;
        od_http_judge_status(&rules, code, &outcome, &blame);
        while (last < 599) {
            od_http_judge_status(&rules, last + 1, &next, &next_blame);
            if (next != outcome || next_blame != blame) {
                break;
            }
            last++;
        }
        snprintf(text, sizeof text, last > code ? "status %d to %d" : "status %d", code, last);
        print_row(printer, "http", text, outcome, blame);
        code = last + 1;
    }
    for (size_t i = 0; i < words.count; i++) {
        free(words.items[i]);
    }
    free(words.items);
    return OD_EXIT_OK;
}

int od_check_print_outcomes(const struct od_args *args, const struct od_values *values)
{
    struct printer printer = {.json = od_args_has(args, "json")};
    if (!printer.json) {
        od_table_init(&printer.table, "handler|end|outcome|attempt spent|the handler is");
    }
    print_exec(&printer, values);
    int code = print_http(args, &printer, values);
    if (!printer.json) {
        od_table_print(&printer.table, stdout);
    }
    return code;
}
