/* Assertions, kept in release: a broken invariant ends the process before it can commit a wrong offset. */
#ifndef OD_BASE_ASSERT_H
#define OD_BASE_ASSERT_H

/* Says where on stderr and aborts. A weak symbol in base/assert.c, so that a test or the simulator may bring its own. */
_Noreturn void od_panic(const char *file, int line, const char *expression);

#define od_assert(expression) ((expression) ? (void)0 : od_panic(__FILE__, __LINE__, #expression))
/* A place that cannot be reached. */
#define od_unreachable() od_panic(__FILE__, __LINE__, "unreachable")

#endif
