/* Lists of texts, written with commas or as JSON. */
#include "base/text_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/vec.h"

/* What is being read and what was read so far; `word` is the item in work. */
struct reader {
    const char *p;
    OD_VEC(char *) items;
    OD_VEC(char) word;
    bool out_of_memory;
};

static bool add(struct reader *in, char c)
{
    if (od_vec_push(&in->word, c))
        return true;
    in->out_of_memory = true;
    return false;
}

/* The word becomes an item. */
static bool finish_word(struct reader *in)
{
    char *item = od_text_copy_bytes(in->word.items, in->word.count);
    od_vec_clear(&in->word);
    if (item && od_vec_push(&in->items, item))
        return true;
    free(item);
    in->out_of_memory = true;
    return false;
}

static void skip_blanks(struct reader *in)
{
    while (*in->p == ' ' || *in->p == '\t' || *in->p == '\n' || *in->p == '\r')
        in->p++;
}

static bool literal(struct reader *in, char c)
{
    skip_blanks(in);
    if (*in->p != c)
        return false;
    in->p++;
    return true;
}

static bool hex4(struct reader *in, uint32_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < 4; i++) {
        char c = *in->p;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16)
            return false;
        *ret = *ret << 4 | digit;
        in->p++;
    }
    return true;
}

static bool add_utf8(struct reader *in, uint32_t c)
{
    if (c < 0x80)
        return add(in, (char)c);
    if (c < 0x800)
        return add(in, (char)(0xC0 | c >> 6)) && add(in, (char)(0x80 | (c & 63)));
    if (c < 0x10000)
        return add(in, (char)(0xE0 | c >> 12)) && add(in, (char)(0x80 | (c >> 6 & 63))) &&
               add(in, (char)(0x80 | (c & 63)));
    return add(in, (char)(0xF0 | c >> 18)) && add(in, (char)(0x80 | (c >> 12 & 63))) &&
           add(in, (char)(0x80 | (c >> 6 & 63))) && add(in, (char)(0x80 | (c & 63)));
}

/* What follows "\u"; two halves of a pair are put together, NUL and half pairs are refused. */
static bool json_unicode(struct reader *in)
{
    uint32_t c, low;
    if (!hex4(in, &c) || c == 0)
        return false;
    if (c >= 0xD800 && c <= 0xDFFF) {
        if (c > 0xDBFF || in->p[0] != '\\' || in->p[1] != 'u')
            return false;
        in->p += 2;
        if (!hex4(in, &low) || low < 0xDC00 || low > 0xDFFF)
            return false;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    }
    return add_utf8(in, c);
}

static bool json_escape(struct reader *in)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *in->p;
    if (c == '\0')
        return false;
    in->p++;
    if (c == 'u')
        return json_unicode(in);
    const char *found = strchr(from, c);
    return found && add(in, to[found - from]);
}

static bool json_string(struct reader *in)
{
    if (!literal(in, '"'))
        return false;
    while (*in->p != '"') {
        char c = *in->p;
        if ((unsigned char)c < 0x20)
            return false;
        in->p++;
        if (!(c == '\\' ? json_escape(in) : add(in, c)))
            return false;
    }
    in->p++;
    return true;
}

/* A text, or a number, true or false as it is written. */
static bool json_scalar(struct reader *in)
{
    skip_blanks(in);
    if (*in->p == '"')
        return json_string(in);
    const char *begin = in->p;
    while (*in->p && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *in->p)) {
        if (!add(in, *in->p++))
            return false;
    }
    size_t size = (size_t)(in->p - begin);
    bool word = (size == 4 && memcmp(begin, "true", 4) == 0) || (size == 5 && memcmp(begin, "false", 5) == 0);
    return size > 0 && (word || strchr("-0123456789", *begin));
}

static bool json_list(struct reader *in, char close, bool members)
{
    in->p++;
    if (literal(in, close))
        return true;
    do {
        if (members && (!json_string(in) || !literal(in, ':') || !add(in, '=')))
            return false;
        if (!json_scalar(in) || !finish_word(in))
            return false;
    } while (literal(in, ','));
    return literal(in, close);
}

static bool json(struct reader *in)
{
    if (!json_list(in, *in->p == '[' ? ']' : '}', *in->p == '{'))
        return false;
    skip_blanks(in);
    return *in->p == '\0';
}

/* One item up to its comma or the end, without the blanks around it. Other backslashes stay: patterns are full of them. */
static bool comma_item(struct reader *in)
{
    size_t keep = 0;
    skip_blanks(in);
    for (; *in->p && *in->p != ','; in->p++) {
        if (in->p[0] == '\\' && in->p[1] == ',')
            in->p++;
        if (!add(in, *in->p))
            return false;
        if (!strchr(" \t\n\r", *in->p))
            keep = in->word.count;
    }
    in->word.count = keep;
    return keep == 0 || finish_word(in);
}

static bool comma_list(struct reader *in)
{
    for (;;) {
        if (!comma_item(in))
            return false;
        if (*in->p == '\0')
            return true;
        in->p++;
    }
}

enum orderly_err od_text_list_parse(const char *text, struct od_text_list *ret)
{
    struct reader in = {.p = text};
    skip_blanks(&in);
    bool good = *in.p == '[' || *in.p == '{' ? json(&in) : comma_list(&in);
    struct od_text_list list = {in.items.items, in.items.count};
    od_vec_fini(&in.word);
    if (!good) {
        od_text_list_fini(&list);
        return in.out_of_memory ? ORDERLY_NOMEM : ORDERLY_INVALID;
    }
    *ret = list;
    return ORDERLY_OK;
}

enum orderly_err od_text_list_copy(const struct od_text_list *list, struct od_text_list *ret)
{
    struct od_text_list copy = {0};
    if (list->count) {
        copy.items = calloc(list->count, sizeof *copy.items);
        if (!copy.items)
            return ORDERLY_NOMEM;
    }
    for (size_t i = 0; i < list->count; i++, copy.count++) {
        copy.items[i] = od_text_copy(list->items[i]);
        if (!copy.items[i]) {
            od_text_list_fini(&copy);
            return ORDERLY_NOMEM;
        }
    }
    *ret = copy;
    return ORDERLY_OK;
}

void od_text_list_fini(struct od_text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct od_text_list){0};
}

bool od_text_list_has(const struct od_text_list *list, const char *item)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    return false;
}
