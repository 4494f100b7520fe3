/* Single values as a person writes them: durations, sizes, percentages, decimals (declared in settings.h). */
#include <string.h>

#include "base/settings.h"

enum { MILLION = 1000000 };

struct unit {
    const char *name;
    int64_t factor;
};

/* Digits with at most six after a point. */
struct decimal {
    int64_t whole, millionths;
};

static bool read_decimal(const char **text, struct decimal *ret)
{
    const char *p = *text;
    struct decimal number = {0};
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (number.whole > (INT64_MAX - 9) / 10)
            return false;
        number.whole = number.whole * 10 + (*p - '0');
    }
    if (*p == '.') {
        int64_t weight = MILLION / 10;
        p++;
        if (*p < '0' || *p > '9')
            return false;
        for (; *p >= '0' && *p <= '9'; p++, weight /= 10) {
            if (weight == 0)
                return false;
            number.millionths += (*p - '0') * weight;
        }
    }
    *ret = number;
    *text = p;
    return true;
}

/* number * factor; what is left of a fraction goes to `ret_rest`. False when too large. Factors are below 2^41. */
static bool scale(struct decimal number, int64_t factor, int64_t *ret, int64_t *ret_rest)
{
    int64_t whole, part = number.millionths * factor;
    if (__builtin_mul_overflow(number.whole, factor, &whole))
        return false;
    *ret_rest = part % MILLION;
    return !__builtin_add_overflow(whole, part / MILLION, ret);
}

/* "250ms", "30s", "1.5s", "0". */
bool od_parse_duration(const char *text, int64_t *ret_ms)
{
    static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    struct decimal number;
    int64_t rest;
    if (strcmp(text, "0") == 0)
        text = "0s";
    if (!read_decimal(&text, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i].name) == 0)
            return scale(number, units[i].factor, ret_ms, &rest) && rest == 0;
    return false;
}

/* A part of a byte is dropped. */
bool od_parse_bytes(const char *text, int64_t *ret_bytes)
{
    static const struct unit units[] = {{"", 1},
                                        {"B", 1},
                                        {"kB", 1000},
                                        {"KiB", 1024},
                                        {"MB", 1000000},
                                        {"MiB", 1 << 20},
                                        {"GB", 1000000000},
                                        {"GiB", 1 << 30},
                                        {"TB", INT64_C(1000000000000)},
                                        {"TiB", INT64_C(1) << 40}};
    struct decimal number;
    int64_t rest;
    if (!read_decimal(&text, &number))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(text, units[i].name) == 0)
            return scale(number, units[i].factor, ret_bytes, &rest);
    return false;
}

bool od_parse_percent(const char *text, int64_t *ret_thousandths)
{
    struct decimal number;
    int64_t rest;
    if (strcmp(text, "0") == 0)
        text = "0%";
    return read_decimal(&text, &number) && strcmp(text, "%") == 0 && scale(number, 10, ret_thousandths, &rest) &&
           rest == 0;
}

bool od_parse_decimal(const char *text, int64_t *ret_thousandths)
{
    struct decimal number;
    int64_t rest;
    return read_decimal(&text, &number) && *text == '\0' && scale(number, 1000, ret_thousandths, &rest) && rest == 0;
}
