/*
 * test_warm.c - releases over a real store and a real upstream (an OCI layout):
 * whatever is put, forgotten, removed and corrupted, a release that says it is
 * ready is; and its counts are what a walk of our own finds.
 */
#include "../store/fixture.h"

#include <semaphore.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/cache.h"
#include "common/check.h"
#include "common/config.h"
#include "loop/work.h"
#include "release/releases.h"
#include "upstream/upstream.h"

#define N_IMAGES 8
#define N_SHARED 3
#define N_PARTS 64
#define N_ROUNDS 30

struct part {
	struct digest digest;
	size_t n;
};

/* An image and all that it consists of, itself first. */
struct made {
	struct part parts[8];
	size_t n_parts;
};

struct bench {
	struct fixture *f; /* its loop is the callers' home */
	struct loop *origin;
	struct work_pool *pool;
	struct upstreams *upstreams;
	struct cache *cache;
	struct releases *releases;
	struct made images[N_IMAGES];
	struct letter closing;
	sem_t closed;
	unsigned n_answers;
	struct release_call call; /* the last */
	struct release_summary now;
};

/* ---- what the upstream has ---------------------------------------------------- */

static struct part
put_blob(struct bench *b, const char *bytes, size_t n)
{
	struct part p = { digest_for(bytes, n), n };
	char hex[DIGEST_TEXT_MAX], path[256];

	(void)snprintf(path, sizeof(path), "%s/layout/blobs/sha256/%s",
	    b->f->path, digest_hex(&p.digest, hex));
	write_file(path, bytes, n);
	return p;
}

static struct part
put_noise(struct bench *b, unsigned seed)
{
	size_t n = 100 + seed;
	char *bytes = make_bytes(n, seed);
	struct part p = put_blob(b, bytes, n);

	free(bytes);
	return p;
}

static int
add_link(char *out, size_t cap, const char *type, const struct part *p)
{
	char text[DIGEST_TEXT_MAX];

	return snprintf(out, cap,
	    "{\"mediaType\":\"application/vnd.oci.image.%s\",\"digest\":"
	    "\"%s\",\"size\":%zu}",
	    type, digest_text(&p->digest, text), p->n);
}

static void
make_image(struct bench *b, unsigned i)
{
	struct made *m = &b->images[i];
	char text[1024], config[256], one[256], two[256];

	m->n_parts = 4;
	m->parts[1] = put_noise(b, 1000 + i);
	m->parts[2] = put_noise(b, i % N_SHARED);
	m->parts[3] = put_noise(b, 2000 + i);
	(void)add_link(config, sizeof(config), "config.v1+json", &m->parts[1]);
	(void)add_link(one, sizeof(one), "layer.v1.tar", &m->parts[2]);
	(void)add_link(two, sizeof(two), "layer.v1.tar", &m->parts[3]);
	(void)snprintf(text, sizeof(text),
	    "{\"schemaVersion\":2,\"mediaType\":"
	    "\"application/vnd.oci.image.manifest.v1+json\",\"config\":%s,"
	    "\"layers\":[%s,%s]}",
	    config, one, two);
	m->parts[0] = put_blob(b, text, strlen(text));
}

static void
make_layout(struct bench *b)
{
	char path[256], index[8192], one[256];
	int n;

	assert_int_equal(run("mkdir -p %s/layout/blobs/sha256", b->f->path), 0);
	for (unsigned i = 0; i < N_IMAGES; i++)
		make_image(b, i);
	n = snprintf(
	    index, sizeof(index), "{\"schemaVersion\":2,\"manifests\":[");
	for (unsigned i = 0; i < N_IMAGES; i++) {
		(void)add_link(one, sizeof(one), "manifest.v1+json",
		    &b->images[i].parts[0]);
		n += snprintf(index + n, sizeof(index) - (size_t)n, "%s%s",
		    i > 0 ? "," : "", one);
	}
	(void)snprintf(index + n, sizeof(index) - (size_t)n, "]}");
	(void)snprintf(path, sizeof(path), "%s/layout/index.json", b->f->path);
	write_file(path, index, strlen(index));
	(void)snprintf(path, sizeof(path), "%s/layout/oci-layout", b->f->path);
	write_file(path, "{\"imageLayoutVersion\":\"1.0.0\"}", 30);
}

