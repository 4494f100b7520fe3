/* One value against its row: od_setting_parse(). */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/settings_table.h"
#include "base/suggest.h"
#include "base/text.h"
#include "base/text_list.h"
#include "base/utf8.h"

enum { NUMBER_TEXT = 32, CHOICE_TEXT = 32 };

/* A number of a row's type as text. */
static void add_number(struct od_text *text, enum orderly_setting_type type, int64_t number)
{
    switch (type) {
    case ORDERLY_SETTING_DURATION:
        od_text_add_duration(text, number);
        return;
    case ORDERLY_SETTING_BYTES:
        od_text_add_size(text, (uint64_t)number);
        return;
    case ORDERLY_SETTING_PERCENT:
        od_text_add_i64(text, number / 10);
        od_text_add_char(text, '%');
        return;
    case ORDERLY_SETTING_DECIMAL:
        od_text_add_i64(text, number / 1000);
        return;
    case ORDERLY_SETTING_TEXT:
    case ORDERLY_SETTING_LIST:
    case ORDERLY_SETTING_BOOL:
    case ORDERLY_SETTING_NUMBER:
    case ORDERLY_SETTING_CHOICE:
        break;
    }
    od_text_add_i64(text, number);
}

static bool read_number(const struct od_setting *row, const char *text, int64_t *ret)
{
    switch (row->type) {
    case ORDERLY_SETTING_DURATION:
        return od_parse_duration(text, ret);
    case ORDERLY_SETTING_BYTES:
        return od_parse_bytes(text, ret);
    case ORDERLY_SETTING_PERCENT:
        return od_parse_percent(text, ret);
    case ORDERLY_SETTING_DECIMAL:
        return od_parse_decimal(text, ret);
    case ORDERLY_SETTING_TEXT:
    case ORDERLY_SETTING_LIST:
    case ORDERLY_SETTING_BOOL:
    case ORDERLY_SETTING_NUMBER:
    case ORDERLY_SETTING_CHOICE:
        break;
    }
    return od_text_to_i64(text, INT64_MIN, INT64_MAX, ret);
}

static const char *wanted(const struct od_setting *row)
{
    switch (row->type) {
    case ORDERLY_SETTING_DURATION:
        return row->none ? "a duration with its unit, such as 250ms, 30s, 10m, 24h or 7d, or never"
                         : "a duration with its unit, such as 250ms, 30s, 10m, 24h or 7d";
    case ORDERLY_SETTING_BYTES:
        return "a size, such as 512, 64KiB, 64MiB or 1GiB";
    case ORDERLY_SETTING_PERCENT:
        return "a percentage, such as 10%";
    case ORDERLY_SETTING_DECIMAL:
        return "a number, such as 2 or 1.5";
    case ORDERLY_SETTING_BOOL:
        return "true or false";
    case ORDERLY_SETTING_LIST:
        return "a list, such as a,b,c, or a JSON array of texts";
    case ORDERLY_SETTING_TEXT:
    case ORDERLY_SETTING_NUMBER:
    case ORDERLY_SETTING_CHOICE:
        break;
    }
    return "a whole number";
}

static enum orderly_err refuse(const struct od_setting *row, const char *text, struct orderly_error *error)
{
    return od_fail(error, ORDERLY_CONFIG, "%s: \"%.100s\" is not %s", row->name, text, wanted(row));
}

static enum orderly_err parse_number(const struct od_setting *row, const char *text, int64_t *ret,
                                     struct orderly_error *error)
{
    char low[NUMBER_TEXT], high[NUMBER_TEXT];
    struct od_text low_text, high_text;
    if (row->none && (strcmp(text, "never") == 0 || strcmp(text, "none") == 0)) {
        *ret = OD_NEVER;
        return ORDERLY_OK;
    }
    if (!read_number(row, text, ret))
        return refuse(row, text, error);
    if (*ret >= row->low && *ret <= row->high)
        return ORDERLY_OK;
    od_text_init(&low_text, low, sizeof low);
    od_text_init(&high_text, high, sizeof high);
    add_number(&low_text, row->type, row->low);
    add_number(&high_text, row->type, row->high);
    return od_fail(error, ORDERLY_CONFIG, "%s: %.100s is not within %s and %s", row->name, text, low, high);
}

