/*
 * Times as text. Dates are counted in days since 1970-01-01 of the proleptic Gregorian calendar (Howard Hinnant's algorithms,
 * years beginning in March).
 */
#include "base/time_text.h"

#include <string.h>

#include "base/text.h"

enum { DAY_MS = 86400000 };

/* What is being read: a piece of text that needs no NUL. */
struct cursor {
    const char *p, *end;
};

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * march_month + 2) / 5 + 1;
    *month = march_month < 10 ? march_month + 3 : march_month - 9;
    *year = year_of_era + era * 400 + (*month <= 2);
}

static int64_t days_in(int64_t year, int64_t month)
{
    return days_of(month == 12 ? year + 1 : year, month == 12 ? 1 : month + 1, 1) - days_of(year, month, 1);
}

void od_time_format(int64_t unix_ms, char ret[OD_TIME_TEXT_SIZE])
{
    const int64_t first = days_of(0, 1, 1) * DAY_MS, last = days_of(10000, 1, 1) * DAY_MS - 1;
    int64_t ms = unix_ms < first ? first : unix_ms > last ? last : unix_ms;
    int64_t days = (ms >= 0 ? ms : ms - (DAY_MS - 1)) / DAY_MS, year, month, day;
    uint64_t rest = (uint64_t)(ms - days * DAY_MS);
    date_of(days, &year, &month, &day);
    struct od_text text;
    od_text_init(&text, ret, OD_TIME_TEXT_SIZE);
    od_text_add_padded(&text, (uint64_t)year, 4);
    od_text_add_char(&text, '-');
    od_text_add_padded(&text, (uint64_t)month, 2);
    od_text_add_char(&text, '-');
    od_text_add_padded(&text, (uint64_t)day, 2);
    od_text_add_char(&text, 'T');
    od_text_add_padded(&text, rest / 3600000, 2);
    od_text_add_char(&text, ':');
    od_text_add_padded(&text, rest / 60000 % 60, 2);
    od_text_add_char(&text, ':');
    od_text_add_padded(&text, rest / 1000 % 60, 2);
    od_text_add_char(&text, '.');
    od_text_add_padded(&text, rest % 1000, 3);
    od_text_add_char(&text, 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool digits(struct cursor *in, size_t count, int64_t *ret)
{
    if ((size_t)(in->end - in->p) < count)
        return false;
    *ret = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_digit(in->p[i]))
            return false;
        *ret = *ret * 10 + (in->p[i] - '0');
    }
    in->p += count;
    return true;
}

static bool literal(struct cursor *in, const char *text)
{
    size_t size = strlen(text);
    if ((size_t)(in->end - in->p) < size || memcmp(in->p, text, size) != 0)
        return false;
    in->p += size;
    return true;
}

/* Both cases: RFC 3339 allows "t" and "z", and a blank between date and time is common. */
static bool either(struct cursor *in, const char *set)
{
    if (in->p == in->end || *in->p == '\0' || !strchr(set, *in->p))
        return false;
    in->p++;
    return true;
}

static bool valid_date(int64_t year, int64_t month, int64_t day)
{
    return month >= 1 && month <= 12 && day >= 1 && day <= days_in(year, month);
}

static bool clock_time(struct cursor *in, int64_t *ret_ms)
{
    int64_t hour, minute, second;
    if (!digits(in, 2, &hour) || !literal(in, ":") || !digits(in, 2, &minute) || !literal(in, ":") ||
        !digits(in, 2, &second))
        return false;
    /* A leap second counts as the one after it. */
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000;
    return true;
}

/* A fraction of a second, rounded up: a retry must not be early. */
static bool fraction(struct cursor *in, int64_t *ret_ms)
{
    int64_t ms = 0, weight = 100;
    bool more = false;
    if (in->p == in->end || !is_digit(*in->p))
        return false;
    for (; in->p < in->end && is_digit(*in->p); in->p++) {
        ms += (*in->p - '0') * weight;
        more = more || (weight == 0 && *in->p != '0');
        weight /= 10;
    }
    *ret_ms = ms + more;
    return true;
}