/* ---- the mirror ------------------------------------------------------------------ */

static void
open_mirror(struct bench *b)
{
	static char state[256];
	struct err err = { .text = "" };
	struct cache_spec cache = { .store = b->f->store };
	struct releases_spec spec = { .store = b->f->store,
		.state_folder = state };

	(void)snprintf(state, sizeof(state), "%s/state", b->f->store_path);
	b->origin = loop_new("origin", &err);
	b->pool = work_pool_new("work", 2, &err);
	b->upstreams = upstreams_new(b->origin, b->pool, &err);
	cache.origin = spec.origin = b->origin;
	cache.upstreams = b->upstreams;
	b->cache = cache_new(&cache, &err);
	spec.cache = b->cache;
	spec.pool = b->pool;
	b->releases = releases_new(&spec, &err);
	if (b->releases == NULL)
		fail_msg("%s", err.text);
	assert_int_equal(loop_start(b->origin, &err), 0);
	releases_begin(b->releases);
}

static void
on_cache_closed(void *arg)
{
	struct bench *b = arg;

	check(sem_post(&b->closed) == 0);
}

static void
on_releases_closed(void *arg)
{
	struct bench *b = arg;

	cache_close(b->cache, on_cache_closed, b);
}

static void
deliver_closing(struct letter *l)
{
	struct bench *b = container_of(l, struct bench, closing);

	releases_close(b->releases, on_releases_closed, b);
}

static void
close_mirror(struct bench *b)
{
	check(sem_init(&b->closed, 0, 0) == 0);
	b->closing.deliver = deliver_closing;
	loop_post(b->origin, &b->closing);
	while (sem_wait(&b->closed) != 0)
		;
	loop_stop(b->origin);
	loop_join(b->origin);
	work_pool_free(b->pool);
	(void)loop_drain(b->origin);
	releases_free(b->releases);
	cache_free(b->cache);
	upstreams_free(b->upstreams);
	close_store(b->f); /* its threads still post to the loop */
	(void)loop_drain(b->origin);
	loop_free(b->origin);
}

static int
setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct err err = { .text = "" };
	char yaml[256];
	struct config *config;
	void *fixture;

	assert_non_null(b);
	(void)set_up(&fixture);
	b->f = fixture;
	make_layout(b);
	(void)snprintf(yaml, sizeof(yaml),
	    "upstreams:\n  demo.local:\n    visibility: public\n"
	    "    endpoints: [{layout: %s/layout}]\n",
	    b->f->path);
	config = config_parse("test.yaml", str_of(yaml), &err);
	if (config == NULL)
		fail_msg("%s", err.text);
	config_set(config);
	open_mirror(b);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	void *fixture = b->f;

	release_call_done(&b->call);
	close_mirror(b);
	config_set(NULL);
	free(b);
	return tear_down(&fixture);
}

/* ---- calls ----------------------------------------------------------------------- */

static void
on_done(struct release_call *c)
{
	struct bench *b = container_of(c, struct bench, call);

	b->n_answers++;
}

/* The answer is in b->call until the next. */
static void
call_as(struct bench *b, const char *name, enum release_verb verb,
    struct release_list *list)
{
	unsigned n = b->n_answers;

	release_call_done(&b->call);
	memset(&b->call, 0, sizeof(b->call));
	b->call.home = b->f->loop;
	b->call.done = on_done;
	b->call.verb = verb;
	b->call.list = list;
	b->call.config = list != NULL ? config_now() : NULL;
	(void)snprintf(b->call.name, sizeof(b->call.name), "%s", name);
	releases_call(b->releases, &b->call);
	AWAIT(b->f, b->n_answers > n);
	if (b->call.view != NULL)
		b->now = b->call.view->summary;
}

