#include "base/settings_table.h"

#include <string.h>

#include "base/cm.h"

static void every_row_is_whole_and_its_default_is_valid(void **state)
{
    (void)state;
    assert_int_equal(od_setting_count(), orderly_setting_count());
    for (size_t i = 0; i < od_setting_count(); i++) {
        const struct od_setting *row = od_setting_at(i);
        assert_ptr_equal(od_setting_find(row->name), row);
        assert_true(strlen(row->text) > 10);
        assert_int_equal(row->text[strlen(row->text) - 1], '.');
        assert_true(row->type != ORDERLY_SETTING_CHOICE || row->choices);
        assert_true(!row->when_met || row->when_met[strlen(row->when_met) - 1] != '.');
        struct orderly_error error = ORDERLY_ERROR_INIT;
        if (*row->default_value || row->type == ORDERLY_SETTING_LIST)
            assert_int_equal(od_setting_parse(row, row->default_value, NULL, &error), ORDERLY_OK);
        bool counted = row->type == ORDERLY_SETTING_NUMBER || row->type == ORDERLY_SETTING_DURATION ||
                       row->type == ORDERLY_SETTING_BYTES || row->type == ORDERLY_SETTING_DECIMAL ||
                       row->type == ORDERLY_SETTING_PERCENT;
        assert_int_equal(counted, row->high > row->low);
    }
    assert_null(od_setting_at(od_setting_count()));
}

static void names_of_two_rows_never_differ_in_dots_and_underscores_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < od_setting_count(); i++)
        for (size_t j = 0; j < i; j++) {
            const char *a = od_setting_at(i)->name, *b = od_setting_at(j)->name;
            while (*a && (*a == *b || (strchr("._", *a) && *b && strchr("._", *b)))) {
                a++;
                b++;
            }
            assert_true(*a || *b);
        }
}

static const char *refusal(const char *name, const char *value)
{
    static struct orderly_error error;
    error = (struct orderly_error)ORDERLY_ERROR_INIT;
    enum orderly_err err = od_setting_parse(od_setting_find(name), value, NULL, &error);
    assert_int_equal(err, error.code);
    return error.text;
}

static void refusals_say_what_is_wanted(void **state)
{
    (void)state;
    assert_string_equal(refusal("close_timeout", "10"),
                        "close_timeout: \"10\" is not a duration with its unit, such as 250ms, 30s, 10m, 24h or 7d");
    assert_string_equal(refusal("concurrency", "0"), "concurrency: 0 is not within 1 and 1000000");
    assert_string_equal(refusal("concurrency", "many"), "concurrency: \"many\" is not a whole number");
    assert_string_equal(refusal("retry.backoff.jitter", "200%"),
                        "retry.backoff.jitter: 200% is not within 0% and 100%");
    assert_string_equal(refusal("retry.backoff.factor", "0.5"), "retry.backoff.factor: 0.5 is not within 1 and 100");
    assert_string_equal(refusal("memory.records", "1KiB"), "memory.records: 1KiB is not within 1MiB and 1TiB");
    assert_string_equal(refusal("order", "keys"), "order: \"keys\" is not partition, key or none; did you mean key?");
    assert_string_equal(refusal("order", "total"), "order: \"total\" is not partition, key or none");
    assert_string_equal(refusal("insecure", "maybe"), "insecure: \"maybe\" is not true or false");
    assert_string_equal(refusal("dead_letter.headers", "orderly,springs"),
                        "dead_letter.headers: \"springs\" is not orderly, kafka or spring; did you mean spring?");
    assert_string_equal(refusal("topics", "[\"a\""),
                        "topics: \"[\"a\"\" is not a list, such as a,b,c, or a JSON array of texts");
    assert_string_equal(refusal("retry.header", "\xff"), "retry.header: the value is not valid UTF-8");
}

static int64_t value(const char *name, const char *text)
{
    int64_t number = -99;
    assert_int_equal(od_setting_parse(od_setting_find(name), text, &number, NULL), ORDERLY_OK);
    return number;
}

static void values_are_read_by_type(void **state)
{
    (void)state;
    assert_int_equal(value("commit.interval", "never"), OD_NEVER);
    assert_int_equal(value("handler.exec.timeout", "none"), OD_NEVER);
    assert_int_equal(value("commit.interval", "2s"), 2000);
    assert_int_equal(value("order", "none"), OD_ORDER_NONE);
    assert_int_equal(value("start", "latest"), OD_START_LATEST);
    assert_int_equal(value("insecure", "Yes"), 1);
    assert_int_equal(value("insecure", "off"), 0);
    assert_int_equal(value("memory.records", "64MiB"), 67108864);
    assert_int_equal(od_setting_parse(od_setting_find("close_timeout"), "never", NULL, NULL), ORDERLY_CONFIG);
}

static void suggests_the_name_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(od_setting_suggest("retry.atempts"), "retry.attempts");
    assert_string_equal(od_setting_suggest("attempts"), "retry.attempts");
    assert_string_equal(od_setting_suggest("concurency"), "concurrency");
    assert_null(od_setting_suggest("wibble"));
}

static void an_older_program_gets_the_fields_it_knows(void **state)
{
    (void)state;
    struct orderly_setting row = ORDERLY_SETTING_INIT;
    assert_int_equal(orderly_setting_at(0, &row), ORDERLY_OK);
    assert_string_equal(row.name, "topics");
    row.size = offsetof(struct orderly_setting, text);
    row.text = "untouched";
    assert_int_equal(orderly_setting_at(1, &row), ORDERLY_OK);
    assert_string_equal(row.name, "patterns");
    assert_string_equal(row.text, "untouched");
    assert_int_equal(orderly_setting_at(orderly_setting_count(), &row), ORDERLY_INVALID);
    assert_int_equal(orderly_setting_at(0, NULL), ORDERLY_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole_and_its_default_is_valid),
        cmocka_unit_test(names_of_two_rows_never_differ_in_dots_and_underscores_alone),
        cmocka_unit_test(refusals_say_what_is_wanted),
        cmocka_unit_test(values_are_read_by_type),
        cmocka_unit_test(suggests_the_name_that_was_meant),
        cmocka_unit_test(an_older_program_gets_the_fields_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
