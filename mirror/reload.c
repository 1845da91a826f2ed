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

struct new_links {
	struct letter letter;
	struct upstreams *to;
	struct config *config;
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
	struct err err;

	if (upstreams_set_links(n->to, n->config, &err) != 0)
		log_error("links not set", LOG_ERR(&err));
	config_unref(n->config);
	free(n);
}

static struct tls_context *
ref_or_null(struct tls_context *t)
{
	return t != NULL ? tls_context_ref(t) : NULL;
}

static void
post_config(struct serve *s, struct serve_loop *to)
{
	struct new_config *n = calloc(1, sizeof(*n));
	unsigned i;

	check(n != NULL);
	n->letter.deliver = deliver_config;
	n->to = to;
	n->config = config_ref(s->config);
	for (i = 0; i < SERVE_LISTENS_MAX; i++)
		n->tls[i] = ref_or_null(s->tls[i]);
	loop_post(to->loop, &n->letter);
}

static void
post_tokens(struct serve *s, struct tokens *tokens)
{
	struct new_tokens *n = calloc(1, sizeof(*n));

	check(n != NULL);
	n->letter.deliver = deliver_tokens;
	n->to = s->admin;
	n->tokens = tokens;
	n->server = s->admin_server;
	n->limits = s->config->limits;
	n->tls = ref_or_null(s->admin_tls);
	loop_post(s->admin_loop, &n->letter);
}

/* Before the serve loops hear of it, so that nothing is asked for over a link
 * that is not known yet. */
static void
post_links(struct serve *s)
{
	struct new_links *n = calloc(1, sizeof(*n));

	check(n != NULL);
	n->letter.deliver = deliver_links;
	n->to = s->upstreams;
	n->config = config_ref(s->config);
	loop_post(s->origin, &n->letter);
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

static void
take_tls(
    struct serve *s, struct tls_context **tls, struct tls_context *admin_tls)
{
	unsigned i;

	for (i = 0; i < SERVE_LISTENS_MAX; i++) {
		tls_context_unref(s->tls[i]);
		s->tls[i] = tls[i];
	}
	tls_context_unref(s->admin_tls);
	s->admin_tls = admin_tls;
}

int
serve_reload(struct serve *s, struct err *err)
{
	struct tls_context *tls[SERVE_LISTENS_MAX] = { NULL };
	struct tls_context *admin_tls = NULL;
	struct tokens *tokens = NULL;
	struct config *config;
	unsigned i;

	config = config_load_checked(s->config_path, err);
	if (config == NULL)
		return -1;
	if (check_same_start(s->config, config, err) != 0 ||
	    (config->admin.tokens != NULL &&
		(tokens = tokens_load(config->admin.tokens, err)) == NULL) ||
	    serve_load_tls(config, tls, &admin_tls, err) != 0) {
		tokens_free(tokens);
		config_unref(config);
		return -1;
	}
	config_unref(s->config);
	s->config = config;
	config_set(config_ref(config));
	log_setup(config->log.level, config->log.format);
	take_tls(s, tls, admin_tls);
	post_links(s);
	for (i = 0; i < s->n_loops; i++)
		post_config(s, &s->loops[i]);
	post_tokens(s, tokens);
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
