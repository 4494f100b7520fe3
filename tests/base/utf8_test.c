#include "base/utf8.h"

#include <string.h>

#include "base/cm.h"

/* Every code point, surrogates and what is beyond, written without judgement. */
static size_t encode(uint32_t c, char *ret)
{
    if (c < 0x80) {
        ret[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        ret[i] = (char)(0x80 | (c & 63));
    ret[0] = (char)((size == 2 ? 0xC0 : size == 3 ? 0xE0 : 0xF0) | c);
    return size;
}

static void accepts_all_code_points_but_surrogates(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x130000; c++) {
        char text[4];
        size_t size = encode(c, text);
        bool good = c < 0xD800 || (c > 0xDFFF && c < 0x110000);
        assert_int_equal(od_utf8_valid(text, size), good);
        if (size > 1)
            assert_false(od_utf8_valid(text, size - 1));
    }
}

static void refuses_overlong_forms_and_stray_bytes(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF",    "\x80",
        "a\xBF",    "\xFF",     "\xFE",         "\xC3(",        "\xE2\x82(",        "\xF8\x88\x80\x80\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(od_utf8_valid(bad[i], strlen(bad[i])));
    assert_true(od_utf8_valid("", 0));
    assert_true(od_utf8_valid("a\0b", 3));
}

static void cuts_between_characters(void **state)
{
    (void)state;
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    static const size_t cut[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t limit = 0; limit < sizeof cut / sizeof *cut; limit++)
        assert_int_equal(od_utf8_cut(text, sizeof text - 1, limit), cut[limit]);
    /* A text that ends within a character loses what is there of it. */
    assert_int_equal(od_utf8_cut("ab\xE2\x82", 4, 100), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_all_code_points_but_surrogates),
        cmocka_unit_test(refuses_overlong_forms_and_stray_bytes),
        cmocka_unit_test(cuts_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
