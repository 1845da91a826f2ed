/*
 * test_credentials.c - helpers, files, and who is asked how often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/check.h"
#include "rig.h"
#include "upstream/credentials.h"

/* What it prints is told by its server; it notes each call. */
static const char helper[] =
    "#!/bin/sh\n"
    "read server\n"
    "echo \"$1 $server\" >>\"$HELPER_CALLS\"\n"
    "case $server in\n"
    "plain.test) echo '{\"Username\":\"u\",\"Secret\":\"s\"}' ;;\n"
    "token.test) echo '{\"Username\":\"<token>\",\"Secret\":\"T\"}' ;;\n"
    "none.test) echo credentials not found in native keychain; exit 1 ;;\n"
    "fails.test) echo GEHEIM; exit 3 ;;\n"
    "killed.test) kill -9 $$ ;;\n"
    "hangs.test) exec cat /dev/zero >/dev/null ;;\n"
    "lingers.test) echo '{}'; exec cat /dev/zero >/dev/null 2>&1 ;;\n"
    "floods.test) exec cat /dev/zero ;;\n"
    "babbles.test) echo GEHEIM ;;\n"
    "esac\n";

static struct rig rig;
static struct credential_desk *desk;
static char calls[256];

static void
open_desk(void *arg)
{
	struct err err;

	(void)arg;
	desk = credential_desk_new(rig.loop, rig.pool, &err);
	check(desk != NULL);
}

static void
close_desk(void *arg)
{
	(void)arg;
	credential_desk_free(desk);
	desk = NULL;
}

static int
set_up(void **state)
{
	char path[256], search[512];

	(void)state;
	rig_start(&rig);
	rig_file(
	    &rig, "docker-credential-far", helper, sizeof(helper) - 1, path);
	check(chmod(path, 0755) == 0);
	rig_file(&rig, "calls", "", 0, calls);
	(void)snprintf(search, sizeof(search), "%s:/usr/bin:/bin", rig.folder);
	check(setenv("PATH", search, 1) == 0);
	check(setenv("HELPER_CALLS", calls, 1) == 0);
	rig_run(&rig, open_desk, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rig_run(&rig, close_desk, NULL);
	rig_stop(&rig);
	return 0;
}

static unsigned
count_calls(void)
{
	FILE *f = fopen(calls, "r");
	unsigned n = 0;
	int c;

	check(f != NULL);
	while ((c = fgetc(f)) != EOF)
		n += c == '\n';
	(void)fclose(f);
	return n;
}

/* ---- helpers ----------------------------------------------------------- */

static void
helpers(void **state)
{
	static const struct {
		const char *name, *server;
		int timeout_ms;
		const char *out;  /* NULL: fails */
		const char *says; /* then */
	} cases[] = {
		{ "far", "plain.test", 10000,
		    "{\"Username\":\"u\",\"Secret\":\"s\"}\n", NULL },
		{ "far", "none.test", 10000, "", NULL },
		{ "far", "fails.test", 10000, NULL,
		    "docker-credential-far failed with status 3" },
		{ "far", "killed.test", 10000, NULL, "by signal 9" },
		{ "far", "hangs.test", 100, NULL, "took too long" },
		{ "far", "lingers.test", 300, NULL, "took too long" },
		{ "far", "floods.test", 10000, NULL, "more than 4096 bytes" },
		{ "missing", "plain.test", 10000, NULL,
		    "starting docker-credential-missing" },
	};
	struct buf out;
	struct err err;
	int rc;

	(void)state;
	buf_init(&out, 8192);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_reset(&out);
		rc = credential_helper_run(cases[i].name, cases[i].server,
		    cases[i].timeout_ms, &out, &err);
		if ((rc == 0) != (cases[i].out != NULL))
			fail_msg("%s: %d", cases[i].server, rc);
		if (rc == 0)
			assert_true(str_eqz(buf_str(&out), cases[i].out));
		else if (strstr(err.text, cases[i].says) == NULL ||
		    strstr(err.text, "GEHEIM") != NULL)
			fail_msg("%s: %s", cases[i].server, err.text);
	}
	buf_done(&out);
}

