/* Each transcripts/NAME.txt is a claim of what the core does; see script.h. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "script.h"

enum { FILES = 200, LEAST = 20 };

static char folder[2048];
static char names[FILES][256];
static struct CMUnitTest tests[FILES];

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        return NULL;
    }
    size_t room = 1 << 20;
    char *text = malloc(room);
    size_t size = fread(text, 1, room - 1, file);
    text[size] = 0;
    fclose(file);
    return text;
}

/* The first line that differs, with the two before it. */
static void explain(const char *name, const char *expected, const char *actual)
{
    int line = 1;
    const char *start = expected;
    size_t at = 0;
    for (; expected[at] && expected[at] == actual[at]; at++) {
        if (expected[at] == '\n') {
            line++;
            start = expected + at + 1;
        }
    }
    size_t from = (size_t)(start - expected);
    print_error("%s:%d\nexpected:\n%.*s\nactual:\n%.*s\n", name, line, 600, expected + from, 600, actual + from);
}

static void transcript(void **state)
{
    const char *name = *state;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    char *expected = read_all(path);
    assert_non_null(expected);
    char *actual = script_run(name, expected);
    const char *mode = getenv("ORDERLY_TRANSCRIPTS");
    if (mode && !strcmp(mode, "update")) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(actual, file);
        fclose(file);
    } else if (strcmp(expected, actual) != 0) {
        explain(name, expected, actual);
        fail_msg("%s differs", name);
    }
    free(expected);
    free(actual);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

int main(void)
{
    const char *source = getenv("ORDERLY_SOURCE_DIR");
    snprintf(folder, sizeof folder, "%s/tests/core/transcripts", source ? source : ".");
    DIR *dir = opendir(folder);
    size_t count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir)) && count < FILES;) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && !strcmp(entry->d_name + length - 4, ".txt")) {
            snprintf(names[count++], sizeof names[0], "%s", entry->d_name);
        }
    }
    if (dir) {
        closedir(dir);
    }
    if (count < LEAST) {
        fprintf(stderr, "%s: only %zu transcripts\n", folder, count);
        return 1;
    }
    qsort(names, count, sizeof names[0], by_name);
    for (size_t i = 0; i < count; i++) {
        tests[i] = (struct CMUnitTest){names[i], transcript, NULL, NULL, names[i]};
    }
    return _cmocka_run_group_tests("transcripts", tests, count, NULL, NULL);
}
