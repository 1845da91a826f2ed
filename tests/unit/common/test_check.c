/*
 * test_check.c - a broken promise ends the process and says where.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/check.h"

/* Runs FN in a child; its stderr goes to TEXT.  Returns its wait status. */
static int
in_child(void (*fn)(void), char *text, size_t cap)
{
	int ends[2];
	int status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		(void)dup2(ends[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	(void)close(ends[1]);
	while ((got = read(ends[0], text + n, cap - 1 - n)) > 0)
		n += (size_t)got;
	text[n] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
break_promise(void)
{
	check(1 + 1 == 3);
}

static void
keep_promise(void)
{
	check(1 + 1 == 2);
}

static void
reach_unreachable(void)
{
	unreachable("the end of the world");
}

static void
break_long_promise(void)
{
	char long_text[2000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	check_failed(long_text, "file.c", 7);
}

static void
failures_abort(void **state)
{
	char text[4096];
	int status = in_child(break_promise, text, sizeof(text));

	(void)state;
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "test_check.c:"));
	assert_non_null(strstr(text, "1 + 1 == 3\n"));

	status = in_child(reach_unreachable, text, sizeof(text));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "the end of the world\n"));

	status = in_child(break_long_promise, text, sizeof(text));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_int_equal(strncmp(text, "railhead: file.c:7: ", 20), 0);
}

static void
success_does_nothing(void **state)
{
	char text[64];

	(void)state;
	assert_int_equal(in_child(keep_promise, text, sizeof(text)), 0);
	assert_string_equal(text, "");
}

struct outer {
	int before;
	int member;
};

static void
container(void **state)
{
	struct outer o;

	(void)state;
	assert_ptr_equal(container_of(&o.member, struct outer, member), &o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_abort),
		cmocka_unit_test(success_does_nothing),
		cmocka_unit_test(container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