/* ---- asking ------------------------------------------------------------ */

struct question {
	struct credential_wait wait;
	struct config_auth auth;
	const char *host;
	bool anew;
	char answer[800]; /* "user:password identity", or the error */
	bool has_failed;
	sem_t told;
};

static void
on_ready(struct credential_wait *w, const struct credentials *c,
    const struct err *err)
{
	struct question *q = container_of(w, struct question, wait);

	q->has_failed = err != NULL;
	(void)snprintf(q->answer, sizeof(q->answer), "%s%s%s%s%s",
	    err != NULL ? err->text : "",
	    c->username == NULL ? "" : c->username,
	    c->username == NULL ? "" : ":",
	    c->password == NULL ? "" : c->password,
	    c->identity_token == NULL ? "" : c->identity_token);
	check(sem_post(&q->told) == 0);
}

static void
ask_here(void *arg)
{
	struct question *q = arg;
	struct err err;

	q->wait.on_ready = on_ready;
	q->answer[0] = '\0';
	check(credentials_ask(
		  desk, &q->auth, q->host, q->anew, &q->wait, &err) == 0);
	check(q->answer[0] == '\0'); /* not before we have returned */
}

static const char *
ask(struct question *q)
{
	check(sem_init(&q->told, 0, 0) == 0);
	rig_run(&rig, ask_here, q);
	check(sem_wait(&q->told) == 0);
	check(sem_destroy(&q->told) == 0);
	return q->answer;
}

/* A question whose answer stands in a config.json. */
static struct question
about(const char *json, const char *host, char path[256])
{
	rig_file(&rig, "config.json", json, strlen(json), path);
	return (struct question){ .auth.docker_config = path, .host = host };
}

static void
docker_configs(void **state)
{
	static const struct {
		const char *json, *host, *answer;
		bool fails;
	} cases[] = {
		{ "{\"auths\":{\"a.test\":{\"auth\":\"dTpwOnE=\"}}}", "a.test",
		    "u:p:q", false },
		{ "{\"auths\":{\"a.test\":{\"auth\":\"dTpwOnE=\"}}}", "b.test",
		    "", false },
		{ "{\"auths\":{\"a.test\":{\"auth\":\"dTo=\","
		  "\"identitytoken\":\"I\"}}}",
		    "a.test", "u:I", false },
		{ "{\"auths\":{\"a.test\":{\"username\":\"u\","
		  "\"password\":\"p\"}}}",
		    "a.test", "u:p", false },
		{ "{\"auths\":{\"a.test\":{\"auth\":\"!\"}}}", "a.test",
		    "`auth` is not base64", true },
		{ "{\"auths\":{\"a.test\":{\"auth\":\"dXA=\"}}}", "a.test",
		    "`auth` is not made of", true },
		{ "nonsense", "a.test", "not JSON", true },
		{ "{\"credsStore\":\"far\"}", "plain.test", "u:s", false },
		{ "{\"credsStore\":\"far\"}", "token.test", "T", false },
		{ "{\"credsStore\":\"far\"}", "none.test", "", false },
		{ "{\"credsStore\":\"far\"}", "fails.test", "status 3", true },
		{ "{\"credsStore\":\"far\"}", "babbles.test", "not JSON",
		    true },
		{ "{\"credsStore\":\"missing\"}", "a.test",
		    "docker-credential-missing", true },
	};
	char path[256];
	struct question q;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		q = about(cases[i].json, cases[i].host, path);
		(void)ask(&q);
		if (q.has_failed != cases[i].fails ||
		    strstr(q.answer, cases[i].answer) == NULL ||
		    (!q.has_failed && strcmp(q.answer, cases[i].answer) != 0) ||
		    strstr(q.answer, "GEHEIM") != NULL)
			fail_msg("%s: %s", cases[i].json, q.answer);
	}
}

