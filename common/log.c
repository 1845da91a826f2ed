/*
 * log.c - lines, a bounded queue, and the thread that writes it.
 *
 * A line is put together in a buffer of its caller's, then copied into the
 * filling half of the queue under a mutex that is held for nothing else.  The
 * writer swaps the halves and writes the full one outside the mutex; so a
 * blocked stderr costs at most QUEUE_MAX of memory and, after that, lines.
 *
 * The writer lingers a little before it takes a batch: under load, that is
 * one wake-up and one write per LINGER_MS instead of per line.  Warnings,
 * errors and a half-full queue are taken at once.
 *
 *	DIRECT --log_start--> QUEUED --log_stop--> STOPPING --writer--> DIRECT
 */
#include "common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/thread.h"

#define QUEUE_MAX (1u << 20) /* bytes, each half */
#define LINE_MAX_BYTES 8192u
#define LINE_TAIL 16u /* kept free for ,"cut":1 and the line's end */
#define LINGER_MS 10

enum log_state { LOG_DIRECT, LOG_QUEUED, LOG_STOPPING };

static _Atomic(enum log_level) log_level = LOG_INFO;
static _Atomic(enum log_format) log_format = LOG_JSON;
static atomic_uint_fast64_t n_dropped;

static struct {
	pthread_mutex_t lock; /* over all below; never held over I/O */
	pthread_cond_t wake;
	enum log_state state;
	bool urgent; /* the writer should not linger */
	struct buf filling;
	pthread_t writer;
	/* The writer's, outside the lock. */
	struct buf writing;
	uint64_t n_reported; /* of the dropped lines */
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER,
	.wake = PTHREAD_COND_INITIALIZER };

/* ---- one line ---------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *json;
	const char *text;
} levels[] = {
	[LOG_DEBUG] = { "debug", "DEBUG" },
	[LOG_INFO]  = { "info",  "INFO" },
	[LOG_WARN]  = { "warn",  "WARN" },
	[LOG_ERROR] = { "error", "ERROR" },
};
/* clang-format on */

/* How many bytes the well-formed UTF-8 character at the front of S has (RFC
 * 3629: no overlong forms, no surrogates); 0 when there is none. */
static size_t
utf8_length(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	unsigned char low = 0x80, high = 0xbf; /* of the second byte */
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f;
	if (s.n < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* What stands between the quotes of a JSON string.  A byte that is not text
 * is shown as the character of its value. */
static void
put_escaped(struct buf *b, struct str s)
{
	while (s.n > 0) {
		unsigned char c = (unsigned char)s.p[0];
		size_t n = utf8_length(s);

		if (c == '"' || c == '\\')
			buf_printf(b, "\\%c", c);
		else if (c == '\n')
			buf_addz(b, "\\n");
		else if (c < 0x20 || c == 0x7f || n == 0)
			buf_printf(b, "\\u%04x", c);
		else
			buf_add(b, s.p, n);
		s = str_from(s, n == 0 ? 1 : n);
	}
}

static void
put_quoted(struct buf *b, struct str s)
{
	buf_addz(b, "\"");
	put_escaped(b, s);
	buf_addz(b, "\"");
}

/* Whether a text line can show S without quotes. */
static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' ||
		    s.p[i] == '=' || s.p[i] == '\\')
			return false;
	return s.n > 0;
}

static void
put_text(struct buf *b, enum log_format format, struct str s)
{
	if (format == LOG_TEXT && is_plain(s))
		buf_adds(b, s);
	else
		put_quoted(b, s);
}

static void
put_value(struct buf *b, enum log_format format, const struct log_field *f)
{
	char text[DIGEST_TEXT_MAX];

	switch (f->type) {
	case LOG_T_STR:
		put_text(b, format, f->s);
		return;
	case LOG_T_U64:
		buf_printf(b, "%" PRIu64, f->u);
		return;
	case LOG_T_I64:
		buf_printf(b, "%" PRId64, f->i);
		return;
	case LOG_T_DIGEST: /* one that is not set has no text */
		put_text(b, format,
		    str_of(f->d->alg == 0 ? NULL : digest_text(f->d, text)));
		return;
	case LOG_T_END:
		break;
	}
	unreachable("a log field without a type");
}

static void
put_head(struct buf *b, enum log_format format, enum log_level level,
    const char *msg)
{
	char now[CLOCK_TEXT_MAX];

	(void)clock_rfc3339(clock_wall_ms(), now);
	if (format == LOG_JSON) {
		buf_printf(b, "{\"ts\":\"%s\",\"level\":\"%s\",\"msg\":", now,
		    levels[level].json);
		put_quoted(b, str_of(msg));
	} else {
		buf_printf(b, "%s %s ", now, levels[level].text);
		put_escaped(b, str_of(msg));
	}
}

/* A field that does not fit is left out whole, and the line says so. */
static void
put_fields(struct buf *b, enum log_format format, const struct log_field *f)
{
	const char *before = format == LOG_JSON ? ",\"" : " ";
	const char *between = format == LOG_JSON ? "\":" : "=";
	bool is_cut = false;

	for (; f->type != LOG_T_END; f++) {
		size_t mark = b->n;

		buf_addz(b, before);
		buf_addz(b, f->key);
		buf_addz(b, between);
		put_value(b, format, f);
		if (b->overflow) {
			b->n = mark;
			b->overflow = false;
			is_cut = true;
		}
	}
	b->max += LINE_TAIL;
	if (is_cut) {
		buf_addz(b, before);
		buf_printf(b, "cut%s1", between);
	}
	buf_addz(b, format == LOG_JSON ? "}\n" : "\n");
}

