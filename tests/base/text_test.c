#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#include "base/cm.h"

static void is_cut_and_says_so_instead_of_overflowing(void **state)
{
    (void)state;
    char data[8];
    struct od_text text;
    od_text_init(&text, data, sizeof data);
    assert_string_equal(data, "");
    od_text_add(&text, "12345");
    assert_false(text.cut);
    od_text_add(&text, "6789");
    assert_true(text.cut);
    assert_string_equal(data, "1234567");
    od_text_add_char(&text, 'x');
    assert_string_equal(data, "1234567");
}

static const char *number(int64_t x)
{
    static char data[32];
    struct od_text text;
    od_text_init(&text, data, sizeof data);
    od_text_add_i64(&text, x);
    return data;
}

static void writes_numbers_to_their_ends(void **state)
{
    (void)state;
    assert_string_equal(number(0), "0");
    assert_string_equal(number(-1), "-1");
    assert_string_equal(number(INT64_MAX), "9223372036854775807");
    assert_string_equal(number(INT64_MIN), "-9223372036854775808");
    char data[64];
    struct od_text text;
    od_text_init(&text, data, sizeof data);
    od_text_add_u64(&text, UINT64_MAX);
    od_text_add_char(&text, ' ');
    od_text_add_hex(&text, 0xab, 4);
    od_text_add_char(&text, ' ');
    od_text_add_padded(&text, 7, 3);
    assert_string_equal(data, "18446744073709551615 00ab 007");
}

static void reads_what_it_writes_and_nothing_else(void **state)
{
    (void)state;
    const int64_t good[] = {0, 1, -1, 10, INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1};
    const char *const bad[] = {"",
                               "-",
                               "+1",
                               " 1",
                               "1 ",
                               "1x",
                               "0x1",
                               "9223372036854775808",
                               "-9223372036854775809",
                               "99999999999999999999999"};
    int64_t x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(od_text_to_i64(number(good[i]), INT64_MIN, INT64_MAX, &x));
        assert_true(x == good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(od_text_to_i64(bad[i], INT64_MIN, INT64_MAX, &x));
    assert_false(od_text_to_i64("5", 6, 10, &x));
    assert_false(od_text_to_i64("11", 6, 10, &x));
}

static void writes_durations_and_sizes_as_people_do(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } durations[] = {{0, "0s"},         {250, "250ms"},     {30000, "30s"},    {90000, "1m30s"},   {292000, "4m52s"},
                     {86400000, "24h"}, {172800000, "48h"}, {604800000, "7d"}, {-1500, "-1s500ms"}},
      sizes[] = {{0, "0B"},        {512, "512B"},         {1024, "1KiB"},
                 {1536, "1.5KiB"}, {268435456, "256MiB"}, {INT64_C(1) << 40, "1TiB"}};
    char data[64];
    struct od_text text;
    for (size_t i = 0; i < sizeof durations / sizeof *durations; i++) {
        od_text_init(&text, data, sizeof data);
        od_text_add_duration(&text, durations[i].ms);
        assert_string_equal(data, durations[i].text);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        od_text_init(&text, data, sizeof data);
        od_text_add_size(&text, (uint64_t)sizes[i].ms);
        assert_string_equal(data, sizes[i].text);
    }
}

static void compares_beginnings_ends_and_cases(void **state)
{
    (void)state;
    assert_true(od_text_starts("kafka.x", "kafka."));
    assert_false(od_text_starts("kaf", "kafka."));
    assert_true(od_text_ends("a.retry", ".retry"));
    assert_false(od_text_ends("try", ".retry"));
    assert_true(od_text_equal_nocase("SASL_ssl", "sasl_SSL"));
    assert_false(od_text_equal_nocase("a", "ab"));
    assert_false(od_text_equal_nocase("[", "{"));
    char *copy = od_text_copy("abc");
    assert_string_equal(copy, "abc");
    free(copy);
    copy = od_text_copy_bytes("a\0b", 3);
    assert_memory_equal(copy, "a\0b", 4);
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_cut_and_says_so_instead_of_overflowing),
        cmocka_unit_test(writes_numbers_to_their_ends),
        cmocka_unit_test(reads_what_it_writes_and_nothing_else),
        cmocka_unit_test(writes_durations_and_sizes_as_people_do),
        cmocka_unit_test(compares_beginnings_ends_and_cases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
