/* Filling a caller's struct orderly_error. Works out of memory. Uses stdio: not for the core. */
#ifndef OD_BASE_ERROR_H
#define OD_BASE_ERROR_H

#include "orderly/orderly.h"

/* Sets code and text (cut at the field's size) and returns the code. `error` may be NULL, or an older, shorter struct. */
enum orderly_err od_fail(struct orderly_error *error, enum orderly_err code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same with librdkafka's code. */
enum orderly_err od_fail_kafka(struct orderly_error *error, enum orderly_err code, int kafka_code, const char *format,
                               ...) __attribute__((format(printf, 4, 5)));
/* Makes it "ok". */
void od_error_clear(struct orderly_error *error);

#endif
