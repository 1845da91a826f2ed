/*
 * rig.h - a server on a loop of its own, on 127.0.0.1, with a handler that
 * answers by path:
 *
 *	/hello   "hello\n"
 *	/echo    the request's body
 *	/big     RIG_BIG_BYTES borrowed
 *	/file    the rig's file, whole
 *	/short   a file reply that claims more than the file has
 *	/cut     half of the file, then a cut
 *	/none    a cut without a head
 *	/wide    a head that does not fit
 *	/who     the peer, the client's name, TLS or not
 *	/late    nothing yet: the exchange is in rig.held
 */
#ifndef TESTS_HTTP_RIG_H
#define TESTS_HTTP_RIG_H

#include <pthread.h>
#include <stdint.h>

#include "common/config.h"
#include "common/shared_fd.h"
#include "http/exchange.h"
#include "http/server.h"
#include "loop/loop.h"

#define RIG_BIG_BYTES (3u << 20)
#define RIG_FILE_BYTES (5u << 20)

struct rig {
	struct loop *loop;
	struct work_pool *readers;
	struct http_quota *quota;
	struct http_server *server;
	struct http_spec spec; /* as opened; change before rig_open() */
	struct config_address address;
	unsigned port;
	char *big;
	struct shared_fd *file;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock. */
	struct exchange *held;
	unsigned n_called;
	unsigned n_ended;
	unsigned n_ended_as[END_CUT + 1];
	uint64_t body_sent; /* of the last that ended */
	int status;
	uint64_t position;
	bool is_drained;
};

/* Limits that no test meets by accident. */
void rig_init(struct rig *);
void rig_open(struct rig *);
void rig_close(struct rig *);
/* Byte AT of big and of the file. */
char rig_byte(uint64_t at);

/* Runs FN on the loop, returns when it has. */
void rig_call(struct rig *, void (*fn)(struct rig *));
/* Wait until the handler had N calls, N exchanges have ended, no connection
 * is left. */
void rig_wait_called(struct rig *, unsigned n);
void rig_wait_ended(struct rig *, unsigned n);
void rig_wait_connections(struct rig *, size_t n);
unsigned rig_ended_as(struct rig *, enum exchange_end);

#endif
