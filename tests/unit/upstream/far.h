/*
 * far.h - a far server for tests: real sockets, scripted answers.
 *
 * A rule says what is answered to which request; the first that fits is taken.
 * Every head that comes in is kept, for the test to look at.  A thread for each
 * connection.
 */
#ifndef TEST_FAR_H
#define TEST_FAR_H

#include <stdbool.h>
#include <stddef.h>

struct far;

enum far_then {
	FAR_KEEP,  /* the connection stays open for another request, unless
		      the reply says "Connection: close" */
	FAR_CLOSE, /* end of the connection (FIN) */
	FAR_HANG,  /* nothing more is sent; open until the far side closes */
};

struct far_rule {
	const char *match; /* front of the request's first line */
	const char *has;   /* text somewhere in the head; NULL: any */
	const char *lacks; /* text not in the head; NULL: any */
	const char *reply; /* bytes as they go out; NULL: none */
	size_t n;          /* of them; 0: up to the NUL */
	enum far_then then;
	bool at_gate;   /* wait for far_open_gate() first */
	unsigned times; /* 0: always; else only for so many requests */
};

struct far *far_start(void);
/* With a certificate for 127.0.0.1 of its own, which goes to CERT_PATH. */
struct far *far_start_tls(const char *cert_path);
void far_stop(struct far *);

/* The rule and its texts are copied. */
void far_add(struct far *, const struct far_rule *);
/* far_add() of a whole answer: a keep-alive 200 with BODY. */
void far_add_body(struct far *, const char *match, const char *body);
void far_clear(struct far *);
void far_open_gate(struct far *);

const char *far_url(const struct far *);  /* "http://127.0.0.1:PORT" */
const char *far_host(const struct far *); /* "127.0.0.1:PORT" */
/* How many requests began with MATCH; the heads of all, one behind another. */
unsigned far_count(struct far *, const char *match);
unsigned far_connections(struct far *);
void far_wait(struct far *, const char *match, unsigned n);
bool far_saw(struct far *, const char *text);

#endif
