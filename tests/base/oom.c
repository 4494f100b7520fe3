/* malloc and its kin, in front of glibc's own. */
#include "base/oom.h"

#include <stddef.h>

static unsigned countdown;
static bool fired;

void oom_arm(unsigned n)
{
    countdown = n;
    fired = false;
}

bool oom_disarm(void)
{
    countdown = 0;
    return fired;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
bool oom_possible(void)
{
    return false;
}
#else
bool oom_possible(void)
{
    return true;
}

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    fired = true;
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *old, size_t size);

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}
#endif
