/*
 * test_replies.c - bodies that are borrowed, come from files, wait, go on from
 * another file, or are cut.
 */
#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"
#include "loop/work.h"
#include "peer.h"
#include "rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define STEP 1000

static struct rig rig;

static int
set_up(void **state)
{
	(void)state;
	rig_init(&rig);
	rig_open(&rig);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_close(&rig);
	return 0;
}

static void
assert_pattern(const char *bytes, uint64_t offset, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (bytes[i] != rig_byte(offset + i))
			fail_msg("byte %zu of %zu is wrong", i, n);
	}
}

/* Reads N body bytes that are those at OFFSET. */
static void
read_pattern(int fd, uint64_t offset, size_t n)
{
	char *bytes = malloc(n);

	assert_non_null(bytes);
	peer_read(fd, bytes, n);
	assert_pattern(bytes, offset, n);
	free(bytes);
}

static void
assert_nothing_to_read(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

/* After it, all that the loop was asked before is done. */
static void
settle(void)
{
	int fd = peer_connect(rig.port);

	peer_ask(fd, GET("/hello"), 200);
	(void)close(fd);
}

static void
large_bodies(void **state)
{
	int fd = peer_connect_narrow(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd, GET("/big") GET("/file") GET("/hello"));
	peer_reply(fd, &r);
	assert_int_equal(r.n, RIG_BIG_BYTES);
	assert_pattern(r.body, 0, r.n);
	reply_done(&r);
	peer_reply(fd, &r);
	assert_int_equal(r.n, RIG_FILE_BYTES);
	assert_pattern(r.body, 0, r.n);
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	rig_wait_ended(&rig, 3);
	assert_int_equal(rig_ended_as(&rig, END_SENT), 3);
	(void)close(fd);
}

static void
body_sent_is_counted(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_ask(fd, GET("/hello"), 200);
	rig_wait_ended(&rig, 1);
	assert_int_equal(rig.body_sent, 6);
	assert_int_equal(rig.status, 200);
	peer_ask(fd, GET("/big"), 200);
	rig_wait_ended(&rig, 2);
	assert_int_equal(rig.body_sent, RIG_BIG_BYTES);
	peer_ask(fd, GET("/file"), 200);
	rig_wait_ended(&rig, 3);
	assert_int_equal(rig.body_sent, RIG_FILE_BYTES);
	(void)close(fd);
}

static void
peer_values_end_no_line(void **state)
{
	int fd = peer_connect(rig.port);
	struct reply r;

	(void)state;
	peer_send(fd, GET("/file"));
	peer_reply(fd, &r);
	assert_memory_equal(
	    reply_find(&r, "X-Split"), "one  X-Injected: two\r\n", 22);
	assert_null(reply_find(&r, "X-Injected"));
	reply_done(&r);
	(void)close(fd);
}

static void
head_that_does_not_fit(void **state)
{
	int fd = peer_connect(rig.port);

	(void)state;
	peer_ask(fd, GET("/wide"), 500);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	(void)close(fd);
}

/* ---- replies that come later -------------------------------------------- */

static void
late_hello(struct rig *r)
{
	reply_text(r->held, 200, "text/plain", STR("late\n"));
}

static void
late_file(struct rig *r)
{
	reply_start(r->held, 206);
	reply_file(r->held, shared_fd_ref(r->file), 500, 4 * STEP, 500 + STEP);
}

static void
allow_more(struct rig *r)
{
	r->position = reply_position(r->held);
	reply_allow(r->held, r->position + STEP);
}

static void
allow_less(struct rig *r)
{
	reply_allow(r->held, 500);
	r->position = reply_position(r->held);
}

static void
allow_all(struct rig *r)
{
	if (r->held != NULL)
		reply_allow(r->held, UINT64_MAX);
}

static void
cut(struct rig *r)
{
	reply_cut(r->held);
}

static int
ask_late(void (*answer)(struct rig *))
{
	int fd = peer_connect(rig.port);
	unsigned n = rig.n_called;

	peer_send(fd, GET("/late") GET("/hello"));
	rig_wait_called(&rig, n + 1);
	rig_call(&rig, answer);
	return fd;
}

static void
late_reply(void **state)
{
	int fd = ask_late(late_hello);
	struct reply r;

	(void)state;
	peer_reply(fd, &r);
	assert_string_equal(r.body, "late\n");
	reply_done(&r);
	peer_reply(fd, &r);
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	(void)close(fd);
}

static void
allowed_in_steps(void **state)
{
	int fd = ask_late(late_file);
	struct reply r;
	uint64_t i;

	(void)state;
	peer_head(fd, &r);
	for (i = 0; i < 4; i++) {
		read_pattern(fd, 500 + i * STEP, STEP);
		if (i == 3)
			break;
		assert_nothing_to_read(fd);
		rig_call(&rig, allow_more);
		assert_int_equal(rig.position, 500 + (i + 1) * STEP);
	}
	peer_reply(fd, &r); /* of the request behind it */
	assert_string_equal(r.body, "hello\n");
	reply_done(&r);
	(void)close(fd);
}

/* The head goes out before any byte may. */
static void
late_file_of_nothing_yet(struct rig *r)
{
	reply_start(r->held, 200);
	reply_file(r->held, shared_fd_ref(r->file), 500, STEP, 0);
}

static void
head_before_bytes(void **state)
{
	int fd = ask_late(late_file_of_nothing_yet);
	struct reply r;

	(void)state;
	peer_head(fd, &r);
	assert_int_equal(r.status, 200);
	assert_nothing_to_read(fd);
	rig_call(&rig, allow_all);
	read_pattern(fd, 500, STEP);
	(void)close(fd);
}

/* ---- streams ------------------------------------------------------------ */

static void
late_stream(struct rig *r)
{
	reply_start(r->held, 200);
	reply_stream(r->held, shared_fd_ref(r->file));
}

static void
allow_step(struct rig *r)
{
	reply_allow(r->held, STEP);
}

static void
stop_stream(struct rig *r)
{
	reply_stop(r->held);
}

/* As long as it goes on, and not a byte more; then the connection ends, though
 * another request waits. */
static void
streamed(void **state)
{
	int fd = ask_late(late_stream);
	struct reply r;

	(void)state;
	peer_head(fd, &r);
	assert_int_equal(r.status, 200);
	assert_null(reply_find(&r, "Content-Length"));
	assert_memory_equal(reply_find(&r, "Connection"), "close", 5);
	assert_nothing_to_read(fd);
	rig_call(&rig, allow_step);
	read_pattern(fd, 0, STEP);
	settle();
	assert_nothing_to_read(fd);
	rig_call(&rig, stop_stream);
	assert_int_equal(peer_until_end(fd, NULL), PEER_EOF);
	assert_int_equal(rig_ended_as(&rig, END_SENT), 2); /* and settle()'s */
	(void)close(fd);
}

/* ---- allowances taken back ----------------------------------------------- */

/* Below the position: it stops where it is. */
static void
allowance_taken_back(void **state)
{
	int fd = ask_late(late_file);
	struct reply r;

	(void)state;
	peer_head(fd, &r);
	read_pattern(fd, 500, STEP);
	rig_call(&rig, allow_less);
	assert_int_equal(rig.position, 500 + STEP);
	settle();
	assert_nothing_to_read(fd);
	rig_call(&rig, allow_all);
	read_pattern(fd, 500 + STEP, 3 * STEP);
	(void)close(fd);
}

static void
swap(struct rig *r)
{
	char other[4 * STEP];
	int fd = memfd_create("swap", MFD_CLOEXEC);

	check(fd >= 0);
	memset(other, 'S', sizeof(other));
	check(pwrite(fd, other, sizeof(other), 500) == sizeof(other));
	reply_swap(r->held, shared_fd_new(fd));
	reply_allow(r->held, UINT64_MAX);
}

static void
swapped(void **state)
{
	char bytes[3 * STEP];
	int fd = ask_late(late_file);
	struct reply r;
	size_t i;

	(void)state;
	peer_head(fd, &r);
	read_pattern(fd, 500, STEP);
	rig_call(&rig, swap);
	peer_read(fd, bytes, sizeof(bytes));
	for (i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 'S');
	(void)close(fd);
}

/* ---- ends --------------------------------------------------------------- */

/* Partial data, then a FIN, even over bytes that nobody read. */
static void
cut_is_a_fin(void **state)
{
	char junk[100000];
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 24);
	memset(junk, 'x', sizeof(junk));
	peer_send(fd, GET("/cut"));
	peer_send_bytes(fd, junk, sizeof(junk));
	rig_wait_called(&rig, 1);
	rig_call(&rig, cut);
	peer_send_bytes(fd, junk, sizeof(junk));
	rig_wait_ended(&rig, 1);
	peer_send_bytes(fd, junk, sizeof(junk));
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_true(out.n > 0 && out.n < RIG_FILE_BYTES);
	assert_memory_equal(out.p, "HTTP/1.1 200 OK\r\n", 17);
	assert_int_equal(rig_ended_as(&rig, END_CUT), 1);
	(void)close(fd);
	rig_wait_connections(&rig, 0);
	buf_done(&out);
}

