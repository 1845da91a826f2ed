/*
 * peer.c - the client's side of the tests.
 */
#include "peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE_S 60
#define NARROW_BYTES 4096

static int
connect_with(unsigned port, int receive_bytes)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (receive_bytes > 0)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF,
				     &receive_bytes, sizeof(receive_bytes)),
		    0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			     sizeof(patience)),
	    0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			     sizeof(patience)),
	    0);
	assert_int_equal(connect(fd, (struct sockaddr *)&in4, sizeof(in4)), 0);
	return fd;
}

int
peer_connect(unsigned port)
{
	return connect_with(port, 0);
}

int
peer_connect_narrow(unsigned port)
{
	return connect_with(port, NARROW_BYTES);
}

void
peer_send_bytes(int fd, const void *bytes, size_t n)
{
	const char *p = bytes;
	ssize_t sent;

	for (; n > 0; n -= (size_t)sent, p += sent) {
		sent = send(fd, p, n, MSG_NOSIGNAL);
		assert_true(sent > 0);
	}
}

void
peer_send(int fd, const char *text)
{
	peer_send_bytes(fd, text, strlen(text));
}

void
peer_read(int fd, char *out, size_t n)
{
	ssize_t got;

	for (; n > 0; n -= (size_t)got, out += got) {
		got = recv(fd, out, n, 0);
		assert_true(got > 0);
	}
}

void
peer_head(int fd, struct reply *r)
{
	size_t n = 0;

	memset(r, 0, sizeof(*r));
	while (n < 4 || memcmp(r->head + n - 4, "\r\n\r\n", 4) != 0) {
		assert_true(n < sizeof(r->head) - 1);
		peer_read(fd, r->head + n++, 1);
	}
	assert_memory_equal(r->head, "HTTP/1.1 ", 9);
	r->status = (int)strtol(r->head + 9, NULL, 10);
}

const char *
reply_find(const struct reply *r, const char *name)
{
	const char *line = r->head;
	size_t n = strlen(name);

	while ((line = strstr(line, "\r\n")) != NULL) {
		line += 2;
		if (strncasecmp(line, name, n) == 0 && line[n] == ':')
			return line + n + 2;
	}
	return NULL;
}

void
peer_reply_to_head(int fd, struct reply *r)
{
	peer_head(fd, r);
	r->body = calloc(1, 1);
	assert_non_null(r->body);
}

void
peer_reply(int fd, struct reply *r)
{
	const char *length;

	peer_head(fd, r);
	length = reply_find(r, "Content-Length");
	assert_non_null(length);
	r->n = (size_t)strtoull(length, NULL, 10);
	r->body = calloc(1, r->n + 1);
	assert_non_null(r->body);
	peer_read(fd, r->body, r->n);
}

void
reply_done(struct reply *r)
{
	free(r->body);
	r->body = NULL;
}

void
peer_ask(int fd, const char *text, int status)
{
	struct reply r;

	peer_send(fd, text);
	peer_reply(fd, &r);
	assert_int_equal(r.status, status);
	reply_done(&r);
}

enum peer_end
peer_until_end(int fd, struct buf *out)
{
	char piece[65536];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
		if (out != NULL)
			buf_add(out, piece, (size_t)n);
	}
	if (n == 0)
		return PEER_EOF;
	assert_int_equal(errno, ECONNRESET); /* and not that none came */
	return PEER_RESET;
}

void
peer_reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	(void)close(fd);
}
