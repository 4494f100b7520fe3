/* Blocks: what is kept, and by whom. */
#include "base/block.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = {1, 63, 64, 65, 700, 2048, 2049, 100000};

static void blocks_of_every_size_can_be_written_to_their_end(void **state)
{
    (void)state;
    for (int keep = 0; keep < 2; keep++) {
        od_block_keep(keep != 0);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
                char *block = od_block_new(sizes[i]);
                assert_non_null(block);
                memset(block, 'x', sizes[i]);
                od_block_free(block, sizes[i]);
            }
        }
    }
    od_block_free(NULL, 10);
    od_block_keep(false);
}

static void two_blocks_in_use_are_never_the_same(void **state)
{
    (void)state;
    char *blocks[100];
    od_block_keep(true);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 100; i++) {
            blocks[i] = od_block_new(500);
            memset(blocks[i], (int)i, 500);
        }
        for (size_t i = 0; i < 100; i++) {
            assert_int_equal((unsigned char)blocks[i][499], i);
            od_block_free(blocks[i], 500);
        }
    }
    od_block_keep(false);
}

static void *free_elsewhere(void *block)
{
    od_block_free(block, 500);
    return NULL;
}

static void a_block_may_be_freed_on_another_thread(void **state)
{
    (void)state;
    pthread_t thread;
    od_block_keep(true);
    assert_int_equal(pthread_create(&thread, NULL, free_elsewhere, od_block_new(500)), 0);
    pthread_join(thread, NULL);
    od_block_keep(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_of_every_size_can_be_written_to_their_end),
        cmocka_unit_test(two_blocks_in_use_are_never_the_same),
        cmocka_unit_test(a_block_may_be_freed_on_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