static void
cut_without_a_head(void **state)
{
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 16);
	peer_send(fd, GET("/none") GET("/hello"));
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_int_equal(out.n, 0);
	rig_wait_ended(&rig, 1);
	assert_int_equal(rig.status, 0);
	assert_int_equal(rig_ended_as(&rig, END_CUT), 1);
	(void)close(fd);
	buf_done(&out);
}

static void
file_shorter_than_its_reply(void **state)
{
	struct buf out;
	int fd = peer_connect(rig.port);

	(void)state;
	buf_init(&out, 1u << 16);
	peer_send(fd, GET("/short"));
	assert_int_equal(peer_until_end(fd, &out), PEER_EOF);
	assert_pattern(out.p + out.n - 100, RIG_FILE_BYTES - 100, 100);
	rig_wait_ended(&rig, 1);
	assert_int_equal(rig_ended_as(&rig, END_CUT), 1);
	assert_int_equal(rig.body_sent, 100);
	(void)close(fd);
	buf_done(&out);
}

static void
client_resets(void **state)
{
	int late = peer_connect(rig.port);
	int big = peer_connect_narrow(rig.port);

	(void)state;
	peer_send(late, GET("/late"));
	rig_wait_called(&rig, 1);
	peer_reset(late);
	rig_wait_ended(&rig, 1);
	peer_send(big, GET("/file"));
	rig_wait_called(&rig, 2);
	peer_reset(big);
	rig_wait_ended(&rig, 2);
	assert_int_equal(rig_ended_as(&rig, END_GONE), 2);
	rig_wait_connections(&rig, 0);
}

