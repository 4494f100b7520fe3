#include "base/assert.h"

#include <string.h>

#include "base/cm.h"
#include "base/heap.h"
#include "base/text.h"
#include "base/vec.h"

static jmp_buf caught;
static const char *said;

/* In place of the library's own, which is weak. */
_Noreturn void od_panic(const char *file, int line, const char *expression)
{
    (void)file;
    (void)line;
    said = expression;
    longjmp(caught, 1);
}

static void a_broken_invariant_never_passes(void **state)
{
    (void)state;
    said = NULL;
    if (setjmp(caught) == 0) {
        od_assert(1 + 1 == 2);
        assert_null(said);
        od_assert(1 + 1 == 3);
        fail();
    }
    assert_string_equal(said, "1 + 1 == 3");
}

static void containers_refuse_what_they_do_not_hold(void **state)
{
    (void)state;
    struct od_heap heap = {0};
    OD_VEC(int) vec = {0};
    char nothing[1];
    struct od_text text;
    said = NULL;
    if (setjmp(caught) == 0)
        (void)od_heap_remove(&heap, 0);
    assert_string_equal(said, "index < heap->count");
    said = NULL;
    if (setjmp(caught) == 0)
        (void)od_vec_pop(&vec);
    assert_non_null(said);
    said = NULL;
    if (setjmp(caught) == 0)
        od_text_init(&text, nothing, 0);
    assert_string_equal(said, "size > 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_invariant_never_passes),
        cmocka_unit_test(containers_refuse_what_they_do_not_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
