/* The end of a process that found its own invariant broken. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

#pragma weak od_panic

_Noreturn void od_panic(const char *file, int line, const char *expression)
{
    fprintf(stderr, "orderly: %s:%d: assertion failed: %s\n", file, line, expression);
    abort();
}