static void
call(struct bench *b, enum release_verb verb, struct release_list *list)
{
	call_as(b, "r", verb, list);
}

/* Images of which a bit is set. */
static struct release_list *
list_of(struct bench *b, unsigned which)
{
	struct config *config = config_now();
	struct release_faults faults;
	struct release_list *list;
	char body[2048] = "", text[DIGEST_TEXT_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < N_IMAGES; i++)
		if ((which >> i & 1) != 0)
			n += (size_t)snprintf(body + n, sizeof(body) - n,
			    "demo.local/team/app@%s\n",
			    digest_text(&b->images[i].parts[0].digest, text));
	release_faults_init(&faults);
	list = release_list_parse(str_of(body), RELEASE_TEXT, config, &faults);
	if (list == NULL)
		fail_msg("%s", faults.n > 0 ? faults.all[0].text : body);
	release_faults_done(&faults);
	config_unref(config);
	return list;
}

static void
put_as(struct bench *b, const char *name, unsigned which)
{
	call_as(b, name, RELEASE_PUT, list_of(b, which));
	if (b->call.error.code != ERR_NONE)
		fail_msg("%s", b->call.error.text);
}

static void
put(struct bench *b, unsigned which)
{
	put_as(b, "r", which);
}

static void
await_ready(struct bench *b)
{
	do
		call(b, RELEASE_VIEW, NULL);
	while (b->now.state != RELEASE_READY);
}

/* ---- a walk of our own -------------------------------------------------------------- */

struct parts {
	struct part all[N_PARTS];
	size_t n;
};

static void
add_part(struct parts *to, const struct part *p)
{
	for (size_t i = 0; i < to->n; i++)
		if (digest_equal(&to->all[i].digest, &p->digest))
			return;
	assert_true(to->n < N_PARTS);
	to->all[to->n++] = *p;
}

static void
parts_of(struct bench *b, unsigned which, struct parts *out)
{
	out->n = 0;
	for (unsigned i = 0; i < N_IMAGES; i++)
		for (size_t k = 0;
		     (which >> i & 1) != 0 && k < b->images[i].n_parts; k++)
			add_part(out, &b->images[i].parts[k]);
}

static void
assert_file(struct bench *b, const struct part *p)
{
	const char *path = blob_path(b->f, &p->digest);
	char *bytes = malloc(p->n + 1);
	FILE *file = fopen(path, "rb");
	struct digest got;

	assert_non_null(bytes);
	assert_non_null(file);
	assert_int_equal(fread(bytes, 1, p->n + 1, file), p->n);
	(void)fclose(file);
	got = digest_for(bytes, p->n);
	assert_true(digest_equal(&got, &p->digest));
	free(bytes);
}

/* What is counted is what is there. */
static void
assert_whole(struct bench *b, unsigned which)
{
	struct parts want;
	uint64_t bytes = 0;

	parts_of(b, which, &want);
	for (size_t i = 0; i < want.n; i++) {
		assert_file(b, &want.all[i]);
		bytes += want.all[i].n;
	}
	assert_int_equal(b->now.counts.n_digests, want.n);
	assert_int_equal(b->now.counts.n_missing, 0);
	assert_int_equal(b->now.counts.bytes, bytes);
	assert_int_equal(b->now.counts.missing_bytes, 0);
	assert_true(b->now.is_known);
	assert_int_equal(b->now.lag_s, 0);
}

/* ---- tests --------------------------------------------------------------------------- */

