/*
 * peer.h - the client's side of the tests: blocking sockets that fail the test
 * after 20 s, never hang.
 */
#ifndef TESTS_HTTP_PEER_H
#define TESTS_HTTP_PEER_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define PEER_HEAD_MAX 4096

struct reply {
	int status;
	char head[PEER_HEAD_MAX]; /* terminated */
	char *body;               /* owned, terminated */
	size_t n;
};

/* What ended a stream. */
enum peer_end { PEER_EOF, PEER_RESET };

int peer_connect(unsigned port);
/* With a small receive buffer, so that a sender blocks early. */
int peer_connect_narrow(unsigned port);
void peer_send(int fd, const char *text);
void peer_send_bytes(int fd, const void *, size_t);
/* Fails the test when N bytes do not come. */
void peer_read(int fd, char *out, size_t n);
/* Reads up to the empty line, and not a byte more. */
void peer_head(int fd, struct reply *);
/* A reply with a Content-Length; NO_BODY after a HEAD. */
void peer_reply(int fd, struct reply *);
void peer_reply_to_head(int fd, struct reply *);
void reply_done(struct reply *);
/* The text behind "NAME: " in a reply's head; NULL. */
const char *reply_find(const struct reply *, const char *name);
/* Sends TEXT, reads one reply, checks its status; closes nothing. */
void peer_ask(int fd, const char *text, int status);
/* Reads until the end; appends to OUT (may be NULL). */
enum peer_end peer_until_end(int fd, struct buf *out);
void peer_reset(int fd); /* closes with a RST */

#endif
