/* Allocations that fail on demand. In sanitizer builds, which bring their own malloc, none fail. */
#ifndef OD_TEST_OOM_H
#define OD_TEST_OOM_H

#include <stdbool.h>

/* The n-th allocation from now (from 1) fails, the others do not. */
void oom_arm(unsigned n);
/* Ends that; true: one has failed. */
bool oom_disarm(void);
bool oom_possible(void);

#endif