static void
all_of_them(void **state)
{
	struct bench *b = *state;

	put(b, 0xff);
	assert_true(b->call.is_new && b->call.has_changed);
	await_ready(b);
	assert_whole(b, 0xff);
	put(b, 0xff);
	assert_false(b->call.is_new || b->call.has_changed);
	call(b, RELEASE_DELETE, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	call(b, RELEASE_VIEW, NULL);
	assert_int_equal(b->call.error.code, ERR_NOT_FOUND);
}

static void
reopen(struct bench *b)
{
	release_call_done(&b->call);
	close_mirror(b);
	open_store(b->f);
	open_mirror(b);
}

static void
kept_over_a_restart(void **state)
{
	struct bench *b = *state;
	int64_t accepted_at, ready_at;

	put(b, 0x0f);
	await_ready(b);
	accepted_at = b->now.accepted_at;
	ready_at = b->now.ready_at;
	reopen(b);
	await_ready(b);
	assert_whole(b, 0x0f);
	assert_int_equal(b->now.accepted_at, accepted_at);
	assert_int_equal(b->now.ready_at, ready_at);
	assert_int_equal(b->now.lost_at, 0);
}

static bool
has_pins(struct bench *b)
{
	char name[INDEX_RELEASE_MAX + 1];
	struct err err;
	struct index_reader *reader = index_reader_new(b->f->store, &err);
	bool is_it = index_next_release(reader, STR(""), name);

	index_release(reader);
	index_reader_free(reader);
	return is_it;
}

/* What can't be read is not gone. */
static void
the_folder_can_not_be_read(void **state)
{
	struct bench *b = *state;
	const char *at = b->f->store_path;

	put(b, 0x0f);
	await_ready(b);
	assert_int_equal(
	    run("cd %s/state && mv releases away && touch releases", at), 0);
	reopen(b);
	call(b, RELEASE_VIEW, NULL);
	assert_int_equal(b->call.error.code, ERR_NOT_FOUND);
	reopen(b); /* all that was begun has ended */
	assert_true(has_pins(b));
	assert_int_equal(
	    run("cd %s/state && rm releases && mv away releases", at), 0);
	reopen(b);
	await_ready(b);
	assert_whole(b, 0x0f);
}

/* Every part of every image, and how it is. */
static void
an_image_shown(void **state)
{
	struct bench *b = *state;

	put(b, 0x01);
	await_ready(b);
	call(b, RELEASE_IMAGE, NULL);
	assert_int_equal(b->call.view->n_images, 1);
	assert_int_equal(b->call.view->n_digests, 4);
	assert_int_equal(b->call.view->digests[0].part, RELEASE_MANIFEST);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(b->call.view->digests[i].state, RELEASE_READY);
}

static void
a_plan_begins_nothing(void **state)
{
	struct bench *b = *state;
	struct parts want;
	uint64_t bytes = 0;

	parts_of(b, 0xff, &want);
	for (size_t i = 0; i < want.n; i++)
		bytes += want.all[i].n;
	call(b, RELEASE_PLAN, list_of(b, 0xff));
	assert_int_equal(b->call.error.code, ERR_NONE);
	assert_int_equal(b->now.counts.n_digests, want.n);
	assert_int_equal(b->call.view->n_shares, 1);
	assert_string_equal(b->call.view->shares[0].upstream, "demo.local");
	for (unsigned i = 0; i < N_IMAGES; i++) /* no blob came */
		for (unsigned k = 1; k < 4; k++)
			assert_false(is_there(
			    blob_path(b->f, &b->images[i].parts[k].digest)));
	assert_true(b->now.counts.missing_bytes <= bytes);
	put(b, 0xff);
	await_ready(b);
	call(b, RELEASE_PLAN, list_of(b, 0xff));
	assert_int_equal(b->now.counts.bytes, bytes);
	assert_int_equal(b->now.counts.missing_bytes, 0);
}

/* ---- proof -------------------------------------------------------------------------- */

/* No file can be opened from here on, until the old limit is back. */
static rlim_t
spend_descriptors(void)
{
	struct rlimit limit;
	rlim_t before;
	int first = dup(0);

	assert_true(first > 0);
	assert_int_equal(close(first), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	before = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)first;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

static void
give_descriptors(rlim_t n)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = n;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void
what_is_not_read_is_no_proof(void **state)
{
	struct bench *b = *state;
	rlim_t before;

	put(b, 0x01);
	await_ready(b);
	before = spend_descriptors();
	call(b, RELEASE_VERIFY, NULL);
	give_descriptors(before);
	assert_int_equal(b->call.verified.n_digests, 4);
	assert_int_equal(b->call.verified.n_unread, 4);
	assert_int_equal(b->call.verified.n_corrupt, 0);
	assert_non_null(strstr(b->call.verified.why, "can't open"));
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_unread, 0);
	assert_int_equal(b->call.verified.n_digests, 4);
	assert_int_equal(b->call.verified.bytes, b->now.counts.bytes);
}

#define N_CALLERS 20

struct caller {
	struct release_call call;
	unsigned *n_answers;
};

static void
on_called(struct release_call *c)
{
	struct caller *caller = container_of(c, struct caller, call);

	(*caller->n_answers)++;
}

static void
ask_many(struct bench *b, struct caller callers[N_CALLERS], unsigned *n)
{
	memset(callers, 0, N_CALLERS * sizeof(*callers));
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		callers[i].n_answers = n;
		c->home = b->f->loop;
		c->done = on_called;
		c->verb = RELEASE_VERIFY;
		(void)snprintf(
		    c->name, sizeof(c->name), "%s", i % 2 == 0 ? "r" : "s");
		releases_call(b->releases, c);
	}
}

