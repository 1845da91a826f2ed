/*
 * send.c - gives a reply to the kernel, as much as it takes.
 *
 * First out[] and borrowed bytes, in one call; then the file.  The head of a
 * file that can be sent at once goes with MSG_MORE, so that head and first
 * bytes share a segment.
 */
#include "common/check.h"
#include "common/shared_fd.h"
#include "http_int.h"

#define SEND_MAX (1u << 20) /* file bytes of one call */

static enum sent
sent_error(ssize_t result)
{
	switch (result) {
	case IO_END:
		return SENT_SHORT;
	case IO_AGAIN:
		return SENT_BLOCKED;
	default:
		return SENT_GONE;
	}
}

static void
count(struct turn *t, uint64_t n_body)
{
	t->x.body_sent += n_body;
	if (t->x.first_byte_us == 0)
		t->x.first_byte_us = clock_mono_us();
}

/* The allowance may have been lowered meanwhile. */
static uint64_t
may_stop(const struct turn *t)
{
	uint64_t stop = t->allowed < t->end ? t->allowed : t->end;

	return stop > t->committed ? stop : t->committed;
}

static bool
has_file_bytes(struct turn *t)
{
	uint64_t stop = may_stop(t);

	return t->file != NULL && t->position < stop && ahead_is_ready(t, stop);
}

/* What of out[] and bytes is behind what was sent. */
static size_t
gather(const struct turn *t, struct iovec iov[2])
{
	size_t n = 0;
	size_t skip = 0;

	if (t->sent < t->out_n) {
		iov[n].iov_base = (char *)t->out + t->sent;
		iov[n++].iov_len = t->out_n - (size_t)t->sent;
	} else {
		skip = (size_t)t->sent - t->out_n;
	}
	if (t->bytes.n > skip) {
		iov[n].iov_base = (char *)t->bytes.p + skip;
		iov[n++].iov_len = t->bytes.n - skip;
	}
	return n;
}

static enum sent
send_bytes(struct turn *t)
{
	struct transport *io = &t->conn->io;
	struct iovec iov[2];
	uint64_t head_left;
	size_t n_iov;
	ssize_t n;

	while ((n_iov = gather(t, iov)) > 0) {
		n = io->ops->send(io, iov, n_iov, has_file_bytes(t));
		if (n <= 0)
			return sent_error(n == IO_END ? IO_GONE : n);
		head_left = t->sent < t->head_n ? t->head_n - t->sent : 0;
		count(t, (uint64_t)n > head_left ? (uint64_t)n - head_left : 0);
		t->sent += (uint64_t)n;
	}
	return SENT_ALL;
}

static enum sent
send_file(struct turn *t, uint64_t *budget)
{
	struct transport *io = &t->conn->io;
	uint64_t left;
	ssize_t n;

	while (t->position < t->end) {
		if (!has_file_bytes(t))
			return SENT_WAITS;
		if (*budget == 0)
			return SENT_YIELDS;
		left = may_stop(t);
		if (left > t->cached_to)
			left = t->cached_to;
		left -= t->position;
		n = io->ops->send_file(io, t->file->fd, t->position,
		    left < SEND_MAX ? (size_t)left : SEND_MAX);
		t->position += n > 0 ? (uint64_t)n : 0;
		t->committed = t->position + io->owed;
		if (n <= 0)
			return sent_error(n);
		*budget -= (uint64_t)n < *budget ? (uint64_t)n : *budget;
		count(t, (uint64_t)n);
		if (io->is_full && t->position < t->end)
			return SENT_BLOCKED;
	}
	return SENT_ALL;
}

enum sent
turn_send(struct turn *t, uint64_t *budget)
{
	enum sent result = send_bytes(t);

	check(t->reply == REPLY_BODY);
	if (result != SENT_ALL || t->file == NULL)
		return result;
	return send_file(t, budget);
}
