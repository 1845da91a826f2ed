/*
 * reply.c - makes a reply: its head in the turn's out[], its body noted.
 *
 * Nothing is sent from here: the connection does that when the handler has
 * returned, or soon when the reply came later, so that no callback runs inside
 * a reply_ call.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "common/shared_fd.h"
#include "http_int.h"

static struct turn *
turn_of(const struct exchange *x)
{
	return container_of(x, struct turn, x);
}

/* ---- the head ----------------------------------------------------------- */

static const char *
reason_phrase(int status)
{
	/* clang-format off */
	static const struct {
		int status;
		const char *phrase;
	} phrases[] = {
		{ 200, "OK" }, { 206, "Partial Content" },
		{ 304, "Not Modified" }, { 404, "Not Found" },
		{ 201, "Created" }, { 202, "Accepted" }, { 204, "No Content" },
		{ 301, "Moved Permanently" }, { 302, "Found" },
		{ 307, "Temporary Redirect" }, { 308, "Permanent Redirect" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" },
		{ 403, "Forbidden" }, { 405, "Method Not Allowed" },
		{ 406, "Not Acceptable" }, { 408, "Request Timeout" },
		{ 409, "Conflict" }, { 410, "Gone" },
		{ 412, "Precondition Failed" }, { 413, "Content Too Large" },
		{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
		{ 416, "Range Not Satisfiable" },
		{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
		{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
		{ 504, "Gateway Timeout" },
		{ 505, "HTTP Version Not Supported" },
		{ 507, "Insufficient Storage" },
	};
	/* clang-format on */
	size_t i;

	for (i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "";
}

static void
out_add(struct turn *t, struct str s)
{
	if (s.n > t->out_max - t->out_n) {
		t->out_overflow = true;
		return;
	}
	if (s.n > 0)
		memcpy(t->out + t->out_n, s.p, s.n);
	t->out_n += s.n;
}

/* Values may come from peers: no line must end in one. */
static void
out_clean(struct turn *t, size_t from)
{
	unsigned char c;

	if (!str_has_control((struct str){ t->out + from, t->out_n - from }))
		return;
	for (; from < t->out_n; from++) {
		c = (unsigned char)t->out[from];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			t->out[from] = ' ';
	}
}

static void
out_add_number(struct turn *t, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	out_add(t, (struct str){ digits + at, sizeof(digits) - at });
}

void
reply_start(struct exchange *x, int status)
{
	struct turn *t = turn_of(x);

	check(t->reply == REPLY_NONE && status >= 200 && status <= 999);
	t->reply = REPLY_HEAD;
	x->status = status;
	out_add(t, STR("HTTP/1.1 "));
	out_add_number(t, (uint64_t)status);
	out_add(t, STR(" "));
	out_add(t, str_of(reason_phrase(status)));
	out_add(t, STR("\r\n"));
	out_add(t, server_date(x->server));
}

static void
begin_header(struct turn *t, const char *name)
{
	check(t->reply == REPLY_HEAD);
	out_add(t, str_of(name));
	out_add(t, STR(": "));
}

void
reply_header(struct exchange *x, const char *name, struct str value)
{
	struct turn *t = turn_of(x);
	size_t from;

	begin_header(t, name);
	from = t->out_n;
	out_add(t, value);
	out_clean(t, from);
	out_add(t, STR("\r\n"));
}

void
reply_headerf(struct exchange *x, const char *name, const char *fmt, ...)
{
	struct turn *t = turn_of(x);
	size_t from, room;
	va_list ap;
	int n;

	begin_header(t, name);
	from = t->out_n;
	room = t->out_max - from;
	va_start(ap, fmt);
	n = vsnprintf(t->out + from, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room)
		t->out_overflow = true;
	else
		t->out_n += (size_t)n;
	out_clean(t, from);
	out_add(t, STR("\r\n"));
}

/* A head that does not fit: say so, rather than send half of it. */
static void
start_again(struct turn *t)
{
	t->reply = REPLY_NONE;
	t->out_n = 0;
	t->out_overflow = false;
	t->closes = true;
	reply_start(&t->x, 500);
}

/* The rest of the head, for a body of LENGTH bytes. */
static void
finish_head(struct turn *t, uint64_t length)
{
	const struct http_request *r = &t->x.request;

	check(t->reply == REPLY_HEAD);
	t->is_bare = r->method == HTTP_HEAD || t->x.status == 204 ||
	    t->x.status == 304 || t->out_overflow;
	if (t->out_overflow) {
		start_again(t);
		length = 0;
	}
	if (r->is_last || t->x.server->drain != DRAIN_NO)
		t->closes = true;
	t->out_max = REPLY_HEAD_BYTES + REPLY_TAIL_BYTES;
	if (length != REPLY_LENGTH_UNKNOWN && t->x.status != 204 &&
	    (t->x.status != 304 || length > 0)) {
		out_add(t, STR("Content-Length: "));
		out_add_number(t, length);
		out_add(t, STR("\r\n"));
	}
	if (t->closes)
		out_add(t, STR("Connection: close\r\n"));
	else if (r->minor == 0)
		out_add(t, STR("Connection: keep-alive\r\n"));
	out_add(t, STR("\r\n"));
	check(!t->out_overflow);
	t->head_n = t->out_n;
	t->reply = REPLY_BODY;
}

/* ---- the body ----------------------------------------------------------- */

void
reply_bytes(struct exchange *x, struct str bytes)
{
	struct turn *t = turn_of(x);

	finish_head(t, bytes.n);
	if (!t->is_bare && bytes.n > REPLY_COPIED_BYTES) {
		t->bytes = bytes;
	} else if (!t->is_bare && bytes.n > 0) {
		memcpy(t->out + t->out_n, bytes.p, bytes.n);
		t->out_n += bytes.n;
	}
	conn_wake(t->conn);
}

void
reply_length(struct exchange *x, uint64_t length)
{
	check(x->request.method == HTTP_HEAD);
	finish_head(turn_of(x), length);
	conn_wake(turn_of(x)->conn);
}

/* Of FD, from OFFSET to END. */
static void
set_file(struct turn *t, struct shared_fd *fd, uint64_t offset, uint64_t end)
{
	t->position = offset;
	t->committed = offset;
	t->end = offset;
	if (t->is_bare) {
		shared_fd_unref(fd);
		return;
	}
	check(fd != NULL);
	t->file = fd;
	t->end = end;
	t->cached_to = offset;
	t->is_cold = false;
}

void
reply_file(struct exchange *x, struct shared_fd *fd, uint64_t offset,
    uint64_t length, uint64_t allowed)
{
	struct turn *t = turn_of(x);

	finish_head(t, length);
	set_file(t, fd, offset, offset + length);
	t->allowed = allowed;
	conn_wake(t->conn);
}

void
reply_stream(struct exchange *x, struct shared_fd *fd)
{
	struct turn *t = turn_of(x);

	t->closes = true; /* its end is the body's */
	finish_head(t, REPLY_LENGTH_UNKNOWN);
	set_file(t, fd, 0, UINT64_MAX);
	t->allowed = 0;
	conn_wake(t->conn);
}

void
reply_stop(struct exchange *x)
{
	struct turn *t = turn_of(x);

	check(t->reply == REPLY_BODY || t->reply == REPLY_CUT);
	if (t->end > t->allowed)
		t->end = t->allowed;
	conn_wake(t->conn);
}

void
reply_allow(struct exchange *x, uint64_t allowed)
{
	struct turn *t = turn_of(x);

	check(t->reply == REPLY_BODY || t->reply == REPLY_CUT);
	if (allowed > t->allowed && !t->conn->is_blocked && t->ahead == NULL)
		conn_wake(t->conn);
	t->allowed = allowed;
}

void
reply_swap(struct exchange *x, struct shared_fd *fd)
{
	struct turn *t = turn_of(x);

	check(t->reply == REPLY_BODY || t->reply == REPLY_CUT);
	if (t->file == NULL) {
		shared_fd_unref(fd);
		return;
	}
	ahead_forget(t);
	shared_fd_unref(t->file);
	t->file = fd;
	t->cached_to = t->position;
	conn_wake(t->conn);
}

uint64_t
reply_position(const struct exchange *x)
{
	return turn_of(x)->committed;
}

void
reply_cut(struct exchange *x)
{
	struct turn *t = turn_of(x);

	t->reply = REPLY_CUT;
	conn_wake(t->conn);
}

bool
reply_undo(struct exchange *x)
{
	struct turn *t = turn_of(x);

	if (t->reply == REPLY_CUT || t->sent > 0)
		return false;
	ahead_forget(t);
	shared_fd_unref(t->file);
	t->file = NULL;
	t->bytes = (struct str){ NULL, 0 };
	t->position = t->committed = t->end = 0;
	t->reply = REPLY_NONE;
	t->out_n = t->head_n = 0;
	t->out_max = REPLY_HEAD_BYTES;
	x->status = 0;
	return true;
}

void
reply_text(
    struct exchange *x, int status, const char *content_type, struct str body)
{
	reply_start(x, status);
	reply_header(x, "Content-Type", str_of(content_type));
	reply_bytes(x, body);
}

/* ---- refusals ----------------------------------------------------------- */

/* The code that a registry's client is told, and our metric's label. */
static const struct refusal {
	int status;
	const char *code;
	const char *reason;
} refusals[] = {
	{ 400, "BAD_REQUEST", "bad_request" },
	{ 405, "UNSUPPORTED", "method" },
	{ 408, "BAD_REQUEST", "timeout" },
	{ 413, "SIZE_INVALID", "body_too_large" },
	{ 414, "BAD_REQUEST", "target_too_long" },
	{ 431, "BAD_REQUEST", "head_too_large" },
	{ 501, "UNSUPPORTED", "coding" },
	{ 505, "UNSUPPORTED", "version" },
	{ 0, "BAD_REQUEST", "other" },
};

void
reply_refusal(struct turn *t, int status, const char *text)
{
	const struct refusal *r = refusals;
	char json[512];
	int n;

	while (r->status != status && r->status != 0)
		r++;
	metric_count1(M_http_requests_refused_total, r->reason, 1);
	check(strpbrk(text, "\"\\") == NULL);
	n = snprintf(json, sizeof(json),
	    "{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\"}]}\n", r->code,
	    text);
	check(n > 0 && (size_t)n < sizeof(json));
	t->closes = true;
	reply_text(
	    &t->x, status, "application/json", (struct str){ json, (size_t)n });
}
