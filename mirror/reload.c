/*
 * reload.c - what happens to a running mirror: a new configuration, and the
 * end.  Both are letters to the loops, since only a loop touches its servers.
 */
#include <stdlib.h>
#include <string.h>

#include "api/admin.h"
#include "api/v2.h"
#include "common/check.h"
#include "common/log.h"
#include "common/tokens.h"
#include "http/server.h"
#include "http/tls.h"
#include "loop/loop.h"
#include "serve.h"
#include "upstream/links.h"

/* ---- a new configuration ----------------------------------------------- */

/* For one serve loop; counted references inside. */
struct new_config {
	struct letter letter;
	struct serve_loop *to;
	struct config *config;
	struct tls_context *tls[SERVE_LISTENS_MAX];
};

struct new_tokens {
	struct letter letter;
	struct admin *to;
	struct tokens *tokens;
	struct http_server *server;
	struct config_limits limits;
	struct tls_context *tls;
};

/* Its sender waits for it. */
struct new_links {
	struct letter letter;
	struct upstreams *to;
	struct config *config; /* borrowed */
	sem_t *is_done;
	int status;
	struct err *err;
};

/* What a reload brings; all is owned, until it is in force.  What may fail, and
 * the links' new states, come before that. */
struct news {
	struct config *config;
	struct tokens *tokens; /* NULL: none */
	struct tls_context *tls[SERVE_LISTENS_MAX];
	struct tls_context *admin_tls;
	struct new_config *to_serve[SERVE_LOOPS_MAX];
	struct new_tokens *to_admin;
};

static void
deliver_config(struct letter *l)
{
	struct new_config *n = container_of(l, struct new_config, letter);
	unsigned i;

	v2_set_config(n->to->v2, n->config);
	for (i = 0; i < SERVE_LISTENS_MAX; i++) {
		if (n->to->servers[i] != NULL)
			http_server_set(
			    n->to->servers[i], &n->config->limits, n->tls[i]);
		tls_context_unref(n->tls[i]);
	}
	config_unref(n->config);
	free(n);
}

static void
deliver_tokens(struct letter *l)
{
	struct new_tokens *n = container_of(l, struct new_tokens, letter);

	admin_set_tokens(n->to, n->tokens);
	http_server_set(n->server, &n->limits, n->tls);
	tls_context_unref(n->tls);
	free(n);
}

static void
deliver_links(struct letter *l)
{
	struct new_links *n = container_of(l, struct new_links, letter);

	n->status = upstreams_set_links(n->to, n->config, n->err);
	check(sem_post(n->is_done) == 0);
}

static struct tls_context *
ref_or_null(struct tls_context *t)
{
	return t != NULL ? tls_context_ref(t) : NULL;
}

static void
post_config(struct serve *s, struct serve_loop *to, struct new_config *n)
{
	unsigned i;

	n->letter.deliver = deliver_config;
	n->to = to;
	n->config = config_ref(s->config);
	for (i = 0; i < SERVE_LISTENS_MAX; i++)
		n->tls[i] = ref_or_null(s->tls[i]);
	loop_post(to->loop, &n->letter);
}

static void
post_tokens(struct serve *s, struct new_tokens *n, struct tokens *tokens)
{
	n->letter.deliver = deliver_tokens;
	n->to = s->admin;
	n->tokens = tokens;
	n->server = s->admin_server;
	n->limits = s->config->limits;
	n->tls = ref_or_null(s->admin_tls);
	loop_post(s->admin_loop, &n->letter);
}

static int
set_links(struct serve *s, struct config *config, struct err *err)
{
	struct new_links n = { .letter.deliver = deliver_links,
		.to = s->upstreams,
		.config = config,
		.is_done = &s->steps_done,
		.err = err };

	loop_post(s->origin, &n.letter);
	while (sem_wait(&s->steps_done) != 0)
		;
	return n.status;
}

static bool
is_same_tls(const struct config_tls *a, const struct config_tls *b)
{
	return (a->certificate == NULL) == (b->certificate == NULL);
}

static bool
is_same_listen(const struct config *a, const struct config *b)
{
	size_t i;

	if (a->n_listens != b->n_listens)
		return false;
	for (i = 0; i < a->n_listens; i++) {
		if (strcmp(a->listens[i].address.text,
			b->listens[i].address.text) != 0 ||
		    !is_same_tls(&a->listens[i].tls, &b->listens[i].tls))
			return false;
	}
	return true;
}

