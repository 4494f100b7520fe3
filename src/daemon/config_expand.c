/* ${...} in the scalars of a configuration file. */
#include "daemon/config_expand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REASON = 256, LARGEST_FILE = 65536 };

/* What has been written so far, through a memory stream. */
struct expansion {
    const char *p, *end;
    char *const *environment;
    FILE *out;
    char *reason;
};

enum orderly_err od_config_read(const char *path, size_t limit, char **ret, size_t *ret_size, char reason[REASON])
{
    enum orderly_err err = ORDERLY_CONFIG;
    char *data = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        (void)snprintf(reason, REASON, "%s", strerror(errno));
        return err;
    }
    data = malloc(limit + 2);
    if (!data) {
        err = ORDERLY_NOMEM;
        goto done;
    }
    size = fread(data, 1, limit + 1, file);
    if (ferror(file)) {
        (void)snprintf(reason, REASON, "%s", strerror(errno));
    } else if (size > limit) {
        (void)snprintf(reason, REASON, "larger than %zu bytes", limit);
    } else if (memchr(data, '\0', size)) {
        (void)snprintf(reason, REASON, "it holds a NUL byte");
    } else {
        data[size] = '\0';
        *ret = data;
        *ret_size = size;
        err = ORDERLY_OK;
    }
done:
    if (err)
        free(data);
    (void)fclose(file);
    return err;
}

static const char *variable(char *const environment[], const char *name, size_t size)
{
    for (size_t i = 0; environment && environment[i]; i++)
        if (strncmp(environment[i], name, size) == 0 && environment[i][size] == '=')
            return environment[i] + size + 1;
    return NULL;
}

/* NAME or NAME:-default */
static enum orderly_err expand_env(struct expansion *in, const char *body, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    size_t name = 0;
    while (name < size && strchr(letters, body[name]))
        name++;
    bool has_default = size >= name + 2 && body[name] == ':' && body[name + 1] == '-';
    if (name == 0 || (name < size && !has_default)) {
        (void)snprintf(in->reason, REASON, "${env:%.*s}: that is no name of a variable", (int)size, body);
        return ORDERLY_CONFIG;
    }
    const char *value = variable(in->environment, body, name);
    if (has_default && (!value || *value == '\0')) {
        (void)fwrite(body + name + 2, 1, size - name - 2, in->out);
        return ORDERLY_OK;
    }
    if (!value) {
        (void)snprintf(in->reason, REASON, "the environment variable %.*s is not set (a default: ${env:%.*s:-value})",
                       (int)name, body, (int)name, body);
        return ORDERLY_CONFIG;
    }
    (void)fputs(value, in->out);
    return ORDERLY_OK;
}

/* One end of line at the end of the file does not belong to the value. */
static enum orderly_err expand_file(struct expansion *in, const char *body, size_t size)
{
    char *data = NULL, *path = strndup(body, size), reason[REASON] = "";
    size_t length = 0;
    enum orderly_err err = ORDERLY_NOMEM;
    if (!path)
        return err;
    if (*path != '/') {
        (void)snprintf(reason, sizeof reason, "the path must begin with /");
        err = ORDERLY_CONFIG;
    } else {
        err = od_config_read(path, LARGEST_FILE, &data, &length, reason);
    }
    if (!err) {
        if (length && data[length - 1] == '\n')
            length--;
        if (length && data[length - 1] == '\r')
            length--;
        (void)fwrite(data, 1, length, in->out);
        free(data);
    } else if (err == ORDERLY_CONFIG) {
        (void)snprintf(in->reason, REASON, "${file:%.100s}: %.120s", path, reason);
    }
    free(path);
    return err;
}

static enum orderly_err expand_reference(struct expansion *in)
{
    const char *body = in->p + 2;
    const char *close = memchr(body, '}', (size_t)(in->end - body));
    if (!close) {
        (void)snprintf(in->reason, REASON, "a ${ without its } (write $${ for the two characters)");
        return ORDERLY_CONFIG;
    }
    size_t size = (size_t)(close - body);
    in->p = close + 1;
    if (size >= 4 && memcmp(body, "env:", 4) == 0)
        return expand_env(in, body + 4, size - 4);
    if (size >= 5 && memcmp(body, "file:", 5) == 0)
        return expand_file(in, body + 5, size - 5);
    (void)snprintf(in->reason, REASON,
                   "${%.*s} is neither ${env:NAME} nor ${file:/path} (write $${ for the two characters)",
                   size > 60 ? 60 : (int)size, body);
    return ORDERLY_CONFIG;
}

static enum orderly_err expand_all(struct expansion *in)
{
    enum orderly_err err = ORDERLY_OK;
    while (!err && in->p < in->end) {
        size_t left = (size_t)(in->end - in->p);
        if (left >= 3 && memcmp(in->p, "$${", 3) == 0) {
            (void)fputs("${", in->out);
            in->p += 3;
        } else if (left >= 2 && memcmp(in->p, "${", 2) == 0) {
            err = expand_reference(in);
        } else {
            (void)fputc(*in->p++, in->out);
        }
    }
    return err;
}

enum orderly_err od_config_expand(const char *text, size_t size, char *const environment[], char **ret,
                                  char reason[REASON])
{
    char *result = NULL;
    size_t result_size = 0;
    struct expansion in = {.p = text, .end = text + size, .environment = environment, .reason = reason};
    in.out = open_memstream(&result, &result_size);
    if (!in.out)
        return ORDERLY_NOMEM;
    enum orderly_err err = expand_all(&in);
    bool bad = ferror(in.out) != 0;
    if (fclose(in.out) || bad)
        err = err ? err : ORDERLY_NOMEM;
    if (err) {
        free(result);
        return err;
    }
    *ret = result;
    return ORDERLY_OK;
}
