/*
 * test_pull_cost.c - what it costs a serve loop to know a request's site and to
 * note the pull.
 *
 * The least of many rounds counts, so that other work on the machine does not.
 * Without optimization, or with a sanitizer, only the order of magnitude is held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "common/clock.h"
#include "common/metrics.h"
#include "loop/loop.h"
#include "site/pulls.h"
#include "site/site.h"

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_THREAD__) &&                  \
    !defined(__SANITIZE_ADDRESS__)
#define MOST_NS 50
#else
#define MOST_NS 5000
#endif
#define ROUNDS 200
#define MANIFESTS 14
#define SITES 32 /* as many as fill a table in a second */
#define NOTES (16 * SITES * MANIFESTS)

static char names[SITES][32];
static const struct sockaddr_in address = { .sin_family = AF_INET };
static struct digest digests[MANIFESTS];
static struct pulls *pulls;

/* All sites pull all manifests, in turn. */
static uint64_t
round_us(unsigned n_sites)
{
	uint64_t began = clock_mono_us();

	for (unsigned i = 0; i < NOTES; i++) {
		const struct digest *d = &digests[i / n_sites % MANIFESTS];
		struct site_id id;
		struct pull_note note = { .site = &id,
			.scope = STR("docker.io/library/nginx"),
			.digest = d,
			.manifest = d,
			.status = 200,
			.bytes = 1000 };

		site_id_set(&id, STR(""), str_of(names[i % n_sites]),
		    (const struct sockaddr *)&address);
		pulls_note(pulls, &note);
	}
	return clock_mono_us() - began;
}

static double
least_ns(unsigned n_sites)
{
	uint64_t least = UINT64_MAX, took;

	for (unsigned i = 0; i < ROUNDS; i++) {
		took = round_us(n_sites);
		if (took < least)
			least = took;
	}
	return (double)least * 1000 / NOTES;
}

static void
cost(void **state)
{
	struct err err;
	struct loop *serve = loop_new("serve", &err);
	struct loop *admin = loop_new("admin", &err);
	char folder[] = "/tmp/test_pull_cost.XXXXXX", path[64];
	struct sites_spec spec = { .admin = admin, .path = path };
	struct sites *sites;
	double one, many;

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, sizeof(path), "%s/sites", folder);
	sites = sites_new(&spec, &err);
	for (unsigned i = 0; i < SITES; i++)
		(void)snprintf(
		    names[i], sizeof(names[i]), "store-%05u.emea", i);
	for (unsigned i = 0; i < MANIFESTS; i++)
		digest_of(DIGEST_SHA256, &i, sizeof(i), &digests[i]);
	pulls = pulls_new(serve, sites, &err);
	one = least_ns(1);
	many = least_ns(SITES);
	print_message(
	    "a note: %.1f ns of one site, %.1f ns of %d\n", one, many, SITES);
	assert_true(one < MOST_NS && many < MOST_NS);
	loop_drain(admin);
	loop_drain(serve);
	pulls_free(pulls);
	sites_free(sites);
	(void)unlink(path);
	(void)rmdir(folder);
	loop_free(serve);
	loop_free(admin);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cost) };
	int failed;

	metrics_init();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	metrics_done();
	return failed;
}
