/*
 * test_log.c - lines as JSON and as text, and a stderr that nobody reads.
 *
 * Each test points stderr at a pipe or a file of its own for as long as it
 * logs.  jansson says whether a line is JSON.
 */
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

/* ---- stderr, caught ---------------------------------------------------- */

static int real_stderr = -1;

static void
stderr_to(int fd)
{
	real_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fd, STDERR_FILENO) == STDERR_FILENO);
	(void)close(fd);
}

static void
stderr_back(void)
{
	(void)dup2(real_stderr, STDERR_FILENO);
	(void)close(real_stderr);
	real_stderr = -1;
}

static FILE *file;

static void
catch_begin(void)
{
	file = tmpfile();
	assert_non_null(file);
	stderr_to(dup(fileno(file)));
}

/* All that was written since, to be freed. */
static char *
catch_end(void)
{
	long size;
	char *text;

	stderr_back();
	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	(void)fclose(file);
	return text;
}

/* The one line that was caught, as JSON. */
static json_t *
catch_json(void)
{
	char *text = catch_end();
	json_error_t why;
	json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, &why);

	assert_non_null(line);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	free(text);
	return line;
}

static const char *
string_of(json_t *line, const char *key)
{
	return json_string_value(json_object_get(line, key));
}

/* ---- one line ---------------------------------------------------------- */

static void
a_json_line(void **state)
{
	struct digest d;
	struct digest none = { 0 };
	struct err err;
	json_t *line;

	(void)state;
	(void)err_set(&err, ERR_DISK, "no \"space\"");
	digest_of(DIGEST_SHA256, "", 0, &d);
	catch_begin();
	log_warn("it broke", LOG_Z("who", "a\tb"), LOG_U64("n", INT64_MAX),
	    LOG_I64("i", INT64_MIN), LOG_DIGEST("digest", &d),
	    LOG_DIGEST("none", &none), LOG_ERR(&err));
	line = catch_json();
	assert_string_equal(string_of(line, "level"), "warn");
	assert_string_equal(string_of(line, "msg"), "it broke");
	assert_string_equal(string_of(line, "who"), "a\tb");
	assert_string_equal(string_of(line, "digest"),
	    "sha256:"
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(string_of(line, "none"), "");
	assert_string_equal(string_of(line, "error"), "no \"space\"");
	assert_int_equal(strlen(string_of(line, "ts")), 24);
	assert_int_equal(json_object_size(line), 9);
	json_decref(line);
}

static void
keys_come_in_order(void **state)
{
	char *text;

	(void)state;
	catch_begin();
	log_info("m", LOG_U64("z", 18446744073709551615u), LOG_U64("a", 0));
	text = catch_end();
	assert_int_equal(strncmp(text, "{\"ts\":\"2", 8), 0);
	assert_string_equal(strstr(text, "Z\","),
	    "Z\",\"level\":\"info\",\"msg\":\"m\","
	    "\"z\":18446744073709551615,\"a\":0}\n");
	free(text);
}

/* Every byte, alone: not UTF-8 from 0x80 on, shown as the character of its
 * value. */
static void
any_byte_makes_json(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char byte = (char)c;
		char want[3] = { byte };
		size_t want_n = 1;
		json_t *line, *value;

		if (c >= 0x80) {
			want[0] = (char)(0xc0 | c >> 6);
			want[1] = (char)(0x80 | (c & 0x3f));
			want_n = 2;
		}
		catch_begin();
		log_info("m", LOG_STR("b", ((struct str){ &byte, 1 })));
		if (c == 0) { /* jansson's strings have no NUL */
			char *text = catch_end();

			assert_non_null(strstr(text, "\"b\":\"\\u0000\""));
			free(text);
			continue;
		}
		line = catch_json();
		value = json_object_get(line, "b");
		assert_int_equal(json_string_length(value), want_n);
		assert_memory_equal(json_string_value(value), want, want_n);
		json_decref(line);
	}
}

