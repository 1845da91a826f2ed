/*
 * rig.c - a server under test.
 */
#include "rig.h"

#include <netinet/in.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"
#include "common/metrics.h"
#include "http/listener.h"
#include "loop/work.h"

#define PATIENCE_S 60
#define PRIME 251u

char
rig_byte(uint64_t at)
{
	return (char)(at % PRIME);
}

/* ---- the handler -------------------------------------------------------- */

static void
on_end(struct exchange *x, enum exchange_end how)
{
	struct rig *rig = x->owner;

	(void)pthread_mutex_lock(&rig->lock);
	if (rig->held == x)
		rig->held = NULL;
	rig->n_ended++;
	rig->n_ended_as[how]++;
	rig->body_sent = x->body_sent;
	rig->status = x->status;
	check(x->body_sent == 0 || x->first_byte_us >= x->started_us);
	(void)pthread_cond_broadcast(&rig->changed);
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
answer_hello(struct exchange *x)
{
	reply_text(x, 200, "text/plain", STR("hello\n"));
}

static void
answer_echo(struct exchange *x)
{
	reply_text(x, 200, "application/octet-stream", x->request.body);
}

static void
answer_big(struct exchange *x)
{
	struct rig *rig = x->owner;

	reply_text(x, 200, "application/octet-stream",
	    (struct str){ rig->big, RIG_BIG_BYTES });
}

static void
answer_file(struct exchange *x)
{
	struct rig *rig = x->owner;

	reply_start(x, 200);
	reply_header(x, "X-Split", STR("one\r\nX-Injected: two"));
	reply_file(
	    x, shared_fd_ref(rig->file), 0, RIG_FILE_BYTES, RIG_FILE_BYTES);
}

static void
answer_short(struct exchange *x)
{
	struct rig *rig = x->owner;

	reply_start(x, 200);
	reply_file(
	    x, shared_fd_ref(rig->file), RIG_FILE_BYTES - 100, 200, UINT64_MAX);
}

static void
answer_cut(struct exchange *x)
{
	struct rig *rig = x->owner;

	reply_start(x, 200);
	reply_file(
	    x, shared_fd_ref(rig->file), 0, RIG_FILE_BYTES, RIG_FILE_BYTES / 2);
	(void)pthread_mutex_lock(&rig->lock);
	rig->held = x;
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
answer_none(struct exchange *x)
{
	reply_cut(x);
}

static void
answer_wide(struct exchange *x)
{
	struct rig *rig = x->owner;
	unsigned i;

	reply_start(x, 200);
	for (i = 0; i < 100; i++)
		reply_headerf(x, "X-Wide", "%050u", i);
	reply_file(
	    x, shared_fd_ref(rig->file), 0, RIG_FILE_BYTES, RIG_FILE_BYTES);
}

static void
answer_who(struct exchange *x)
{
	reply_text(x, 200, "text/plain",
	    arena_printf(&x->arena, "%.*s %.*s %s", STR_ARG(x->peer_text),
		STR_ARG(x->client_name), x->is_tls ? "tls" : "plain"));
}

static void
answer_late(struct exchange *x)
{
	struct rig *rig = x->owner;

	(void)pthread_mutex_lock(&rig->lock);
	rig->held = x;
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
handle(struct exchange *x, void *arg)
{
	static const struct {
		const char *path;
		void (*answer)(struct exchange *);
	} answers[] = {
		{ "/hello", answer_hello },
		{ "/echo", answer_echo },
		{ "/big", answer_big },
		{ "/file", answer_file },
		{ "/short", answer_short },
		{ "/cut", answer_cut },
		{ "/none", answer_none },
		{ "/wide", answer_wide },
		{ "/who", answer_who },
		{ "/late", answer_late },
	};
	struct rig *rig = arg;
	size_t i = 0;

	x->owner = rig;
	x->on_end = on_end;
	while (i < sizeof(answers) / sizeof(answers[0]) &&
	    !str_eqz(x->request.path, answers[i].path))
		i++;
	if (i < sizeof(answers) / sizeof(answers[0]))
		answers[i].answer(x);
	else
		reply_text(x, 404, "text/plain", x->request.target);
	(void)pthread_mutex_lock(&rig->lock);
	rig->n_called++;
	(void)pthread_cond_broadcast(&rig->changed);
	(void)pthread_mutex_unlock(&rig->lock);
}

/* ---- talking to the loop ------------------------------------------------ */

struct call {
	struct letter letter;
	struct rig *rig;
	void (*fn)(struct rig *);
	sem_t done;
};

static void
on_call(struct letter *letter)
{
	struct call *call = container_of(letter, struct call, letter);

	call->fn(call->rig);
	(void)sem_post(&call->done);
}

void
rig_call(struct rig *rig, void (*fn)(struct rig *))
{
	struct call call = { .letter.deliver = on_call, .rig = rig, .fn = fn };

	assert_int_equal(sem_init(&call.done, 0, 0), 0);
	loop_post(rig->loop, &call.letter);
	assert_int_equal(sem_wait(&call.done), 0);
	(void)sem_destroy(&call.done);
}

static void
wait_until(
    struct rig *rig, bool (*is_so)(const struct rig *, unsigned), unsigned n)
{
	struct timespec until;
	int error = 0;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	(void)pthread_mutex_lock(&rig->lock);
	while (error == 0 && !is_so(rig, n))
		error =
		    pthread_cond_timedwait(&rig->changed, &rig->lock, &until);
	(void)pthread_mutex_unlock(&rig->lock);
	assert_int_equal(error, 0);
}

static bool
has_called(const struct rig *rig, unsigned n)
{
	return rig->n_called >= n;
}

static bool
has_ended(const struct rig *rig, unsigned n)
{
	return rig->n_ended >= n;
}

void
rig_wait_called(struct rig *rig, unsigned n)
{
	wait_until(rig, has_called, n);
}

void
rig_wait_ended(struct rig *rig, unsigned n)
{
	wait_until(rig, has_ended, n);
}

/* A gauge of the whole process: one rig at a time. */
void
rig_wait_connections(struct rig *rig, size_t n)
{
	time_t until = time(NULL) + PATIENCE_S;

	(void)rig;
	while (metric_value(metric_get(M_connections)) != (int64_t)n) {
		assert_true(time(NULL) < until);
		(void)sched_yield();
	}
}

unsigned
rig_ended_as(struct rig *rig, enum exchange_end how)
{
	unsigned n;

	(void)pthread_mutex_lock(&rig->lock);
	n = rig->n_ended_as[how];
	(void)pthread_mutex_unlock(&rig->lock);
	return n;
}

/* ---- opening and closing ------------------------------------------------ */

static struct shared_fd *
make_file(void)
{
	char piece[4096];
	uint64_t at = 0;
	size_t i;
	int fd = memfd_create("rig", MFD_CLOEXEC);

	assert_true(fd >= 0);
	while (at < RIG_FILE_BYTES) {
		for (i = 0; i < sizeof(piece); i++)
			piece[i] = rig_byte(at + i);
		assert_int_equal(
		    write(fd, piece, sizeof(piece)), (ssize_t)sizeof(piece));
		at += sizeof(piece);
	}
	return shared_fd_new(fd);
}

void
rig_init(struct rig *rig)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	size_t i;

	memset(rig, 0, sizeof(*rig));
	metrics_init();
	rig->address.text = "127.0.0.1:0";
	memcpy(&rig->address.sa, &in4, sizeof(in4));
	rig->address.len = sizeof(in4);
	rig->spec.limits = (struct config_limits){ .connections = 10000,
		.head_bytes = 16384,
		.head_timeout_ms = 60000,
		.idle_timeout_ms = 60000,
		.drain_ms = 60000 };
	rig->spec.body_max = 1u << 20;
	rig->big = malloc(RIG_BIG_BYTES);
	assert_non_null(rig->big);
	for (i = 0; i < RIG_BIG_BYTES; i++)
		rig->big[i] = rig_byte(i);
	rig->file = make_file();
	(void)pthread_mutex_init(&rig->lock, NULL);
	(void)pthread_cond_init(&rig->changed, NULL);
}

void
rig_open(struct rig *rig)
{
	struct sockaddr_in in4; /* the port is where IPv6 has it */
	struct err err;

	rig->loop = loop_new("rig", &err);
	rig->quota = http_quota_new(&err);
	rig->readers = work_pool_new("readers", 1, &err);
	assert_non_null(rig->loop);
	assert_non_null(rig->quota);
	assert_non_null(rig->readers);
	assert_int_equal(
	    listener_open(&rig->address, 1, &rig->spec.listen_fd, &err), 0);
	memcpy(&in4, &rig->address.sa, sizeof(in4));
	rig->port = ntohs(in4.sin_port);
	rig->spec.loop = rig->loop;
	rig->spec.quota = rig->quota;
	rig->spec.readers = rig->readers;
	rig->spec.handler = handle;
	rig->spec.arg = rig;
	rig->server = http_server_open(&rig->spec, &err);
	assert_non_null(rig->server);
	assert_int_equal(loop_start(rig->loop, &err), 0);
}

void
rig_close(struct rig *rig)
{
	loop_stop(rig->loop);
	loop_join(rig->loop);
	http_server_close(rig->server);
	assert_int_equal(metric_value(metric_get(M_connections)), 0);
	assert_int_equal(rig->n_called, rig->n_ended);
	work_pool_free(rig->readers);
	loop_free(rig->loop);
	http_quota_free(rig->quota);
	assert_int_equal(atomic_load(&rig->file->refs.n), 1);
	shared_fd_unref(rig->file);
	free(rig->big);
	(void)pthread_cond_destroy(&rig->changed);
	(void)pthread_mutex_destroy(&rig->lock);
	metrics_done();
}
