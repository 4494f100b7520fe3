/* Base64 with padding (RFC 4648, section 4). */
#ifndef OD_BASE_BASE64_H
#define OD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters that `size` bytes need, with the NUL. */
#define OD_BASE64_SIZE(size) (((size) + 2) / 3 * 4 + 1)

/* Writes OD_BASE64_SIZE(size) bytes; returns the length without the NUL. */
size_t od_base64_encode(const void *data, size_t size, char *ret);
/* Writes at most text_size / 4 * 3 bytes. False: not canonical base64; then `ret` may be half written. */
bool od_base64_decode(const char *text, size_t text_size, uint8_t *ret, size_t *ret_size);

#endif
