/*
 * The log of the program: one line each, to stderr, from any thread. Text for people, or one JSON object a line:
 *
 *   12:30:01.250 warning rebalance: ...
 *   {"time":"2026-01-31T12:30:01.250Z","level":"warning","area":"rebalance","text":"..."}
 *
 * A line is written by one write(), control characters are escaped, a reader that does not read makes lines go missing
 * (counted and said later) instead of stopping the work.
 */
#ifndef OD_DAEMON_LOG_H
#define OD_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "orderly/orderly.h"

enum od_log_format { OD_LOG_AUTO, OD_LOG_TEXT, OD_LOG_JSON };

/* AUTO: text when stderr is a terminal, else JSON. Before any of these: text, info. */
void od_log_format_set(enum od_log_format);
void od_log_level_set(enum orderly_log_level);
enum orderly_log_level od_log_level(void);
/* False when the word is none. */
bool od_log_format_parse(const char *word, enum od_log_format *ret);
bool od_log_level_parse(const char *word, enum orderly_log_level *ret);
/* Where lines go; 2 at first. For tests. */
void od_log_fd_set(int fd);

void od_log_line(int level, const char *area, const char *text);
__attribute__((format(printf, 3, 4))) void od_log(int level, const char *area, const char *format, ...);
#define od_log_error(area, ...) od_log(ORDERLY_LOG_ERROR, area, __VA_ARGS__)
#define od_log_warning(area, ...) od_log(ORDERLY_LOG_WARNING, area, __VA_ARGS__)
#define od_log_info(area, ...) od_log(ORDERLY_LOG_INFO, area, __VA_ARGS__)
#define od_log_debug(area, ...) od_log(ORDERLY_LOG_DEBUG, area, __VA_ARGS__)

#endif
