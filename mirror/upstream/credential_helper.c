/*
 * credential_helper.c - runs a docker-credential helper.
 *
 * It is given a process group of its own, so that all it may have started ends
 * with it, and its question in a memory file, so that nobody waits for a reader
 * and no SIGPIPE comes.  Its complaints go to our stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "upstream/credentials.h"

#define PIECE_BYTES 4096u
#define NAME_BYTES 128
#define NOT_FOUND                                                              \
	"credentials not found" /* the protocol's words, on stdout             \
				 */

extern char **environ;

struct helper {
	char program[NAME_BYTES];
	pid_t pid;
	int question; /* the memory file */
	int answer;   /* read end of its stdout */
	uint64_t give_up_at_ms;
};

/* ---- starting ---------------------------------------------------------- */

static int
helper_ask(struct helper *h, const char *server, struct err *err)
{
	size_t n = strlen(server);

	h->question = memfd_create("question", MFD_CLOEXEC);
	if (h->question < 0 || write(h->question, server, n) != (ssize_t)n ||
	    lseek(h->question, 0, SEEK_SET) != 0)
		return err_errno(err, ERR_INTERNAL, "asking %s", h->program);
	return 0;
}

static void
spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	check(sigemptyset(&none) == 0 && sigfillset(&all) == 0);
	check(posix_spawnattr_init(attr) == 0);
	check(posix_spawnattr_setsigmask(attr, &none) == 0);
	check(posix_spawnattr_setsigdefault(attr, &all) == 0);
	check(posix_spawnattr_setpgroup(attr, 0) == 0);
	check(posix_spawnattr_setflags(attr,
		  POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
		      POSIX_SPAWN_SETPGROUP) == 0);
}

static int
helper_spawn(struct helper *h, int its_stdout, struct err *err)
{
	char get[] = "get";
	char *argv[] = { h->program, get, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	spawn_attributes(&attr);
	check(posix_spawn_file_actions_init(&files) == 0);
	rc = posix_spawn_file_actions_adddup2(&files, h->question, 0);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&files, its_stdout, 1);
	if (rc == 0)
		rc = posix_spawnp(
		    &h->pid, h->program, &files, &attr, argv, environ);
	(void)posix_spawn_file_actions_destroy(&files);
	(void)posix_spawnattr_destroy(&attr);
	errno = rc;
	return rc == 0 ? 0
		       : err_errno(err, ERR_CONFIG, "starting %s", h->program);
}

static int
helper_start(struct helper *h, const char *server, struct err *err)
{
	int ends[2];
	int rc;

	if (helper_ask(h, server, err) != 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(err, ERR_INTERNAL, "asking %s", h->program);
	h->answer = ends[0];
	rc = helper_spawn(h, ends[1], err);
	(void)close(ends[1]);
	return rc;
}

/* ---- listening --------------------------------------------------------- */

/* Until FD can be read. */
static int
helper_wait(const struct helper *h, int fd, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t now = clock_mono_ms();
	int rc = 0;

	while (now < h->give_up_at_ms) {
		rc = poll(&p, 1, (int)(h->give_up_at_ms - now));
		if (rc > 0)
			return 0;
		if (rc < 0 && errno != EINTR)
			return err_errno(
			    err, ERR_INTERNAL, "waiting for %s", h->program);
		now = clock_mono_ms();
	}
	return err_set(
	    err, ERR_TIMED_OUT, "%s took too long and was ended", h->program);
}

static int
helper_read(const struct helper *h, struct buf *out, struct err *err)
{
	ssize_t n;
	char *room;

	do {
		if (helper_wait(h, h->answer, err) != 0)
			return -1;
		room = buf_room(out, PIECE_BYTES);
		if (room == NULL)
			return err_set(err, ERR_TOO_LARGE,
			    "%s printed more than %zu bytes", h->program,
			    out->max - PIECE_BYTES);
		n = read(h->answer, room, PIECE_BYTES);
		if (n < 0 && errno != EINTR)
			return err_errno(
			    err, ERR_INTERNAL, "reading from %s", h->program);
		out->n += n > 0 ? (size_t)n : 0;
	} while (n != 0);
	return 0;
}

/* ---- ending ------------------------------------------------------------ */

/* It has closed its stdout; it should end, too. */
static int
helper_wait_end(const struct helper *h, struct err *err)
{
	int fd = pidfd_open(h->pid, 0);
	int rc;

	if (fd < 0)
		return err_errno(
		    err, ERR_INTERNAL, "waiting for %s", h->program);
	rc = helper_wait(h, fd, err);
	(void)close(fd);
	return rc;
}

/* Its wait status. */
static int
helper_reap(const struct helper *h)
{
	int status = 0;

	while (waitpid(h->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void
helper_done(struct helper *h)
{
	if (h->question >= 0)
		(void)close(h->question);
	if (h->answer >= 0)
		(void)close(h->answer);
}

/* What the helper's end means; "not found" is an empty answer. */
static int
helper_verdict(
    const struct helper *h, int status, struct buf *out, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (str_starts(buf_str(out), STR(NOT_FOUND))) {
		buf_reset(out);
		return 0;
	}
	if (WIFEXITED(status))
		return err_set(err, ERR_CONFIG, "%s failed with status %d",
		    h->program, WEXITSTATUS(status));
	return err_set(err, ERR_CONFIG, "%s was ended by signal %d", h->program,
	    WTERMSIG(status));
}

static int
helper_listen(const struct helper *h, struct buf *out, struct err *err)
{
	int status, rc = helper_read(h, out, err);

	if (rc == 0)
		rc = helper_wait_end(h, err);
	if (rc != 0)
		(void)kill(-h->pid, SIGKILL);
	status = helper_reap(h);
	return rc == 0 ? helper_verdict(h, status, out, err) : -1;
}

int
credential_helper_run(const char *name, const char *server, int timeout_ms,
    struct buf *out, struct err *err)
{
	struct helper h = { .question = -1,
		.answer = -1,
		.give_up_at_ms = clock_mono_ms() + (uint64_t)timeout_ms };
	int rc;

	(void)snprintf(
	    h.program, sizeof(h.program), "docker-credential-%s", name);
	rc = helper_start(&h, server, err);
	if (rc == 0)
		rc = helper_listen(&h, out, err);
	helper_done(&h);
	return rc;
}