static void
utf8(void **state)
{
	static const struct {
		const char *bytes;
		const char *shown;
	} rows[] = {
		{ "\xc3\xa4", "\xc3\xa4" },
		{ "\xe2\x82\xac", "\xe2\x82\xac" },
		{ "\xf0\x9f\x9a\x82", "\xf0\x9f\x9a\x82" },
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
		{ "\xc0\xaf", "\\u00c0\\u00af" },            /* overlong */
		{ "\xe0\x80\xaf", "\\u00e0\\u0080\\u00af" }, /* overlong */
		{ "\xed\xa0\x80", "\\u00ed\\u00a0\\u0080" }, /* surrogate */
		{ "\xf4\x90\x80\x80", "\\u00f4\\u0090\\u0080\\u0080" },
		{ "\xf0\x80\x80\xaf", "\\u00f0\\u0080\\u0080\\u00af" },
		{ "\xe2\x82", "\\u00e2\\u0082" }, /* cut */
		{ "\xc3(", "\\u00c3(" },
		{ "\x7f\x1b[31m", "\\u007f\\u001b[31m" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char want[64];
		char *text;

		(void)snprintf(
		    want, sizeof(want), "\"b\":\"%s\"}\n", rows[i].shown);
		catch_begin();
		log_info("m", LOG_Z("b", rows[i].bytes));
		text = catch_end();
		assert_string_equal(strstr(text, "\"b\""), want);
		free(text);
	}
}

static void
a_text_line(void **state)
{
	char *text;

	(void)state;
	log_setup(LOG_INFO, LOG_TEXT);
	catch_begin();
	log_error("it broke", LOG_Z("a", "plain/1:2"), LOG_Z("b", "two words"),
	    LOG_Z("c", ""), LOG_Z("d", "x=\"y\"\n\xff"), LOG_I64("e", -1));
	text = catch_end();
	log_setup(LOG_INFO, LOG_JSON);
	assert_string_equal(strchr(text, ' '),
	    " ERROR it broke a=plain/1:2 b=\"two words\" c=\"\" "
	    "d=\"x=\\\"y\\\"\\n\\u00ff\" e=-1\n");
	free(text);
}

static void
levels(void **state)
{
	char *text;

	(void)state;
	log_setup(LOG_WARN, LOG_JSON);
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_WARN));
	catch_begin();
	log_debug("d");
	log_info("i");
	log_warn("w");
	log_error("e");
	text = catch_end();
	log_setup(LOG_INFO, LOG_JSON);
	assert_null(strstr(text, "\"d\""));
	assert_null(strstr(text, "\"i\""));
	assert_non_null(strstr(text, "\"w\""));
	assert_non_null(strstr(text, "\"e\""));
	free(text);
}

/* What does not fit is left out whole; the line stays JSON and says so. */
static void
long_lines(void **state)
{
	static char long_text[100000];
	json_t *line;

	(void)state;
	memset(long_text, '\x01', sizeof(long_text) - 1);
	for (size_t n = 1300; n < 1400; n++) { /* around the limit, x 6 */
		catch_begin();
		log_info("m", LOG_U64("a", 1),
		    LOG_STR("big", ((struct str){ long_text, n })),
		    LOG_Z("b", "2"));
		line = catch_json();
		assert_int_equal(
		    json_integer_value(json_object_get(line, "a")), 1);
		if (json_object_get(line, "big") == NULL)
			assert_int_equal(
			    json_integer_value(json_object_get(line, "cut")),
			    1);
		json_decref(line);
	}
	catch_begin();
	log_info("m", LOG_STR("big", ((struct str){ long_text, 99999 })),
	    LOG_Z("b", "2"));
	line = catch_json();
	assert_null(json_object_get(line, "big"));
	assert_string_equal(string_of(line, "b"), "2");
	assert_int_equal(json_integer_value(json_object_get(line, "cut")), 1);
	json_decref(line);
}

/* ---- the queue --------------------------------------------------------- */

#define N_THREADS 4
#define N_LINES 2000

static void *
log_many(void *arg)
{
	for (unsigned i = 0; i < N_LINES; i++)
		log_info("line", LOG_U64("thread", *(unsigned *)arg),
		    LOG_U64("i", i));
	return NULL;
}

