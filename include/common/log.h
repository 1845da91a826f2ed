/*
 * log.h - structured lines on stderr, as JSON or as text.
 *
 *	log_info("fill ended", LOG_DIGEST("digest", &d), LOG_U64("bytes", n));
 *
 * A line is put into a bounded queue and written by a thread of its own, so
 * that a slow reader of our stderr holds up no loop; what does not fit is
 * dropped and counted (log_dropped()), and the count is logged once there is
 * room.  Before log_start() and after log_stop() lines are written directly.
 * Text values may come from peers: they are escaped.  Secrets are never given
 * to this module.  Any thread.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_JSON, LOG_TEXT };
enum log_type { LOG_T_END, LOG_T_STR, LOG_T_U64, LOG_T_I64, LOG_T_DIGEST };

struct log_field {
	enum log_type type;
	const char *key;
	struct str s;
	uint64_t u;
	int64_t i;
	const struct digest *d;
};

#define LOG_STR(k, v)                                                          \
	((struct log_field){ .type = LOG_T_STR, .key = (k), .s = (v) })
#define LOG_Z(k, v) LOG_STR(k, str_of(v))
#define LOG_U64(k, v)                                                          \
	((struct log_field){ .type = LOG_T_U64, .key = (k), .u = (v) })
#define LOG_I64(k, v)                                                          \
	((struct log_field){ .type = LOG_T_I64, .key = (k), .i = (v) })
#define LOG_DIGEST(k, v)                                                       \
	((struct log_field){ .type = LOG_T_DIGEST, .key = (k), .d = (v) })
#define LOG_ERR(e) LOG_Z("error", (e)->text)

void log_setup(enum log_level, enum log_format); /* any time */
int log_start(struct err *err);                  /* the writer thread */
void log_stop(void);                             /* writes what is queued */
bool log_enabled(enum log_level);
uint64_t log_dropped(void);

/* FIELDS ends with one of type LOG_T_END. */
void log_line(enum log_level, const char *msg, const struct log_field *fields);

#define LOG_END ((struct log_field){ .type = LOG_T_END })
#define log_at(level, ...)                                                     \
	do {                                                                   \
		if (log_enabled(level))                                        \
			log_at_(level, __VA_ARGS__, LOG_END);                  \
	} while (0)
#define log_at_(level, msg, ...)                                               \
	log_line(level, msg, (const struct log_field[]){ __VA_ARGS__ })
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
