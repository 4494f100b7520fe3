#include "base/base64.h"

#include <string.h>

#include "base/cm.h"
#include "base/random.h"

static void encodes_the_vectors_of_the_rfc(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < 7; i++) {
        char text[16];
        uint8_t data[16];
        size_t size;
        assert_int_equal(od_base64_encode(pairs[i][0], strlen(pairs[i][0]), text), strlen(pairs[i][1]));
        assert_string_equal(text, pairs[i][1]);
        assert_true(od_base64_decode(text, strlen(text), data, &size));
        assert_int_equal(size, strlen(pairs[i][0]));
        assert_memory_equal(data, pairs[i][0], size);
    }
}

static void decodes_what_it_encodes(void **state)
{
    (void)state;
    struct od_random random;
    od_random_init(&random, 2);
    for (unsigned i = 0; i < 2000; i++) {
        uint8_t data[64], back[64];
        char text[OD_BASE64_SIZE(64)];
        size_t size = od_random_below(&random, 65), back_size;
        for (size_t j = 0; j < size; j++)
            data[j] = (uint8_t)od_random_next(&random);
        size_t text_size = od_base64_encode(data, size, text);
        assert_int_equal(text_size + 1, OD_BASE64_SIZE(size));
        assert_true(od_base64_decode(text, text_size, back, &back_size));
        assert_int_equal(back_size, size);
        assert_memory_equal(back, data, size);
    }
}

static void refuses_what_is_not_canonical(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm9v=", "Zm 9", "Zm9-", "Zm9_", "=m9v", "Zg==Zg=="};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint8_t data[16];
        size_t size;
        assert_false(od_base64_decode(bad[i], strlen(bad[i]), data, &size));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_the_vectors_of_the_rfc),
        cmocka_unit_test(decodes_what_it_encodes),
        cmocka_unit_test(refuses_what_is_not_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
