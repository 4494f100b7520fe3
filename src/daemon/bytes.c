/* Growing text and its spellings: see bytes.h. */
#include "daemon/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char REPLACEMENT[] = "\xEF\xBF\xBD"; /* U+FFFD */

void od_bytes_fini(struct od_bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct od_bytes){0};
}

void od_bytes_clear(struct od_bytes *bytes)
{
    bytes->size = 0;
    bytes->failed = false;
}

/* Room for `more` bytes and a NUL. */
static bool reserve(struct od_bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity > 0 ? bytes->capacity : 128;
    char *data;

    if (bytes->failed || more > SIZE_MAX / 4 || bytes->size > SIZE_MAX / 4) {
        bytes->failed = true;
        return false;
    }
    if (bytes->size + more + 1 <= bytes->capacity) {
        return true;
    }
    while (capacity < bytes->size + more + 1) {
        capacity *= 2;
    }
    data = realloc(bytes->data, capacity);
    if (data == NULL) {
        bytes->failed = true;
        return false;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

void od_bytes_add(struct od_bytes *bytes, const void *data, size_t size)
{
    if (size > 0 && reserve(bytes, size)) {
        memcpy(bytes->data + bytes->size, data, size);
        bytes->size += size;
    }
}

void od_bytes_byte(struct od_bytes *bytes, char byte)
{
    od_bytes_add(bytes, &byte, 1);
}

void od_bytes_text(struct od_bytes *bytes, const char *text)
{
    od_bytes_add(bytes, text, strlen(text));
}

void od_bytes_format(struct od_bytes *bytes, const char *format, ...)
{
    va_list list;
    int size;

    va_start(list, format);
    size = vsnprintf(NULL, 0, format, list);
    va_end(list);
    if (size < 0 || !reserve(bytes, (size_t)size)) {
        bytes->failed = true;
        return;
    }
    va_start(list, format);
    vsnprintf(bytes->data + bytes->size, (size_t)size + 1, format, list);
    va_end(list);
    bytes->size += (size_t)size;
}

void od_bytes_base64(struct od_bytes *bytes, const void *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;

    for (size_t i = 0; i < size; i += 3) {
        size_t have = size - i < 3 ? size - i : 3;
        uint32_t group = (uint32_t)in[i] << 16;
        char out[4];

        group |= have > 1 ? (uint32_t)in[i + 1] << 8 : 0;
        group |= have > 2 ? (uint32_t)in[i + 2] : 0;
        out[0] = digits[group >> 18 & 63];
        out[1] = digits[group >> 12 & 63];
        out[2] = '=';
        out[3] = '=';
        if (have > 1) {
            out[2] = digits[group >> 6 & 63];
        }
        if (have > 2) {
            out[3] = digits[group & 63];
        }
        od_bytes_add(bytes, out, 4);
    }
}

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void od_bytes_percent(struct od_bytes *bytes, const void *data, size_t size)
{
    const unsigned char *in = data;

    for (size_t i = 0; i < size; i++) {
        if (is_unreserved(in[i])) {
            od_bytes_byte(bytes, (char)in[i]);
        } else {
            od_bytes_format(bytes, "%%%02X", in[i]);
        }
    }
}

size_t od_bytes_sequence(const void *data, size_t size)
{
    const unsigned char *in = data;
    size_t length;
    uint32_t code, least;

    if (size == 0) {
        return 0;
    }
    if (in[0] < 0x80) {
        return 1;
    }
    if (in[0] >= 0xC2 && in[0] <= 0xDF) {
        length = 2, code = in[0] & 0x1Fu, least = 0x80;
    } else if (in[0] >= 0xE0 && in[0] <= 0xEF) {
        length = 3, code = in[0] & 0x0Fu, least = 0x800;
    } else if (in[0] >= 0xF0 && in[0] <= 0xF4) {
        length = 4, code = in[0] & 0x07u, least = 0x10000;
    } else {
        return 0;
    }
    if (size < length) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((in[i] & 0xC0) != 0x80) {
            return 0;
        }
        code = code << 6 | (in[i] & 0x3Fu);
    }
    return code < least || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF) ? 0 : length;
}

bool od_bytes_is_utf8(const void *data, size_t size)
{
    const char *in = data;

    for (size_t i = 0; i < size;) {
        size_t length = od_bytes_sequence(in + i, size - i);

        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

bool od_bytes_is_text(struct orderly_bytes bytes)
{
    return od_bytes_is_utf8(bytes.data, bytes.size) && (bytes.size == 0 || memchr(bytes.data, 0, bytes.size) == NULL);
}

static void add_json_byte(struct od_bytes *bytes, char byte)
{
    switch (byte) {
    case '"':
        od_bytes_text(bytes, "\\\"");
        return;
    case '\\':
        od_bytes_text(bytes, "\\\\");
        return;
    case '\n':
        od_bytes_text(bytes, "\\n");
        return;
    case '\r':
        od_bytes_text(bytes, "\\r");
        return;
    case '\t':
        od_bytes_text(bytes, "\\t");
        return;
    default:
        break;
    }
    if ((unsigned char)byte < 0x20 || byte == 0x7F) {
        od_bytes_format(bytes, "\\u%04x", (unsigned)byte);
    } else {
        od_bytes_byte(bytes, byte);
    }
}

void od_bytes_json(struct od_bytes *bytes, const void *data, size_t size)
{
    const char *in = data;

    od_bytes_byte(bytes, '"');
    for (size_t i = 0; i < size;) {
        size_t length = od_bytes_sequence(in + i, size - i);

        if (length == 0) {
            od_bytes_text(bytes, REPLACEMENT);
            i++;
        } else if (length == 1) {
            add_json_byte(bytes, in[i++]);
        } else {
            od_bytes_add(bytes, in + i, length);
            i += length;
        }
    }
    od_bytes_byte(bytes, '"');
}

void od_bytes_json_text(struct od_bytes *bytes, const char *text)
{
    od_bytes_json(bytes, text, strlen(text));
}

void od_bytes_clean(struct od_bytes *bytes, const void *data, size_t size)
{
    const char *in = data;

    for (size_t i = 0; i < size;) {
        size_t length = od_bytes_sequence(in + i, size - i);

        if (length == 0 || in[i] == '\0') {
            od_bytes_text(bytes, REPLACEMENT);
            i++;
        } else {
            od_bytes_add(bytes, in + i, length);
            i += length;
        }
    }
}

void od_bytes_time(struct od_bytes *bytes, int64_t unix_ms)
{
    int64_t seconds = unix_ms / 1000, rest = unix_ms % 1000;
    time_t when;
    struct tm parts;

    if (rest < 0) {
        seconds--;
        rest += 1000;
    }
    when = (time_t)seconds;
    if (gmtime_r(&when, &parts) == NULL) {
        bytes->failed = true;
        return;
    }
    od_bytes_format(bytes, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                    parts.tm_hour, parts.tm_min, parts.tm_sec, (int)rest);
}

const char *od_bytes_end(struct od_bytes *bytes)
{
    if (!reserve(bytes, 0)) {
        return NULL;
    }
    bytes->data[bytes->size] = '\0';
    return bytes->data;
}

void od_bytes_shift(struct od_bytes *bytes, size_t count)
{
    if (count >= bytes->size) {
        bytes->size = 0;
        return;
    }
    memmove(bytes->data, bytes->data + count, bytes->size - count);
    bytes->size -= count;
}

static int64_t clock_ms(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t od_clock_wall_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t od_clock_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}