static void
password_files(void **state)
{
	static const struct {
		const char *text, *answer;
	} cases[] = {
		{ "geheim", "me:geheim" },
		{ "geheim\n", "me:geheim" },
		{ "geheim\r\n", "me:geheim" },
		{ " two words \n", "me: two words " },
		{ "", "holds no password" },
		{ "\n", "holds no password" },
	};
	char path[256];
	struct question q;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_file(&rig, "password", cases[i].text, strlen(cases[i].text),
		    path);
		q = (struct question){ .auth = { .username = "me",
					   .password_file = path },
			.host = "a.test" };
		assert_non_null(strstr(ask(&q), cases[i].answer));
	}
	q.auth.password_file = "/nowhere/password";
	assert_non_null(strstr(ask(&q), "/nowhere/password: No such file"));
	assert_true(q.has_failed);
}

static void
a_helpers_answer_is_kept(void **state)
{
	char path[256];
	struct question q =
	    about("{\"credsStore\":\"far\"}", "plain.test", path);

	(void)state;
	assert_string_equal(ask(&q), "u:s");
	assert_string_equal(ask(&q), "u:s");
	assert_int_equal(count_calls(), 1);
	q.anew = true; /* it was refused */
	assert_string_equal(ask(&q), "u:s");
	assert_int_equal(count_calls(), 2);
	q.anew = false;
	q.host = "token.test";
	assert_string_equal(ask(&q), "T");
	assert_int_equal(count_calls(), 3);
}

#define N_ASKERS 20

static void
ask_all(void *arg)
{
	struct question *q = arg;

	for (size_t i = 0; i < N_ASKERS; i++)
		ask_here(&q[i]);
	/* two have changed their minds */
	credentials_leave(&q[0].wait);
	credentials_leave(&q[7].wait);
	credentials_leave(&q[7].wait);
}

static void
askers_share_an_answer(void **state)
{
	struct question q[N_ASKERS];
	char path[256];

	(void)state;
	for (size_t i = 0; i < N_ASKERS; i++) {
		q[i] = about("{\"credsStore\":\"far\"}", "plain.test", path);
		check(sem_init(&q[i].told, 0, 0) == 0);
	}
	rig_run(&rig, ask_all, q);
	for (size_t i = 0; i < N_ASKERS; i++) {
		if (i == 0 || i == 7)
			continue;
		check(sem_wait(&q[i].told) == 0);
		assert_string_equal(q[i].answer, "u:s");
	}
	assert_int_equal(count_calls(), 1);
	assert_string_equal(q[0].answer, "");
	for (size_t i = 0; i < N_ASKERS; i++)
		check(sem_destroy(&q[i].told) == 0);
}

/* Whoever asks anew while an answer is on its way gets a newer one. */
static void
ask_and_ask_anew(void *arg)
{
	struct question *q = arg;

	ask_here(&q[0]);
	ask_here(&q[1]);
}

static void
anew_is_newer_than_what_is_on_its_way(void **state)
{
	struct question q[2];
	char path[256];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		q[i] = about("{\"credsStore\":\"far\"}", "plain.test", path);
		q[i].anew = i == 1;
		check(sem_init(&q[i].told, 0, 0) == 0);
	}
	rig_run(&rig, ask_and_ask_anew, q);
	for (size_t i = 0; i < 2; i++) {
		check(sem_wait(&q[i].told) == 0);
		assert_string_equal(q[i].answer, "u:s");
		check(sem_destroy(&q[i].told) == 0);
	}
	assert_int_equal(count_calls(), 2);
}

/* The desk is freed while a helper runs. */
static void
ask_and_go(void *arg)
{
	struct question *q = arg;

	ask_here(q);
	credentials_leave(&q->wait);
	credential_desk_free(desk);
	open_desk(NULL);
}

static void
nobody_is_there_any_more(void **state)
{
	char path[256];
	struct question q =
	    about("{\"credsStore\":\"far\"}", "plain.test", path);

	(void)state;
	rig_run(&rig, ask_and_go, &q);
	assert_string_equal(q.answer, "");
}

#define t(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		t(helpers),
		t(docker_configs),
		t(password_files),
		t(a_helpers_answer_is_kept),
		t(askers_share_an_answer),
		t(anew_is_newer_than_what_is_on_its_way),
		t(nobody_is_there_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
