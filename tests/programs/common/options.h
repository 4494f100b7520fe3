/* --name value options of the test programs: small, strict, exit 2 with a sentence. */
#ifndef TEST_COMMON_OPTIONS_H
#define TEST_COMMON_OPTIONS_H

#include <stdint.h>

struct test_option {
    const char *name;                                /* without -- */
    const char **text;                               /* where a text goes, or NULL */
    int64_t *number;                                 /* where a number goes, or NULL */
    void (*each)(const char *value, void *userdata); /* repeated ones, or NULL */
    void *userdata;
};

/* Reads argv up to the end; the list ends with a row without a name. */
void test_options(int argc, char **argv, const struct test_option *rows);

#endif
