/*
 * config.c - snapshots of the configuration.
 *
 * A snapshot is born in one reading, is never changed after it, and dies with
 * its last reference; all that it points to is in its pool.  The one in force
 * is a pointer under a mutex, held only to copy it and count.  Look-ups are on
 * the path of every request: they allocate nothing and compare lengths first.
 */
#include "common/config.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "config_int.h"

#define POOL_MAX (64u << 20)
#define REPO_TAG_MAX 512 /* a name of 255 bytes, ':', a tag of 128 */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct config *in_force; /* counted; under `lock` */

/* ---- birth and death --------------------------------------------------- */

static void
snapshot_free(struct snapshot *s)
{
	pool_done(&s->pool);
	free(s);
}

static int
snapshot_fill(
    struct snapshot *s, struct config_reader *r, const struct yaml_doc *doc)
{
	s->config.path = config_copy(r, str_of(r->path));
	if (s->config.path == NULL)
		return -1;
	return config_read(r, yaml_doc_root(doc));
}

/* Takes DOC, which may be NULL with *err set. */
static struct config *
snapshot_new(
    const char *path, struct yaml_doc *doc, bool check_files, struct err *err)
{
	struct config_reader r = {
		.path = path,
		.check_files = check_files,
		.err = err,
	};
	int failed;

	if (doc == NULL)
		return NULL;
	r.snapshot = calloc(1, sizeof(*r.snapshot));
	if (r.snapshot == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
		yaml_doc_free(doc);
		return NULL;
	}
	refs_init(&r.snapshot->refs);
	pool_init(&r.snapshot->pool, POOL_MAX);
	failed = snapshot_fill(r.snapshot, &r, doc);
	yaml_doc_free(doc);
	if (failed == 0)
		return &r.snapshot->config;
	snapshot_free(r.snapshot);
	return NULL;
}

static struct config *
load(const char *path, bool check_files, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct config *config;

	if (fd < 0) {
		(void)err_errno(err, ERR_CONFIG,
		    "the configuration %s can't be opened", path);
		return NULL;
	}
	config =
	    snapshot_new(path, yaml_doc_read(fd, path, err), check_files, err);
	(void)close(fd);
	return config;
}

struct config *
config_load(const char *path, struct err *err)
{
	return load(path, false, err);
}

struct config *
config_load_checked(const char *path, struct err *err)
{
	return load(path, true, err);
}

struct config *
config_parse(const char *path, struct str yaml, struct err *err)
{
	return snapshot_new(path, yaml_doc_parse(path, yaml, err), false, err);
}

static struct snapshot *
snapshot_of(struct config *c)
{
	return container_of(c, struct snapshot, config);
}

struct config *
config_ref(struct config *c)
{
	refs_take(&snapshot_of(c)->refs);
	return c;
}

void
config_unref(struct config *c)
{
	if (c != NULL && refs_drop(&snapshot_of(c)->refs))
		snapshot_free(snapshot_of(c));
}

/* ---- the one in force -------------------------------------------------- */

struct config *
config_now(void)
{
	struct config *c;

	check(pthread_mutex_lock(&lock) == 0);
	c = in_force != NULL ? config_ref(in_force) : NULL;
	check(pthread_mutex_unlock(&lock) == 0);
	return c;
}

void
config_set(struct config *c)
{
	struct config *old;

	check(pthread_mutex_lock(&lock) == 0);
	old = in_force;
	in_force = c;
	check(pthread_mutex_unlock(&lock) == 0);
	config_unref(old);
}

/* ---- look-ups ---------------------------------------------------------- */

const char *link_class_name(enum link_class class)
{
	static const char *const names[CLASS_COUNT] = {
		[CLASS_PULL] = "pull",
		[CLASS_REFRESH] = "refresh",
		[CLASS_PREWARM] = "prewarm",
		[CLASS_REPAIR] = "repair",
	};

	check((unsigned)class < CLASS_COUNT);
	return names[class];
}

static const struct snapshot *
const_snapshot_of(const struct config *c)
{
	return (const struct snapshot *)(const void *)c;
}
_Static_assert(offsetof(struct snapshot, config) == 0, "config comes first");

const struct config_upstream *
config_find_upstream(const struct config *c, struct str name)
{
	const struct snapshot *s = const_snapshot_of(c);
	char normal[REGISTRY_MAX];
	size_t i;

	name = registry_normalise(name, normal);
	for (i = 0; i < s->n_names; i++)
		if (str_eq(s->names[i].name, name))
			return s->names[i].upstream;
	return NULL;
}

struct config_tag_rule
config_tag_rule(const struct config *c, struct str repo, struct str tag)
{
	static const struct config_tag_rule otherwise = {
		.match = "*",
		.ttl_s = 5 * 60,
		.stale_s = 7 * 24 * 3600,
	};
	char text[REPO_TAG_MAX];
	struct str whole = { text, repo.n + 1 + tag.n };
	size_t i;

	if (repo.n >= sizeof(text) || tag.n >= sizeof(text) - repo.n - 1)
		return otherwise;
	if (repo.n > 0)
		memcpy(text, repo.p, repo.n);
	text[repo.n] = ':';
	if (tag.n > 0)
		memcpy(text + repo.n + 1, tag.p, tag.n);
	for (i = 0; i < c->n_tags; i++)
		if (str_match(str_of(c->tags[i].match), whole))
			return c->tags[i];
	return otherwise;
}

size_t
config_ring(const struct config *c, struct str site, const struct sockaddr *sa)
{
	const struct site_target *targets = const_snapshot_of(c)->targets;
	size_t i;

	for (i = 0; i < c->n_sites; i++) {
		bool is_match = targets[i].is_block
		    ? sa != NULL && block_holds(&targets[i].block, sa)
		    : site.n > 0 && str_match(str_of(c->sites[i].match), site);

		if (is_match)
			return targets[i].ring;
	}
	return 0;
}
