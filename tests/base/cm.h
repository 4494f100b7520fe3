/* cmocka with what it needs before it. */
#ifndef OD_TEST_CM_H
#define OD_TEST_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