static enum orderly_err parse_bool(const struct od_setting *row, const char *text, int64_t *ret,
                                   struct orderly_error *error)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (od_text_equal_nocase(text, words[i])) {
            *ret = (int64_t)(i % 2);
            return ORDERLY_OK;
        }
    }
    return refuse(row, text, error);
}

/* The place of a word in "a|b|c"; -1 and, perhaps, the one that was meant. */
static int64_t choice(const char *choices, const char *word, char meant[CHOICE_TEXT])
{
    struct od_suggest suggest = {.typed = word};
    char one[2][CHOICE_TEXT];
    int64_t place = 0;
    unsigned turn = 0;
    meant[0] = '\0';
    for (const char *p = choices;; place++) {
        size_t size = strcspn(p, "|");
        if (strlen(word) == size && memcmp(p, word, size) == 0)
            return place;
        snprintf(one[turn], sizeof one[turn], "%.*s", (int)size, p);
        od_suggest_offer(&suggest, one[turn]);
        if (suggest.best == one[turn])
            turn = !turn;
        if (p[size] == '\0')
            break;
        p += size + 1;
    }
    if (suggest.best)
        snprintf(meant, CHOICE_TEXT, "%s", suggest.best);
    return -1;
}

static enum orderly_err parse_choice(const struct od_setting *row, const char *text, int64_t *ret,
                                     struct orderly_error *error)
{
    char meant[CHOICE_TEXT], list[128] = "";
    int64_t place = choice(row->choices, text, meant);
    if (place >= 0) {
        *ret = place;
        return ORDERLY_OK;
    }
    struct od_text words;
    od_text_init(&words, list, sizeof list);
    for (const char *p = row->choices; *p; p++) {
        const char *last = strrchr(row->choices, '|');
        if (*p != '|')
            od_text_add_char(&words, *p);
        else
            od_text_add(&words, p == last ? " or " : ", ");
    }
    return od_fail(error, ORDERLY_CONFIG, "%s: \"%.100s\" is not %s%s%s%s", row->name, text, list,
                   *meant ? "; did you mean " : "", meant, *meant ? "?" : "");
}

static enum orderly_err parse_list(const struct od_setting *row, const char *text, struct orderly_error *error)
{
    struct od_text_list list = {0};
    int64_t place;
    enum orderly_err err = od_text_list_parse(text, &list);
    if (err == ORDERLY_NOMEM)
        return od_fail(error, err, "%s: out of memory", row->name);
    if (err)
        return refuse(row, text, error);
    for (size_t i = 0; !err && row->choices && i < list.count; i++)
        err = parse_choice(row, list.items[i], &place, error);
    od_text_list_fini(&list);
    return err;
}

enum orderly_err od_setting_parse(const struct od_setting *row, const char *text, int64_t *ret_number,
                                  struct orderly_error *error)
{
    int64_t number = 0;
    enum orderly_err err = ORDERLY_OK;
    if (!od_utf8_valid(text, strlen(text)))
        return od_fail(error, ORDERLY_CONFIG, "%s: the value is not valid UTF-8", row->name);
    switch (row->type) {
    case ORDERLY_SETTING_TEXT:
        break;
    case ORDERLY_SETTING_LIST:
        err = parse_list(row, text, error);
        break;
    case ORDERLY_SETTING_BOOL:
        err = parse_bool(row, text, &number, error);
        break;
    case ORDERLY_SETTING_CHOICE:
        err = parse_choice(row, text, &number, error);
        break;
    case ORDERLY_SETTING_NUMBER:
    case ORDERLY_SETTING_DECIMAL:
    case ORDERLY_SETTING_PERCENT:
    case ORDERLY_SETTING_DURATION:
    case ORDERLY_SETTING_BYTES:
        err = parse_number(row, text, &number, error);
        break;
    }
    if (!err && ret_number)
        *ret_number = number;
    return err;
}
