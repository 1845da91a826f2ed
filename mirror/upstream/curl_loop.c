/*
 * curl_loop.c - libcurl's multi handle, driven by a loop.
 *
 * libcurl says which descriptors it wants watched (on_socket) and when it
 * wants to be woken (on_timer); we call curl_multi_socket_action() when that
 * happens and then hand out what has ended.  It may not be called from its own
 * callbacks: those only note, and a timeout of 0 is a timer, too.
 *
 * A watch belongs to its descriptor and is freed when libcurl drops that,
 * which can happen while the watch's own callback runs: on_ready() does not
 * touch it after the call.
 */
#include <stdlib.h>

#include "common/check.h"
#include "curl_int.h"
#include "loop/timer.h"
#include "loop/watch.h"

#define IDLE_CONNECTIONS_MAX 64

struct curl_loop {
	struct loop *loop; /* borrowed; outlives us */
	CURLM *multi;      /* owned */
	struct timer timer;
	bool is_inside;
	size_t n_sockets;
};

struct socket_watch {
	struct watch watch;
	struct curl_loop *curl; /* borrowed; outlives us */
};

static void
curl_loop_reap(struct curl_loop *c)
{
	struct CURLMsg *msg;
	struct hop *hop;
	int n_left;

	while ((msg = curl_multi_info_read(c->multi, &n_left)) != NULL) {
		CURL *easy = msg->easy_handle;
		CURLcode code = msg->data.result;

		check(msg->msg == CURLMSG_DONE);
		check(curl_easy_getinfo(easy, CURLINFO_PRIVATE, &hop) ==
		    CURLE_OK);
		curl_loop_remove(c, easy); /* frees msg */
		hop_ended(hop, code);
	}
}

static void
curl_loop_run(struct curl_loop *c, curl_socket_t fd, int events)
{
	int n_running;

	check(!c->is_inside);
	c->is_inside = true;
	check(curl_multi_socket_action(c->multi, fd, events, &n_running) ==
	    CURLM_OK);
	c->is_inside = false;
	curl_loop_reap(c);
}

/* ---- what the loop tells ----------------------------------------------- */

static void
on_ready(unsigned ready, void *arg)
{
	struct socket_watch *s = arg;
	int events = 0;

	if (ready & WATCH_READ)
		events |= CURL_CSELECT_IN;
	if (ready & WATCH_WRITE)
		events |= CURL_CSELECT_OUT;
	curl_loop_run(s->curl, s->watch.fd, events);
}

static void
on_timeout(void *arg)
{
	curl_loop_run(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- what libcurl wants ------------------------------------------------ */

static void
socket_forget(struct curl_loop *c, struct socket_watch *s)
{
	if (s == NULL)
		return;
	watch_stop(&s->watch);
	c->n_sockets--;
	free(s);
}

static struct socket_watch *
socket_first_seen(struct curl_loop *c, curl_socket_t fd)
{
	struct socket_watch *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->curl = c;
	watch_init(&s->watch, c->loop, fd, on_ready, s);
	check(curl_multi_assign(c->multi, fd, s) == CURLM_OK);
	c->n_sockets++;
	return s;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct curl_loop *c = arg;
	struct socket_watch *s = watch;
	struct hop *hop = NULL;
	unsigned want = 0;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &hop) == CURLE_OK &&
	    hop != NULL)
		hop_at_socket(
		    hop, what == CURL_POLL_REMOVE ? CURL_SOCKET_BAD : fd);
	if (what == CURL_POLL_REMOVE) {
		socket_forget(c, s);
		return 0;
	}
	if (s == NULL)
		s = socket_first_seen(c, fd);
	if (s == NULL)
		return -1; /* libcurl fails the transfers */
	if (what & CURL_POLL_IN)
		want |= WATCH_READ;
	if (what & CURL_POLL_OUT)
		want |= WATCH_WRITE;
	watch_set(&s->watch, want);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_loop *c = arg;

	(void)multi;
	if (timeout_ms < 0)
		timer_stop(&c->timer);
	else
		timer_set(&c->timer, (uint64_t)timeout_ms);
	return 0;
}

/* ---- for hops ---------------------------------------------------------- */

int
curl_loop_add(struct curl_loop *c, CURL *easy)
{
	check(!c->is_inside);
	return curl_multi_add_handle(c->multi, easy) == CURLM_OK ? 0 : -1;
}

void
curl_loop_remove(struct curl_loop *c, CURL *easy)
{
	check(!c->is_inside);
	check(curl_multi_remove_handle(c->multi, easy) == CURLM_OK);
}

CURLcode
curl_loop_resume(struct curl_loop *c, CURL *easy)
{
	CURLcode code;

	check(!c->is_inside);
	c->is_inside = true;
	code = curl_easy_pause(easy, CURLPAUSE_CONT);
	c->is_inside = false;
	return code;
}

bool
curl_loop_is_inside(const struct curl_loop *c)
{
	return c->is_inside;
}

/* ---- birth and death --------------------------------------------------- */

static void
multi_set_up(struct curl_loop *c)
{
	CURLM *m = c->multi;

	check(curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, on_socket) == 0);
	check(curl_multi_setopt(m, CURLMOPT_SOCKETDATA, c) == 0);
	check(curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, on_timer) == 0);
	check(curl_multi_setopt(m, CURLMOPT_TIMERDATA, c) == 0);
	check(curl_multi_setopt(
		  m, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) == 0);
	check(curl_multi_setopt(
		  m, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX) == 0);
}

struct curl_loop *
curl_loop_new(struct loop *loop, struct err *err)
{
	struct curl_loop *c = calloc(1, sizeof(*c));

	if (c != NULL && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(c);
		c = NULL;
	}
	if (c != NULL) {
		c->loop = loop;
		timer_init(&c->timer, loop, on_timeout, c);
		c->multi = curl_multi_init();
	}
	if (c == NULL || c->multi == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "out of memory for libcurl");
		curl_loop_free(c);
		return NULL;
	}
	multi_set_up(c);
	return c;
}

void
curl_loop_free(struct curl_loop *c)
{
	if (c == NULL)
		return;
	if (c->multi != NULL)
		check(curl_multi_cleanup(c->multi) == CURLM_OK);
	timer_stop(&c->timer);
	check(c->n_sockets == 0);
	curl_global_cleanup();
	free(c);
}
