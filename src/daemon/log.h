/*
 * The log of the program: one line each, to stderr, from any thread. Text for people, or one JSON object a line:
 *
 *   12:30:01.250 warning rebalance: ...
 *   {"time":"2026-01-31T12:30:01.250Z","level":"warning","area":"rebalance","text":"..."}
 *
 * A line is written by one write(), control characters are escaped, a reader that does not read makes lines go missing
 * (counted and said later) instead of stopping the work. Of lines of one kind only the first `log.repeats` of each ten seconds are
 * written, the others are counted (log_repeats.h); what tells of a record that ends here is never left out.
 */
#ifndef OD_DAEMON_LOG_H
#define OD_DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "orderly/orderly.h"

enum od_say_format { OD_LOG_AUTO, OD_LOG_TEXT, OD_LOG_JSON };

/* AUTO: text when stderr is a terminal, else JSON. Before any of these: text, info. */
void od_say_format_set(enum od_say_format);
void od_say_level_set(enum orderly_log_level);
enum orderly_log_level od_say_level(void);
/* False when the word is none. */
bool od_say_format_parse(const char *word, enum od_say_format *ret);
bool od_say_level_parse(const char *word, enum orderly_log_level *ret);
/* Lines of one kind within ten seconds; 0, as at first: all of them. */
void od_say_repeats_set(uint64_t limit);
/* Says what was left out and is due; `all`: also what is not yet. To be called now and then. */
void od_say_left_out(bool all);
/* Where lines go; 2 at first. For tests. */
void od_say_fd_set(int fd);

void od_say_line(int level, const char *area, const char *text);
/* What another program says, line by line: nothing of it is left out. */
void od_say_whole(int level, const char *area, const char *text);
__attribute__((format(printf, 3, 4))) void od_say(int level, const char *area, const char *format, ...);
#define od_say_error(area, ...) od_say(ORDERLY_LOG_ERROR, area, __VA_ARGS__)
#define od_say_warning(area, ...) od_say(ORDERLY_LOG_WARNING, area, __VA_ARGS__)
#define od_say_info(area, ...) od_say(ORDERLY_LOG_INFO, area, __VA_ARGS__)
#define od_say_debug(area, ...) od_say(ORDERLY_LOG_DEBUG, area, __VA_ARGS__)

#endif