static void
one_proof_for_all_who_ask(void **state)
{
	struct bench *b = *state;
	struct caller callers[N_CALLERS];
	unsigned n = 0;

	put_as(b, "s", 0x03);
	put(b, 0x01);
	await_ready(b);
	ask_many(b, callers, &n);
	AWAIT(b->f, n == N_CALLERS);
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		assert_int_equal(c->error.code, ERR_NONE);
		assert_non_null(c->view);
		assert_int_equal(c->verified.n_unread, 0);
		if (i % 2 == 0)
			assert_int_equal(c->verified.n_digests, 4);
		release_call_done(c);
	}
}

/* Nobody is told that all was read when the mirror stopped half way. */
static void
no_proof_of_a_mirror_that_stops(void **state)
{
	struct bench *b = *state;
	struct caller callers[N_CALLERS];
	unsigned n = 0;

	put_as(b, "s", 0x03);
	put(b, 0x01);
	await_ready(b);
	release_call_done(&b->call);
	memset(&b->call, 0, sizeof(b->call));
	ask_many(b, callers, &n);
	close_mirror(b);
	AWAIT(b->f, n == N_CALLERS);
	for (unsigned i = 0; i < N_CALLERS; i++) {
		struct release_call *c = &callers[i].call;

		if (c->error.code != ERR_NONE)
			assert_int_equal(c->error.code, ERR_CANCELLED);
		else if (i % 2 == 0)
			assert_int_equal(c->verified.n_digests, 4);
		release_call_done(c);
	}
	open_store(b->f);
	open_mirror(b);
}

/* ---- freezes ------------------------------------------------------------------------ */

static const char *
freeze_file(struct bench *b)
{
	static char path[300];

	(void)snprintf(
	    path, sizeof(path), "%s/state/freeze.json", b->f->store_path);
	return path;
}

static const struct freeze *
freeze_now(struct bench *b)
{
	do
		call(b, RELEASES_LIST, NULL);
	while (!b->call.overview->is_read);
	return &b->call.overview->freeze;
}

static void
restart(struct bench *b)
{
	release_call_done(&b->call);
	memset(&b->call, 0, sizeof(b->call));
	close_mirror(b);
	open_store(b->f);
	open_mirror(b);
}

/* At the moment of the answer the file is there; what could not be written is
 * an error. */
