/*
 * bench.c - a mirror with releases, for tests.
 */
#include "bench.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/check.h"
#include "common/config.h"

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

void
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

void
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

int
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

int
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
void
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

void
call(struct bench *b, enum release_verb verb, struct release_list *list)
{
	call_as(b, "r", verb, list);
}

/* Images of which a bit is set. */
struct release_list *
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

void
put_as(struct bench *b, const char *name, unsigned which)
{
	call_as(b, name, RELEASE_PUT, list_of(b, which));
	if (b->call.error.code != ERR_NONE)
		fail_msg("%s", b->call.error.text);
}

void
put(struct bench *b, unsigned which)
{
	put_as(b, "r", which);
}

void
await_ready(struct bench *b)
{
	do
		call(b, RELEASE_VIEW, NULL);
	while (b->now.state != RELEASE_READY);
}

/* ---- a walk of our own -------------------------------------------------------------- */

static void
add_part(struct parts *to, const struct part *p)
{
	for (size_t i = 0; i < to->n; i++)
		if (digest_equal(&to->all[i].digest, &p->digest))
			return;
	assert_true(to->n < N_PARTS);
	to->all[to->n++] = *p;
}

void
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
void
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
