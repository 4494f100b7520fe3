#include "base/cm.h"
#include "base/settings.h"

typedef bool parser(const char *text, int64_t *ret);

struct sample {
    const char *text;
    int64_t value;
};

static void check(parser *parse, const struct sample *good, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = -7;
        assert_true(parse(good[i].text, &value));
        assert_true(value == good[i].value);
    }
}

static void refuse(parser *parse, const char *const *bad, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        assert_false(parse(bad[i], &value));
    }
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void durations_carry_units(void **state)
{
    (void)state;
    static const struct sample good[] = {{"0", 0},          {"0s", 0},         {"250ms", 250},
                                         {"30s", 30000},    {"1.5s", 1500},    {"10m", 600000},
                                         {"24h", 86400000}, {"7d", 604800000}, {"0.001s", 1}};
    static const char *const bad[] = {"",
                                      "5",
                                      "s",
                                      "-5s",
                                      "+5s",
                                      "5 s",
                                      " 5s",
                                      "5s ",
                                      "5sec",
                                      "5M",
                                      "0.0001s",
                                      "1.s",
                                      ".5s",
                                      "1s1m",
                                      "1s1s",
                                      "99999999999999d",
                                      "9223372036854775808ms",
                                      "9223372036854775807m",
                                      "1e3s",
                                      "0x5s"};
    check(od_parse_duration, good, COUNT(good));
    refuse(od_parse_duration, bad, COUNT(bad));
}

static void sizes_know_both_kinds_of_units(void **state)
{
    (void)state;
    static const struct sample good[] = {{"0", 0},
                                         {"512", 512},
                                         {"512B", 512},
                                         {"64KiB", 65536},
                                         {"64MiB", 67108864},
                                         {"1GiB", 1073741824},
                                         {"10kB", 10000},
                                         {"2MB", 2000000},
                                         {"1.5KiB", 1536},
                                         {"0.1MiB", 104857},
                                         {"1TiB", INT64_C(1) << 40}};
    static const char *const bad[] = {"",
                                      "KiB",
                                      "-1",
                                      "1 KiB",
                                      "1Kib",
                                      "1k",
                                      "1M",
                                      "1.5.5KiB",
                                      "9223372036854775807KiB",
                                      "99999999999999999999",
                                      "1.1234567KiB"};
    check(od_parse_bytes, good, COUNT(good));
    refuse(od_parse_bytes, bad, COUNT(bad));
}

static void fractions_are_thousandths(void **state)
{
    (void)state;
    static const struct sample percents[] = {{"10%", 100}, {"0%", 0}, {"0", 0}, {"100%", 1000}, {"0.5%", 5}};
    static const char *const bad_percents[] = {"", "10", "%", "-1%", "10 %", "0.01%", "10%%"};
    static const struct sample decimals[] = {{"2", 2000}, {"1.5", 1500}, {"0.001", 1}};
    static const char *const bad_decimals[] = {"", "2x", "-2", "0.0001", "1.", "two"};
    check(od_parse_percent, percents, COUNT(percents));
    refuse(od_parse_percent, bad_percents, COUNT(bad_percents));
    check(od_parse_decimal, decimals, COUNT(decimals));
    refuse(od_parse_decimal, bad_decimals, COUNT(bad_decimals));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_carry_units),
        cmocka_unit_test(sizes_know_both_kinds_of_units),
        cmocka_unit_test(fractions_are_thousandths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