static void
a_freeze_is_kept_when_it_is_answered(void **state)
{
	struct bench *b = *state;
	char path[400];

	call(b, RELEASES_FREEZE, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	assert_true(b->call.overview->freeze.is_on);
	assert_true(is_there(freeze_file(b)));
	restart(b);
	assert_true(freeze_now(b)->is_on);
	(void)snprintf(path, sizeof(path), "%s.new", freeze_file(b));
	assert_int_equal(mkdir(path, 0755), 0);
	call(b, RELEASES_THAW, NULL);
	assert_int_equal(b->call.error.code, ERR_DISK);
	assert_non_null(strstr(b->call.error.text, "until the next start"));
	assert_int_equal(rmdir(path), 0);
	call(b, RELEASES_THAW, NULL);
	assert_int_equal(b->call.error.code, ERR_NONE);
	restart(b);
	assert_false(freeze_now(b)->is_on);
}

static void
an_unreadable_freeze_is_one(void **state)
{
	static const char *const texts[] = { "", "{\"is_on\": tr", "[]",
		"{\"reason\": \"storm\"}" };
	struct bench *b = *state;

	assert_false(freeze_now(b)->is_on);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(freeze_file(b), texts[i], strlen(texts[i]));
		restart(b);
		assert_true(freeze_now(b)->is_on);
		assert_non_null(strstr(freeze_now(b)->reason, "freeze.json"));
		call(b, RELEASES_THAW, NULL);
		assert_false(b->call.overview->freeze.is_on);
		restart(b);
		assert_false(freeze_now(b)->is_on);
	}
}

/* ---- at random -------------------------------------------------------------------------- */

static const struct part *
any_part(struct bench *b, unsigned which)
{
	static struct parts all;

	parts_of(b, which, &all);
	return &all.all[(size_t)random() % all.n];
}

/* As an eviction would, if pins were no obstacle. */
static void
forget(struct bench *b, const struct part *p)
{
	struct index_batch *batch = index_batch_new();

	index_batch_forget(batch, &p->digest);
	assert_null(commit(b->f, batch));
	(void)unlink(blob_path(b->f, &p->digest));
	call(b, RELEASE_VIEW, NULL);
	assert_true(
	    b->now.state != RELEASE_READY || b->now.counts.n_missing == 0);
}

static void
corrupt(struct bench *b, const struct part *p)
{
	char *bytes = make_bytes(p->n, 77);

	write_file(blob_path(b->f, &p->digest), bytes, p->n);
	free(bytes);
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_corrupt, 1);
}

static void
lose(struct bench *b, const struct part *p)
{
	assert_int_equal(unlink(blob_path(b->f, &p->digest)), 0);
	call(b, RELEASE_VERIFY, NULL);
	assert_int_equal(b->call.verified.n_corrupt, 1);
}

static void
at_random(void **state)
{
	struct bench *b = *state;
	unsigned which = 0x3;

	srandom(20261122);
	put(b, which);
	await_ready(b);
	for (unsigned i = 0; i < N_ROUNDS; i++) {
		switch (random() % 4) {
		case 0:
			which = 1 + (unsigned)random() % 0xff;
			put(b, which);
			break;
		case 1:
			forget(b, any_part(b, which));
			break;
		case 2:
			corrupt(b, any_part(b, which));
			break;
		default:
			lose(b, any_part(b, which));
			break;
		}
		await_ready(b);
		assert_whole(b, which);
		call(b, RELEASE_VERIFY, NULL);
		assert_int_equal(b->call.verified.n_corrupt, 0);
		assert_int_equal(b->call.verified.n_missing, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_of_them, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    kept_over_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_folder_can_not_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_image_shown, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_plan_begins_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_not_read_is_no_proof, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    one_proof_for_all_who_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    no_proof_of_a_mirror_that_stops, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_freeze_is_kept_when_it_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    an_unreadable_freeze_is_one, setup, teardown),
		cmocka_unit_test_setup_teardown(at_random, setup, teardown),
	};

	return cmocka_run_group_tests_name("warm", tests, NULL, NULL);
}