/* What is bound or opened at the start can't change under way. */
static int
check_same_start(
    const struct config *was, const struct config *is, struct err *err)
{
	const char *what = NULL;

	if (!is_same_listen(was, is))
		what = "the addresses to listen on, or whether they speak TLS,";
	else if (strcmp(was->admin.address.text, is->admin.address.text) != 0 ||
	    !is_same_tls(&was->admin.tls, &is->admin.tls))
		what = "the admin address, or whether it speaks TLS,";
	else if (strcmp(was->store_path, is->store_path) != 0 ||
	    was->store_capacity != is->store_capacity ||
	    was->store_min_free != is->store_min_free)
		what = "the store's path, capacity and min_free";
	else if (was->serve_loops != is->serve_loops)
		what = "serve_loops";
	if (what == NULL)
		return 0;
	return err_set(err, ERR_CONFIG,
	    "%s: %s can't be changed by a reload; restart for that", is->path,
	    what);
}

static int
make_letters(struct news *n, unsigned n_loops, struct err *err)
{
	bool is_good;
	unsigned i;

	n->to_admin = calloc(1, sizeof(*n->to_admin));
	is_good = n->to_admin != NULL;
	for (i = 0; i < n_loops && is_good; i++) {
		n->to_serve[i] = calloc(1, sizeof(*n->to_serve[i]));
		is_good = n->to_serve[i] != NULL;
	}
	return is_good ? 0
		       : err_set(err, ERR_NO_MEMORY, "no memory for a reload");
}

/* The links last: when they are set, nothing can fail any more. */
static int
prepare(struct serve *s, struct news *n, struct err *err)
{
	const char *tokens = n->config->admin.tokens;

	if (check_same_start(s->config, n->config, err) != 0)
		return -1;
	if (tokens != NULL && (n->tokens = tokens_load(tokens, err)) == NULL)
		return -1;
	if (serve_load_tls(n->config, n->tls, &n->admin_tls, err) != 0 ||
	    make_letters(n, s->n_loops, err) != 0)
		return -1;
	return set_links(s, n->config, err);
}

static void
drop(struct news *n)
{
	unsigned i;

	for (i = 0; i < SERVE_LOOPS_MAX; i++)
		free(n->to_serve[i]);
	free(n->to_admin);
	for (i = 0; i < SERVE_LISTENS_MAX; i++)
		tls_context_unref(n->tls[i]);
	tls_context_unref(n->admin_tls);
	tokens_free(n->tokens);
	config_unref(n->config);
}

static void
put_in_force(struct serve *s, struct news *n)
{
	unsigned i;

	config_unref(s->config);
	s->config = n->config;
	config_set(config_ref(s->config));
	log_setup(s->config->log.level, s->config->log.format);
	for (i = 0; i < SERVE_LISTENS_MAX; i++) {
		tls_context_unref(s->tls[i]);
		s->tls[i] = n->tls[i];
	}
	tls_context_unref(s->admin_tls);
	s->admin_tls = n->admin_tls;
	for (i = 0; i < s->n_loops; i++)
		post_config(s, &s->loops[i], n->to_serve[i]);
	post_tokens(s, n->to_admin, n->tokens);
}

int
serve_reload(struct serve *s, struct err *err)
{
	struct news n = { .config = config_load_checked(s->config_path, err) };

	if (n.config == NULL)
		return -1;
	if (prepare(s, &n, err) != 0) {
		drop(&n);
		return -1;
	}
	put_in_force(s, &n);
	return 0;
}

/* ---- the end ----------------------------------------------------------- */

/* One loop's servers are drained one after the other has been told. */
struct drain {
	struct letter letter;
	struct serve *serve;
	struct http_server **servers;
	unsigned n_servers;
	unsigned n_left;
};

static void
on_drained(void *arg)
{
	struct drain *d = arg;

	if (--d->n_left > 0)
		return;
	check(sem_post(&d->serve->steps_done) == 0);
	free(d);
}

static void
deliver_drain(struct letter *l)
{
	struct drain *d = container_of(l, struct drain, letter);
	unsigned i, n = d->n_servers;

	for (i = 0; i < n; i++)
		http_server_drain(d->servers[i], on_drained, d);
}

static void
post_drain(struct serve *s, struct loop *loop, struct http_server **servers,
    unsigned n)
{
	struct drain *d = calloc(1, sizeof(*d));

	check(d != NULL);
	d->letter.deliver = deliver_drain;
	d->serve = s;
	d->servers = servers;
	d->n_servers = d->n_left = n;
	loop_post(loop, &d->letter);
}

void
serve_drain(struct serve *s)
{
	unsigned i, n = (unsigned)s->config->n_listens;

	admin_set_draining(s->admin);
	for (i = 0; i < s->n_loops; i++)
		post_drain(s, s->loops[i].loop, s->loops[i].servers, n);
	for (i = 0; i < s->n_loops; i++)
		while (sem_wait(&s->steps_done) != 0)
			;
	post_drain(s, s->admin_loop, &s->admin_server, 1);
	while (sem_wait(&s->steps_done) != 0)
		;
}