/* No line is lost or torn, and each thread's are in order. */
static void
many_threads(void **state)
{
	pthread_t threads[N_THREADS];
	unsigned ids[N_THREADS], next[N_THREADS] = { 0 };
	uint64_t dropped = log_dropped();
	struct err err;
	char *text, *at, *end;
	size_t lines = 0;

	(void)state;
	catch_begin();
	assert_int_equal(log_start(&err), 0);
	for (unsigned i = 0; i < N_THREADS; i++) {
		ids[i] = i;
		assert_int_equal(
		    pthread_create(&threads[i], NULL, log_many, &ids[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	log_stop();
	text = catch_end();
	for (at = text; (end = strchr(at, '\n')) != NULL; at = end + 1) {
		unsigned thread, i;

		*end = '\0';
		assert_int_equal(sscanf(strstr(at, "\"thread\""),
				     "\"thread\":%u,\"i\":%u}", &thread, &i),
		    2);
		assert_true(thread < N_THREADS);
		assert_int_equal(i, next[thread]);
		next[thread]++;
		lines++;
	}
	assert_int_equal(*at, '\0');
	assert_int_equal(lines, N_THREADS * N_LINES);
	assert_int_equal(log_dropped(), dropped);
	free(text);
}

/* Counts the lines that come out of a pipe until its end. */
struct reader {
	int fd;
	size_t lines;
	size_t told; /* of dropped lines, by the log itself */
};

static void *
read_all(void *arg)
{
	struct reader *r = arg;
	FILE *in = fdopen(r->fd, "r");
	char line[9000];

	while (fgets(line, sizeof(line), in) != NULL) {
		char *at = strstr(line, "\"lines\":");

		if (at != NULL)
			r->told += strtoul(at + 8, NULL, 10);
		else
			r->lines++;
	}
	(void)fclose(in);
	return NULL;
}

/* A stderr that nobody reads holds nobody up: lines are dropped, counted, and
 * the count is told once somebody reads again. */
static void
a_reader_who_sleeps(void **state)
{
	static char long_text[1000];
	uint64_t before = log_dropped();
	size_t written = 0;
	struct reader r = { 0 };
	pthread_t thread;
	struct err err;
	int ends[2];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_int_equal(pipe(ends), 0);
	stderr_to(ends[1]);
	assert_int_equal(log_start(&err), 0);
	while (log_dropped() < before + 100) {
		log_info("m", LOG_Z("x", long_text));
		log_info("short"); /* may still fit where a long one did not */
		written += 2;
	}
	r.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	log_stop();
	stderr_back(); /* the pipe's last writing end */
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(written > 1000); /* of 1 KiB each: a half was filled */
	assert_int_equal(r.told, log_dropped() - before);
	assert_int_equal(r.lines + r.told, written);
}

/* The writer waits for a non-blocking pipe too, and loses nothing. */
static void
a_pipe_that_does_not_block(void **state)
{
	static char long_text[1000];
	struct reader r = { 0 };
	pthread_t thread;
	struct err err;
	int ends[2];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
	stderr_to(ends[1]);
	assert_int_equal(log_start(&err), 0);
	for (int i = 0; i < 500; i++)
		log_info("m", LOG_Z("x", long_text));
	r.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	log_stop();
	stderr_back();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r.lines, 500);
	assert_int_equal(r.told, 0);
}

static void
start_and_stop_again(void **state)
{
	struct err err;
	char *text;

	(void)state;
	log_stop(); /* nothing runs: nothing happens */
	catch_begin();
	for (int i = 0; i < 20; i++) {
		assert_int_equal(log_start(&err), 0);
		log_info("m", LOG_I64("i", i));
		log_stop();
		log_info("m", LOG_I64("after", i));
	}
	text = catch_end();
	for (int i = 0; i < 20; i++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "\"i\":%d}\n", i);
		assert_non_null(strstr(text, want));
		(void)snprintf(want, sizeof(want), "\"after\":%d}\n", i);
		assert_non_null(strstr(text, want));
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_json_line),
		cmocka_unit_test(keys_come_in_order),
		cmocka_unit_test(any_byte_makes_json),
		cmocka_unit_test(utf8),
		cmocka_unit_test(a_text_line),
		cmocka_unit_test(levels),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(many_threads),
		cmocka_unit_test(a_reader_who_sleeps),
		cmocka_unit_test(a_pipe_that_does_not_block),
		cmocka_unit_test(start_and_stop_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
