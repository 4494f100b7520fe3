/* The quarantine of freed blocks. */
#include "base/quarantine.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/cm.h"

static void a_freed_block_is_full_of_marks_in_a_debug_build(void **state)
{
    (void)state;
    uint64_t *block = od_block_new(800);
    assert_non_null(block);
    memset(block, 7, 800);
    od_block_free(block, 800);
#if OD_QUARANTINE
    assert_true(block[0] == OD_QUARANTINE_MARK);
    assert_true(block[99] == OD_QUARANTINE_MARK);
#endif
}

static size_t in_use(void)
{
    return mallinfo2().uordblks;
}

/* `size` times `count` is far above what may be kept. */
static void take_many(size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *block = malloc(size);
        assert_non_null(block);
        od_quarantine_take(block, size);
    }
}

static void what_it_keeps_is_bounded_in_number_and_in_bytes(void **state)
{
    (void)state;
    size_t before = in_use();
    take_many(64, 100000);
    assert_true(in_use() < before + OD_QUARANTINE_BLOCKS * 128);
    take_many(100000, 1000);
    assert_true(in_use() < before + 2 * (size_t)OD_QUARANTINE_BYTES);
    take_many((size_t)OD_QUARANTINE_BYTES + 1, 3); /* too large to keep at all */
    assert_true(in_use() < before + 2 * (size_t)OD_QUARANTINE_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_freed_block_is_full_of_marks_in_a_debug_build),
        cmocka_unit_test(what_it_keeps_is_bounded_in_number_and_in_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
