/* Error texts, and the library's version. */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "base/utf8.h"

/* The size of the first release's struct: shorter ones are not ours to write. */
enum { SMALLEST = offsetof(struct orderly_error, text) + 16 };

static void set(struct orderly_error *error, enum orderly_err code, int kafka_code, const char *format,
                va_list arguments) __attribute__((format(printf, 4, 0)));

static void set(struct orderly_error *error, enum orderly_err code, int kafka_code, const char *format,
                va_list arguments)
{
    if (!error || error->size < SMALLEST)
        return;
    size_t room = error->size - offsetof(struct orderly_error, text);
    if (room > sizeof error->text)
        room = sizeof error->text;
    error->code = code;
    error->kafka_code = kafka_code;
    int length = vsnprintf(error->text, room, format, arguments);
    if (length < 0)
        error->text[0] = '\0';
    else if ((size_t)length >= room)
        error->text[od_utf8_cut(error->text, room - 1, room - 1)] = '\0';
}

enum orderly_err od_fail(struct orderly_error *error, enum orderly_err code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, code, 0, format, arguments);
    va_end(arguments);
    return code;
}

enum orderly_err od_fail_kafka(struct orderly_error *error, enum orderly_err code, int kafka_code, const char *format,
                               ...)
{
    va_list arguments;
    va_start(arguments, format);
    set(error, code, kafka_code, format, arguments);
    va_end(arguments);
    return code;
}

void od_error_clear(struct orderly_error *error)
{
    if (!error || error->size < SMALLEST)
        return;
    error->code = ORDERLY_OK;
    error->kafka_code = 0;
    error->text[0] = '\0';
}

const char *orderly_strerror(enum orderly_err code)
{
    switch (code) {
#define ERROR_TEXT(name, value, text) \
    case ORDERLY_##name:              \
        return text;
        ORDERLY_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
    }
    return "unknown error";
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

const char *orderly_version(void)
{
    return TEXT(ORDERLY_VERSION_MAJOR) "." TEXT(ORDERLY_VERSION_MINOR) "." TEXT(ORDERLY_VERSION_PATCH);
}