static bool zone(struct cursor *in, int64_t *ret_ms)
{
    *ret_ms = 0;
    if (either(in, "Zz"))
        return true;
    bool west = in->p < in->end && *in->p == '-';
    int64_t hours, minutes;
    if (!either(in, "+-") || !digits(in, 2, &hours) || !literal(in, ":") || !digits(in, 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *ret_ms = (hours * 60 + minutes) * 60000 * (west ? -1 : 1);
    return true;
}

static bool rfc3339(struct cursor in, int64_t *ret_unix_ms)
{
    int64_t year, month, day, time, ms = 0, offset;
    if (!digits(&in, 4, &year) || !literal(&in, "-") || !digits(&in, 2, &month) || !literal(&in, "-") ||
        !digits(&in, 2, &day) || !valid_date(year, month, day))
        return false;
    if (!either(&in, "Tt ") || !clock_time(&in, &time))
        return false;
    if (literal(&in, ".") && !fraction(&in, &ms))
        return false;
    if (!zone(&in, &offset) || in.p != in.end)
        return false;
    *ret_unix_ms = days_of(year, month, day) * DAY_MS + time + ms - offset;
    return true;
}

static bool named(struct cursor *in, const char *const *names, size_t count, int64_t *ret)
{
    for (size_t i = 0; i < count; i++) {
        if (literal(in, names[i])) {
            *ret = (int64_t)i + 1;
            return true;
        }
    }
    return false;
}

static bool month_name(struct cursor *in, int64_t *ret)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return named(in, names, 12, ret);
}

/* The name of a day says nothing that the date does not: a wrong one is forgiven, an unknown one is not. */
static bool day_name(struct cursor *in)
{
    static const char *const names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
                                        "Sun",    "Mon",    "Tue",     "Wed",       "Thu",      "Fri",    "Sat"};
    int64_t which;
    return named(in, names, sizeof names / sizeof *names, &which);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" and "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool date_with_comma(struct cursor *in, int64_t *year, int64_t *month, int64_t *day, int64_t *time)
{
    if (!literal(in, ", ") || !digits(in, 2, day))
        return false;
    bool old = literal(in, "-");
    if (!old && !literal(in, " "))
        return false;
    if (!month_name(in, month) || !literal(in, old ? "-" : " ") || !digits(in, old ? 2 : 4, year))
        return false;
    if (old)
        *year += *year < 70 ? 2000 : 1900;
    return literal(in, " ") && clock_time(in, time) && literal(in, " GMT");
}

/* "Sun Nov  6 08:49:37 1994" */
static bool date_of_asctime(struct cursor *in, int64_t *year, int64_t *month, int64_t *day, int64_t *time)
{
    return literal(in, " ") && month_name(in, month) && literal(in, " ") && digits(in, literal(in, " ") ? 1 : 2, day) &&
           literal(in, " ") && clock_time(in, time) && literal(in, " ") && digits(in, 4, year);
}

static bool http_date(struct cursor in, int64_t *ret_unix_ms)
{
    int64_t year, month, day, time;
    if (!day_name(&in))
        return false;
    bool comma = in.p < in.end && *in.p == ',';
    if (comma ? !date_with_comma(&in, &year, &month, &day, &time) : !date_of_asctime(&in, &year, &month, &day, &time))
        return false;
    if (in.p != in.end || !valid_date(year, month, day))
        return false;
    *ret_unix_ms = days_of(year, month, day) * DAY_MS + time;
    return true;
}

static bool whole_number(struct cursor in, int64_t record_ms, int64_t *ret_unix_ms)
{
    size_t size = (size_t)(in.end - in.p);
    int64_t number;
    if (size == 0 || size > 13 || !digits(&in, size, &number))
        return false;
    if (size == 13)
        *ret_unix_ms = number;
    else if (size == 10)
        *ret_unix_ms = number * 1000;
    else if (size <= 9)
        return !__builtin_add_overflow(record_ms, number * 1000, ret_unix_ms);
    else
        return false;
    return true;
}

static struct cursor trimmed(const void *data, size_t size)
{
    static const char nothing;
    struct cursor in = {size ? data : &nothing, NULL};
    in.end = in.p + size;
    while (in.p < in.end && (*in.p == ' ' || *in.p == '\t'))
        in.p++;
    while (in.end > in.p && (in.end[-1] == ' ' || in.end[-1] == '\t'))
        in.end--;
    return in;
}

bool od_time_parse_rfc3339(const void *data, size_t size, int64_t *ret_unix_ms)
{
    return rfc3339(trimmed(data, size), ret_unix_ms);
}

bool od_time_parse(const void *data, size_t size, int64_t record_ms, int64_t *ret_unix_ms)
{
    struct cursor in = trimmed(data, size);
    return whole_number(in, record_ms, ret_unix_ms) || rfc3339(in, ret_unix_ms) || http_date(in, ret_unix_ms);
}