/* A client that closed is noticed when it is written to. */
static void
client_closes(void **state)
{
	int fd = ask_late(late_file);
	struct reply r;

	(void)state;
	peer_head(fd, &r);
	read_pattern(fd, 500, STEP);
	(void)close(fd);
	while (rig_ended_as(&rig, END_GONE) == 0 &&
	    rig_ended_as(&rig, END_SENT) == 0)
		rig_call(&rig, allow_all);
	rig_wait_connections(&rig, 0);
}

/* ---- disks -------------------------------------------------------------- */

struct blocker {
	struct work work;
	sem_t started, go, done;
};

static void
blocker_run(struct work *work)
{
	struct blocker *b = container_of(work, struct blocker, work);

	(void)sem_post(&b->started);
	(void)sem_wait(&b->go);
}

static void
blocker_done(struct work *work)
{
	(void)sem_post(&container_of(work, struct blocker, work)->done);
}

static void
block_readers(struct blocker *b)
{
	b->work.home = rig.loop;
	b->work.run = blocker_run;
	b->work.done = blocker_done;
	(void)sem_init(&b->started, 0, 0);
	(void)sem_init(&b->go, 0, 0);
	(void)sem_init(&b->done, 0, 0);
	work_submit(rig.readers, &b->work);
	(void)sem_wait(&b->started);
}

/* The rig's file, on a disk, and not in the page cache. */
static bool
put_on_disk(void)
{
	char path[] = "./http-replies-XXXXXX";
	char *bytes = malloc(RIG_FILE_BYTES);
	struct iovec iov = { bytes, 1 };
	bool is_dropped;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && bytes != NULL);
	(void)unlink(path);
	assert_int_equal(
	    pread(rig.file->fd, bytes, RIG_FILE_BYTES, 0), RIG_FILE_BYTES);
	assert_int_equal(write(fd, bytes, RIG_FILE_BYTES), RIG_FILE_BYTES);
	assert_int_equal(fsync(fd), 0);
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	is_dropped = preadv2(fd, &iov, 1, 0, RWF_NOWAIT) < 0 && errno == EAGAIN;
	free(bytes);
	shared_fd_unref(rig.file);
	rig.file = shared_fd_new(fd);
	return is_dropped;
}

static void
disk_is_read_ahead(void **state)
{
	struct blocker b;
	int fd = peer_connect(rig.port);
	int leaver = peer_connect(rig.port);
	struct reply r;

	(void)state;
	if (!put_on_disk())
		skip(); /* a file system that is all cache */
	block_readers(&b);
	peer_send(fd, GET("/file"));
	peer_send(leaver, GET("/file"));
	peer_head(fd, &r);
	peer_head(leaver, &r);
	settle(); /* the loop goes on meanwhile */
	assert_nothing_to_read(fd);
	peer_reset(leaver);
	rig_wait_ended(&rig, 2);
	assert_int_equal(rig_ended_as(&rig, END_GONE), 1);
	(void)sem_post(&b.go);
	read_pattern(fd, 0, RIG_FILE_BYTES);
	(void)sem_wait(&b.done);
	(void)close(fd);
}

static void
closing_while_a_disk_is_read(void **state)
{
	struct blocker b;
	int fd = peer_connect(rig.port);

	(void)state;
	if (!put_on_disk())
		skip();
	block_readers(&b);
	peer_send(fd, GET("/file"));
	rig_wait_called(&rig, 1);
	(void)sem_post(&b.go);
	(void)sem_wait(&b.done);
	rig_close(&rig); /* with a read queued, running or done */
	(void)close(fd);
	rig_init(&rig);
	rig_open(&rig);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(large_bodies),
		TEST(body_sent_is_counted),
		TEST(peer_values_end_no_line),
		TEST(head_that_does_not_fit),
		TEST(late_reply),
		TEST(allowed_in_steps),
		TEST(head_before_bytes),
		TEST(streamed),
		TEST(allowance_taken_back),
		TEST(swapped),
		TEST(cut_is_a_fin),
		TEST(cut_without_a_head),
		TEST(file_shorter_than_its_reply),
		TEST(client_resets),
		TEST(client_closes),
		TEST(disk_is_read_ahead),
		TEST(closing_while_a_disk_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
