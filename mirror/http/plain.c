/*
 * plain.c - the transport without TLS: the socket itself.
 *
 * sendfile() can't be told MSG_NOSIGNAL: that a loop's thread takes no signals
 * is what keeps a client that left from killing us.
 */
#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "http_int.h"

static bool
would_block(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static ssize_t
plain_recv(struct transport *io, void *p, size_t n)
{
	ssize_t got = recv(io->fd, p, n, 0);

	if (got >= 0)
		return got;
	return would_block() ? IO_AGAIN : IO_GONE;
}

static ssize_t
plain_send(struct transport *io, const struct iovec *iov, size_t n, bool more)
{
	int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
	struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t sent;

	if (n == 1)
		sent = send(io->fd, iov->iov_base, iov->iov_len, flags);
	else
		sent = sendmsg(io->fd, &msg, flags);
	if (sent >= 0)
		return sent;
	return would_block() ? IO_AGAIN : IO_GONE;
}

static ssize_t
plain_send_file(struct transport *io, int file, uint64_t offset, size_t n)
{
	off_t at = (off_t)offset;
	ssize_t sent = sendfile(io->fd, file, &at, n);

	io->is_full = sent > 0 && (size_t)sent < n;
	if (sent >= 0)
		return sent;
	if (would_block())
		return IO_AGAIN;
	return errno == EIO ? IO_END : IO_GONE; /* the disk's, not the peer's */
}

static void
plain_shut(struct transport *io)
{
	(void)shutdown(io->fd, SHUT_WR);
}

static void
plain_done(struct transport *io)
{
	(void)io;
}

const struct transport_ops plain_ops = {
	.recv = plain_recv,
	.send = plain_send,
	.send_file = plain_send_file,
	.shut = plain_shut,
	.done = plain_done,
};
