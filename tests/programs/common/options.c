/* Options of the test programs. */
#include "common/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct test_option *find(const struct test_option *rows, const char *word)
{
    for (const struct test_option *row = rows; row->name != NULL; row++) {
        if (strncmp(word, "--", 2) == 0 && strcmp(word + 2, row->name) == 0) {
            return row;
        }
    }
    fprintf(stderr, "unknown option %s; there are:", word);
    for (const struct test_option *row = rows; row->name != NULL; row++) {
        fprintf(stderr, " --%s", row->name);
    }
    fputc('\n', stderr);
    exit(2);
}

void test_options(int argc, char **argv, const struct test_option *rows)
{
    for (int i = 1; i < argc; i += 2) {
        const struct test_option *row = find(rows, argv[i]);
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        char *end = NULL;

        if (value == NULL) {
            fprintf(stderr, "%s needs a value\n", argv[i]);
            exit(2);
        }
        if (row->text != NULL) {
            *row->text = value;
        }
        if (row->number != NULL) {
            *row->number = strtoll(value, &end, 10);
            if (*end != '\0') {
                fprintf(stderr, "%s: %s is no number\n", argv[i], value);
                exit(2);
            }
        }
        if (row->each != NULL) {
            row->each(value, row->userdata);
        }
    }
}
