/* Base64, RFC 4648 section 4. */
#include "base/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t od_base64_encode(const void *data, size_t size, char *ret)
{
    const uint8_t *p = data;
    char *out = ret;
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)p[i] << 16;
        if (left > 1)
            bits |= (uint32_t)p[i + 1] << 8;
        if (left > 2)
            bits |= p[i + 2];
        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *out = '\0';
    return (size_t)(out - ret);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Four characters to `count` bytes; the bits that do not fit must be zero. */
static bool decode_group(const char *text, size_t count, uint8_t *ret)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
        bool padding = i > count;
        int value = padding && text[i] == '=' ? 0 : padding ? -1 : value_of(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
    }
    for (size_t i = 0; i < count; i++)
        ret[i] = (uint8_t)(bits >> (16 - 8 * i));
    return (bits & ((UINT32_C(1) << (24 - 8 * count)) - 1)) == 0;
}

bool od_base64_decode(const char *text, size_t text_size, uint8_t *ret, size_t *ret_size)
{
    size_t size = 0;
    if (text_size % 4)
        return false;
    for (size_t i = 0; i < text_size; i += 4) {
        size_t count = 3;
        if (i + 4 == text_size)
            count = text[i + 3] != '=' ? 3 : text[i + 2] != '=' ? 2 : 1;
        if (!decode_group(text + i, count, ret + size))
            return false;
        size += count;
    }
    *ret_size = size;
    return true;
}