/* B overflows when there is no memory for as much as the head. */
static void
line_make(struct buf *b, enum log_level level, const char *msg,
    const struct log_field *fields)
{
	enum log_format format =
	    atomic_load_explicit(&log_format, memory_order_relaxed);

	put_head(b, format, level, msg);
	if (!b->overflow)
		put_fields(b, format, fields);
}

/* ---- writing ----------------------------------------------------------- */

/* Blocks until stderr took it all, or can't take any more. */
static void
write_all(struct str s)
{
	while (s.n > 0) {
		ssize_t n = write(STDERR_FILENO, s.p, s.n);
		struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

		if (n >= 0)
			s = str_from(s, (size_t)n);
		else if (errno == EAGAIN)
			(void)poll(&fd, 1, -1);
		else if (errno != EINTR)
			return; /* there is nobody to tell */
	}
}

/* Says how many lines were dropped since it was last said. */
static void
report_dropped(void)
{
	uint64_t n = log_dropped();
	struct buf line;

	if (n == queue.n_reported)
		return;
	buf_init(&line, LINE_MAX_BYTES);
	line_make(&line, LOG_WARN,
	    "log lines were dropped: stderr is read too slowly",
	    (struct log_field[]){
		LOG_U64("lines", n - queue.n_reported), LOG_END });
	write_all(buf_str(&line));
	buf_done(&line);
	queue.n_reported = n;
}

/* Waits, the lock held, until there is a batch to take.  False: stop. */
static bool
await_batch(void)
{
	struct timespec until;

	while (queue.filling.n == 0 && queue.state == LOG_QUEUED)
		(void)pthread_cond_wait(&queue.wake, &queue.lock);
	if (queue.filling.n == 0)
		return false;
	check(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
	until.tv_nsec += LINGER_MS * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!queue.urgent && queue.state == LOG_QUEUED)
		if (pthread_cond_clockwait(
			&queue.wake, &queue.lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	return true;
}

static void
swap_halves(void)
{
	struct buf full = queue.filling;

	queue.filling = queue.writing;
	queue.writing = full;
	queue.urgent = false;
}

static void *
writer_run(void *arg)
{
	(void)arg;
	(void)pthread_mutex_lock(&queue.lock);
	while (await_batch()) {
		swap_halves();
		(void)pthread_mutex_unlock(&queue.lock);
		write_all(buf_str(&queue.writing));
		buf_reset(&queue.writing);
		report_dropped();
		(void)pthread_mutex_lock(&queue.lock);
	}
	queue.state = LOG_DIRECT;
	(void)pthread_mutex_unlock(&queue.lock);
	return NULL;
}

/* False when lines are not queued now: write it directly. */
static bool
enqueue(struct str line, bool is_urgent)
{
	bool was_empty, was_urgent;

	(void)pthread_mutex_lock(&queue.lock);
	if (queue.state == LOG_DIRECT) {
		(void)pthread_mutex_unlock(&queue.lock);
		return false;
	}
	was_empty = queue.filling.n == 0;
	was_urgent = queue.urgent;
	buf_adds(&queue.filling, line);
	if (queue.filling.overflow) {
		atomic_fetch_add_explicit(&n_dropped, 1, memory_order_relaxed);
		queue.filling.overflow = false;
	}
	if (is_urgent || queue.filling.n > QUEUE_MAX / 2)
		queue.urgent = true;
	if (was_empty || queue.urgent != was_urgent)
		(void)pthread_cond_signal(&queue.wake);
	(void)pthread_mutex_unlock(&queue.lock);
	return true;
}

/* ---- the module -------------------------------------------------------- */

void
log_setup(enum log_level level, enum log_format format)
{
	atomic_store_explicit(&log_level, level, memory_order_relaxed);
	atomic_store_explicit(&log_format, format, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
	return level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

uint64_t
log_dropped(void)
{
	return atomic_load_explicit(&n_dropped, memory_order_relaxed);
}

int
log_start(struct err *err)
{
	check(queue.state == LOG_DIRECT);
	buf_init(&queue.filling, QUEUE_MAX);
	buf_init(&queue.writing, QUEUE_MAX);
	queue.state = LOG_QUEUED;
	if (thread_start(&queue.writer, "log", writer_run, NULL, err) == 0)
		return 0;
	queue.state = LOG_DIRECT;
	return -1;
}

void
log_stop(void)
{
	(void)pthread_mutex_lock(&queue.lock);
	if (queue.state == LOG_DIRECT) {
		(void)pthread_mutex_unlock(&queue.lock);
		return;
	}
	queue.state = LOG_STOPPING;
	(void)pthread_cond_signal(&queue.wake);
	(void)pthread_mutex_unlock(&queue.lock);
	check(pthread_join(queue.writer, NULL) == 0);
	buf_done(&queue.filling);
	buf_done(&queue.writing);
}

void
log_line(enum log_level level, const char *msg, const struct log_field *fields)
{
	struct buf line;

	buf_init(&line, LINE_MAX_BYTES - LINE_TAIL);
	line_make(&line, level, msg, fields);
	if (line.overflow)
		atomic_fetch_add_explicit(&n_dropped, 1, memory_order_relaxed);
	else if (!enqueue(buf_str(&line), level >= LOG_WARN))
		write_all(buf_str(&line));
	buf_done(&line);
}
