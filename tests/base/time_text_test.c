#include "base/time_text.h"

#include <string.h>
#include <time.h>

#include "base/cm.h"
#include "base/random.h"

#define RECORD_MS INT64_C(1700000000123)

static bool parse(const char *text, int64_t *ret)
{
    return od_time_parse(text, strlen(text), RECORD_MS, ret);
}

static void formats_utc_with_milliseconds(void **state)
{
    (void)state;
    char text[OD_TIME_TEXT_SIZE];
    od_time_format(0, text);
    assert_string_equal(text, "1970-01-01T00:00:00.000Z");
    od_time_format(-1, text);
    assert_string_equal(text, "1969-12-31T23:59:59.999Z");
    od_time_format(INT64_C(951782400001), text);
    assert_string_equal(text, "2000-02-29T00:00:00.001Z");
    od_time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    od_time_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
}

/* Against the C library's calendar. */
static void reads_back_what_it_formats(void **state)
{
    (void)state;
    struct od_random random;
    od_random_init(&random, 5);
    for (unsigned i = 0; i < 20000; i++) {
        int64_t ms = od_random_between(&random, INT64_C(-62167219200000), INT64_C(253402300799999));
        char text[OD_TIME_TEXT_SIZE], expected[OD_TIME_TEXT_SIZE];
        int64_t back;
        od_time_format(ms, text);
        assert_true(parse(text, &back));
        assert_true(back == ms);
        time_t seconds = (time_t)((ms - (((ms % 1000) + 1000) % 1000)) / 1000);
        struct tm parts;
        assert_non_null(gmtime_r(&seconds, &parts));
        if (parts.tm_year + 1900 < 1000)
            continue;
        (void)strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &parts);
        assert_memory_equal(text, expected, 19);
    }
}

static void reads_every_form_of_retry_after(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1994-11-06T08:49:37Z", INT64_C(784111777000)},
        {"1994-11-06t08:49:37z", INT64_C(784111777000)},
        {"1994-11-06 08:49:37.5Z", INT64_C(784111777500)},
        {"1994-11-06T10:49:37.25+02:00", INT64_C(784111777250)},
        {"1994-11-06T03:19:37-05:30", INT64_C(784111777000)},
        /* Rounded up: nothing is early. */
        {"1994-11-06T08:49:37.0000001Z", INT64_C(784111777001)},
        {"1994-11-06T08:49:37.123000Z", INT64_C(784111777123)},
        {"1994-11-06T08:49:60Z", INT64_C(784111800000)},
        {"1700000000999", INT64_C(1700000000999)},
        {"1700000000", INT64_C(1700000000000)},
        {"0", RECORD_MS},
        {"90", RECORD_MS + 90000},
        {"999999999", RECORD_MS + INT64_C(999999999000)},
        {" \t90 ", RECORD_MS + 90000},
        {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000)},
        {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777000)},
        {"Sun Nov  6 08:49:37 1994", INT64_C(784111777000)},
        {"Wed Nov 16 08:49:37 1994", INT64_C(784975777000)},
        {"Tue, 29 Feb 2028 00:00:00 GMT", INT64_C(1835395200000)},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t ms = 0;
        assert_true(parse(good[i].text, &ms));
        assert_true(ms == good[i].ms);
    }
}

static void garbage_is_garbage(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "soon",
                                      "-5",
                                      "+5",
                                      "1.5",
                                      "12345678901",
                                      "123456789012",
                                      "12345678901234",
                                      "1994-11-06",
                                      "1994-11-06T08:49Z",
                                      "1994-11-06T08:49:37",
                                      "1994-13-06T08:49:37Z",
                                      "1994-02-29T08:49:37Z",
                                      "1994-00-06T08:49:37Z",
                                      "1994-11-31T08:49:37Z",
                                      "1994-11-06T24:00:00Z",
                                      "1994-11-06T08:60:00Z",
                                      "1994-11-06T08:49:61Z",
                                      "1994-11-06T08:49:37.Z",
                                      "1994-11-06T08:49:37+0200",
                                      "1994-11-06T08:49:37+24:00",
                                      "1994-11-06T08:49:37Zx",
                                      "Sun, 06 Nov 1994 08:49:37 CET",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Xyz, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Now 1994 08:49:37 GMT",
                                      "Sun Nov 32 08:49:37 1994",
                                      "90s",
                                      "9 0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t ms = 77;
        assert_false(parse(bad[i], &ms));
        assert_int_equal(ms, 77);
    }
    int64_t ms;
    assert_false(od_time_parse("90\0", 3, 0, &ms));
    assert_false(od_time_parse(NULL, 0, 0, &ms));
    assert_false(od_time_parse("999999999", 9, INT64_MAX, &ms));
}

/* Any bytes, and the good forms with a byte changed, cut anywhere: only the sanitizers judge. */
static void survives_any_bytes(void **state)
{
    (void)state;
    static const char *const seeds[] = {"1994-11-06T10:49:37.25+02:00", "Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "1700000000999"};
    struct od_random random;
    od_random_init(&random, 9);
    unsigned accepted = 0;
    for (unsigned i = 0; i < 100000; i++) {
        const char *seed = seeds[od_random_below(&random, 5)];
        char data[40];
        int64_t ms;
        size_t size = od_random_below(&random, strlen(seed) + 1);
        memcpy(data, seed, size);
        if (size)
            data[od_random_below(&random, size)] = (char)od_random_below(&random, 256);
        accepted += od_time_parse(data, size, 0, &ms);
    }
    assert_in_range(accepted, 1, 50000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_utc_with_milliseconds),
        cmocka_unit_test(reads_back_what_it_formats),
        cmocka_unit_test(reads_every_form_of_retry_after),
        cmocka_unit_test(garbage_is_garbage),
        cmocka_unit_test(survives_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
