/*
 * main.c - the wiring: which parts there are, in which order they start, and
 * the same order backwards at the end.
 *
 * The main thread starts everything, then waits for signals: SIGTERM and SIGINT
 * drain and stop, SIGHUP reads the configuration again.  All other threads have
 * signals blocked.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/admin.h"
#include "api/v2.h"
#include "cache/cache.h"
#include "cli/cli.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/tokens.h"
#include "common/version.h"
#include "http/listener.h"
#include "http/server.h"
#include "http/tls.h"
#include "loop/loop.h"
#include "loop/work.h"
#include "release/releases.h"
#include "serve.h"
#include "site/pulls.h"
#include "site/site.h"
#include "store/store.h"
#include "upstream/links.h"
#include "upstream/upstream.h"

#define POOL_THREADS 4
#define DATA_BODY_MAX (64u << 10) /* clients that push: read and refused */
#define ADMIN_BODY_MAX (16u << 20)

/* ---- steps of the start, each with its end ----------------------------- */

static int
start_pool(struct serve *s, struct err *err)
{
	s->pool = work_pool_new("work", POOL_THREADS, err);
	return s->pool != NULL ? 0 : -1;
}

static void
end_pool(struct serve *s)
{
	work_pool_free(s->pool);
}

static int
start_store(struct serve *s, struct err *err)
{
	struct store_spec spec = { .path = s->config->store_path,
		.capacity = s->config->store_capacity,
		.min_free = s->config->store_min_free };

	s->store = store_open(&spec, err);
	return s->store != NULL ? 0 : -1;
}

static void
drain_loops(struct serve *s)
{
	unsigned i, n;

	do {
		n = loop_drain(s->origin) + loop_drain(s->admin_loop);
		for (i = 0; i < s->n_loops; i++)
			n += loop_drain(s->loops[i].loop);
	} while (n > 0);
}

static void
end_loops(struct serve *s)
{
	unsigned i;

	for (i = 0; i < s->n_loops; i++)
		loop_free(s->loops[i].loop);
	loop_free(s->admin_loop);
	loop_free(s->origin);
}

static int
start_loops(struct serve *s, struct err *err)
{
	long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned i, n = s->config->serve_loops;

	if (n == 0)
		n = n_cores > 0 ? (unsigned)n_cores : 1;
	if (n > SERVE_LOOPS_MAX)
		n = SERVE_LOOPS_MAX;
	s->origin = loop_new("origin", err);
	s->admin_loop = s->origin != NULL ? loop_new("admin", err) : NULL;
	if (s->admin_loop == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		s->loops[i].loop = loop_new("serve", err);
		if (s->loops[i].loop == NULL)
			return -1;
		s->n_loops = i + 1;
	}
	return 0;
}

/* The last letters come from the store's threads. */
static void
end_store(struct serve *s)
{
	drain_loops(s);
	store_close(s->store);
	drain_loops(s);
}

static int
start_upstreams(struct serve *s, struct err *err)
{
	char folder[PATH_MAX];

	(void)snprintf(
	    folder, sizeof(folder), "%s/state", s->config->store_path);
	s->upstreams = upstreams_new(s->origin, s->pool, err);
	if (s->upstreams == NULL ||
	    upstreams_set_state_folder(s->upstreams, folder, err) != 0)
		return -1;
	return upstreams_set_links(s->upstreams, s->config, err);
}

static void
end_upstreams(struct serve *s)
{
	drain_loops(s);
	upstreams_free(s->upstreams);
}

static int
start_sites(struct serve *s, struct err *err)
{
	char path[PATH_MAX];
	struct sites_spec spec = { .admin = s->admin_loop,
		.pool = s->pool,
		.path = path,
		.keep_ms = SITES_KEEP_MS };
	unsigned i;

	(void)snprintf(
	    path, sizeof(path), "%s/state/sites", s->config->store_path);
	s->sites = sites_new(&spec, err);
	if (s->sites == NULL)
		return -1;
	for (i = 0; i < s->n_loops; i++) {
		s->loops[i].pulls = pulls_new(s->loops[i].loop, s->sites, err);
		if (s->loops[i].pulls == NULL)
			return -1;
	}
	return 0;
}

static void
end_sites(struct serve *s)
{
	unsigned i;

	drain_loops(s);
	for (i = 0; i < s->n_loops; i++)
		pulls_free(s->loops[i].pulls);
	sites_free(s->sites);
}

static int
start_cache(struct serve *s, struct err *err)
{
	struct cache_spec spec = { .origin = s->origin,
		.store = s->store,
		.upstreams = s->upstreams };
	unsigned i;

	s->cache = cache_new(&spec, err);
	if (s->cache == NULL)
		return -1;
	for (i = 0; i < s->n_loops; i++) {
		s->loops[i].v2 = v2_new(s->cache, s->loops[i].loop,
		    s->loops[i].pulls, s->config, err);
		if (s->loops[i].v2 == NULL)
			return -1;
	}
	return 0;
}

static void
end_cache(struct serve *s)
{
	unsigned i;

	drain_loops(s);
	for (i = 0; i < s->n_loops; i++)
		v2_free(s->loops[i].v2);
	cache_free(s->cache);
}

static int
start_releases(struct serve *s, struct err *err)
{
	char folder[PATH_MAX];
	struct releases_spec spec = { .origin = s->origin,
		.store = s->store,
		.cache = s->cache,
		.pool = s->pool,
		.state_folder = folder };

	(void)snprintf(
	    folder, sizeof(folder), "%s/state", s->config->store_path);
	s->releases = releases_new(&spec, err);
	return s->releases != NULL ? 0 : -1;
}

static void
end_releases(struct serve *s)
{
	drain_loops(s);
	releases_free(s->releases);
	drain_loops(s);
}

static int
start_admin(struct serve *s, struct err *err)
{
	struct admin_spec spec = { .admin = s->admin_loop,
		.origin = s->origin,
		.upstreams = s->upstreams,
		.store = s->store,
		.sites = s->sites,
		.releases = s->releases,
		.pool = s->pool,
		.started_at = clock_wall_s() };
	struct tokens *tokens = NULL;

	s->admin = admin_new(&spec, err);
	if (s->admin == NULL)
		return -1;
	if (s->config->admin.tokens != NULL) {
		tokens = tokens_load(s->config->admin.tokens, err);
		if (tokens == NULL)
			return -1;
	}
	admin_set_tokens(s->admin, tokens);
	return 0;
}

static void
end_admin(struct serve *s)
{
	drain_loops(s);
	admin_free(s->admin);
}

int
serve_load_tls(const struct config *config, struct tls_context **tls,
    struct tls_context **admin_tls, struct err *err)
{
	const struct config_tls *admin = &config->admin.tls;
	size_t i;

	if (config->n_listens > SERVE_LISTENS_MAX)
		return err_set(err, ERR_CONFIG,
		    "%s: %zu addresses to listen on; at most %d are allowed",
		    config->path, config->n_listens, SERVE_LISTENS_MAX);
	if (admin->certificate != NULL &&
	    (*admin_tls = tls_context_new(admin, err)) == NULL)
		return -1;
	for (i = 0; i < config->n_listens; i++) {
		if (config->listens[i].tls.certificate == NULL)
			continue;
		tls[i] = tls_context_new(&config->listens[i].tls, err);
		if (tls[i] == NULL)
			goto fail;
	}
	return 0;
fail:
	for (; i > 0; i--) {
		tls_context_unref(tls[i - 1]);
		tls[i - 1] = NULL;
	}
	tls_context_unref(*admin_tls);
	*admin_tls = NULL;
	return -1;
}

static int
start_tls(struct serve *s, struct err *err)
{
	return serve_load_tls(s->config, s->tls, &s->admin_tls, err);
}

static void
end_tls(struct serve *s)
{
	unsigned i;

	for (i = 0; i < SERVE_LISTENS_MAX; i++)
		tls_context_unref(s->tls[i]);
	tls_context_unref(s->admin_tls);
}

/* One address, on every serve loop. */
static int
listen_on(struct serve *s, size_t listen, struct err *err)
{
	struct config_address address = s->config->listens[listen].address;
	int fds[SERVE_LOOPS_MAX];
	struct http_spec spec = { .quota = s->quota,
		.readers = s->pool,
		.limits = s->config->limits,
		.tls = s->tls[listen],
		.body_max = DATA_BODY_MAX,
		.handler = v2_handle };
	unsigned i;

	if (listener_open(&address, s->n_loops, fds, err) != 0)
		return -1;
	for (i = 0; i < s->n_loops; i++) {
		spec.loop = s->loops[i].loop;
		spec.listen_fd = fds[i];
		spec.arg = s->loops[i].v2;
		s->loops[i].servers[listen] = http_server_open(&spec, err);
		if (s->loops[i].servers[listen] == NULL)
			return -1;
	}
	return 0;
}

static int
listen_admin(struct serve *s, struct err *err)
{
	struct config_address address = s->config->admin.address;
	struct http_spec spec = { .loop = s->admin_loop,
		.quota = s->admin_quota,
		.readers = s->pool,
		.limits = s->config->limits,
		.tls = s->admin_tls,
		.body_max = ADMIN_BODY_MAX,
		.handler = admin_handle,
		.arg = s->admin };
	int fd;

	if (listener_open(&address, 1, &fd, err) != 0)
		return -1;
	spec.listen_fd = fd;
	s->admin_server = http_server_open(&spec, err);
	return s->admin_server != NULL ? 0 : -1;
}

static int
start_servers(struct serve *s, struct err *err)
{
	size_t i;

	s->quota = http_quota_new(err);
	s->admin_quota = s->quota != NULL ? http_quota_new(err) : NULL;
	if (s->admin_quota == NULL)
		return -1;
	for (i = 0; i < s->config->n_listens; i++) {
		if (listen_on(s, i, err) != 0)
			return -1;
	}
	return listen_admin(s, err);
}

static void
end_servers(struct serve *s)
{
	unsigned i, j;

	for (i = 0; i < s->n_loops; i++) {
		for (j = 0; j < SERVE_LISTENS_MAX; j++)
			http_server_close(s->loops[i].servers[j]);
	}
	http_server_close(s->admin_server);
	drain_loops(s);
	http_quota_free(s->quota);
	http_quota_free(s->admin_quota);
}

static int
start_threads(struct serve *s, struct err *err)
{
	unsigned i;

	if (loop_start(s->origin, err) != 0 ||
	    loop_start(s->admin_loop, err) != 0)
		return -1;
	for (i = 0; i < s->n_loops; i++) {
		if (loop_start(s->loops[i].loop, err) != 0)
			return -1;
	}
	s->is_running = true;
	releases_begin(s->releases);
	return 0;
}

struct closing {
	struct letter letter;
	struct serve *serve;
};

static void
on_cache_closed(void *arg)
{
	struct serve *s = arg;

	check(sem_post(&s->steps_done) == 0);
}

static void
on_releases_closed(void *arg)
{
	struct serve *s = arg;

	cache_close(s->cache, on_cache_closed, s);
}

static void
deliver_closing(struct letter *l)
{
	struct closing *c = container_of(l, struct closing, letter);

	releases_close(c->serve->releases, on_releases_closed, c->serve);
}

static void
end_threads(struct serve *s)
{
	struct closing closing = { .letter.deliver = deliver_closing,
		.serve = s };
	unsigned i;

	for (i = 0; i < s->n_loops; i++) {
		loop_stop(s->loops[i].loop);
		loop_join(s->loops[i].loop);
	}
	if (s->is_running)
		loop_post(s->origin, &closing.letter);
	while (s->is_running && sem_wait(&s->steps_done) != 0)
		;
	loop_stop(s->admin_loop);
	loop_join(s->admin_loop);
	loop_stop(s->origin);
	loop_join(s->origin);
}

static const struct {
	int (*start)(struct serve *, struct err *err);
	void (*end)(struct serve *);
} steps[] = {
	{ start_loops, end_loops },
	{ start_pool, end_pool },
	{ start_store, end_store },
	{ start_upstreams, end_upstreams },
	{ start_sites, end_sites },
	{ start_cache, end_cache },
	{ start_releases, end_releases },
	{ start_admin, end_admin },
	{ start_tls, end_tls },
	{ start_servers, end_servers },
	{ start_threads, end_threads },
};

#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

/* ---- signals ----------------------------------------------------------- */

static void
block_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
	check(pthread_sigmask(SIG_BLOCK, set, NULL) == 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

static void
reload(struct serve *s)
{
	struct err err;
	bool is_good = serve_reload(s, &err) == 0;

	metric_count1(M_config_reloads_total, is_good ? "good" : "refused", 1);
	if (is_good)
		log_info(
		    "configuration reloaded", LOG_Z("path", s->config_path));
	else
		log_error("configuration not reloaded, the old one stays in "
			  "force",
		    LOG_ERR(&err));
}

static void
wait_for_end(struct serve *s, const sigset_t *set)
{
	int sig = 0;

	while (sig != SIGTERM && sig != SIGINT) {
		if (sigwait(set, &sig) != 0)
			continue;
		if (sig == SIGHUP)
			reload(s);
	}
	log_info("draining", LOG_U64("within_ms", s->config->limits.drain_ms));
	serve_drain(s);
}

/* ---- the command ------------------------------------------------------- */

/* As many descriptors as we may have; each client is one, each file another. */
static void
raise_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	(void)mallopt(M_ARENA_MAX, 4);
}

static void
log_serving(const struct serve *s)
{
	size_t i;

	for (i = 0; i < s->config->n_listens; i++)
		log_info("serving",
		    LOG_Z("address", s->config->listens[i].address.text),
		    LOG_Z("tls", s->tls[i] != NULL ? "on" : "off"),
		    LOG_U64("loops", s->n_loops));
	log_info("ready", LOG_Z("version", version_number()),
	    LOG_Z("region", s->config->region),
	    LOG_Z("admin", s->config->admin.address.text),
	    LOG_Z("store", s->config->store_path));
}

static int
serve(struct serve *s, const sigset_t *set)
{
	int status = 0;
	size_t n = 0; /* steps begun: the end of one takes what is half made */
	struct err err;

	check(sem_init(&s->steps_done, 0, 0) == 0);
	while (n < N_STEPS && status == 0)
		status = steps[n++].start(s, &err);
	if (status == 0) {
		log_serving(s);
		wait_for_end(s, set);
	} else {
		log_error("can't start", LOG_ERR(&err));
	}
	while (n > 0)
		steps[--n].end(s);
	check(sem_destroy(&s->steps_done) == 0);
	return status == 0 ? EXIT_YES : EXIT_NO;
}

static int
load_config(struct serve *s)
{
	struct err err;

	s->config = config_load_checked(s->config_path, &err);
	if (s->config == NULL)
		return cli_fail(EXIT_NO, "serve", err.text);
	config_set(config_ref(s->config));
	log_setup(s->config->log.level, s->config->log.format);
	if (log_start(&err) != 0)
		return cli_fail(EXIT_NO, "serve", err.text);
	return EXIT_YES;
}

static int
cli_serve(int argc, char **argv)
{
	struct serve *s = calloc(1, sizeof(*s));
	const char *path = CONFIG_DEFAULT_PATH;
	const struct option_row rows[] = {
		{ "config", OPTION_TEXT, &path, "FILE",
		    "the configuration (" CONFIG_DEFAULT_PATH ")" },
	};
	const struct option_table table = { "serve",
		"Runs the mirror until SIGTERM; SIGHUP reads the configuration "
		"again.",
		rows, 1 };
	int status = EXIT_NO;
	sigset_t set;

	if (s == NULL || !cli_options(&table, argc, argv, &status)) {
		free(s);
		return status;
	}
	s->config_path = path;
	raise_limits();
	block_signals(&set);
	metrics_init();
	status = load_config(s);
	if (status == EXIT_YES)
		status = serve(s, &set);
	log_stop();
	config_set(NULL);
	config_unref(s->config);
	metrics_done();
	free(s);
	return status;
}

int
main(int argc, char **argv)
{
	static const struct command commands[] = {
		{ "serve", "run the mirror", cli_serve },
		{ "check", "test a configuration without starting", cli_check },
		{ "status", "how a running mirror is doing", cli_status },
		{ "links", "what the links carry; change one", cli_links },
		{ "warm", "bring a release in, and see it come", cli_warm },
		{ "plan", "what a release would cost, and when it is here",
		    cli_plan },
		{ "gate", "may the next ring open, and if not, why", cli_gate },
		{ "freeze", "close all gates, and open them again",
		    cli_freeze },
		{ "images", "the images that Kubernetes YAML on stdin names",
		    cli_images },
		{ "sites", "who was seen when, and how it went", cli_sites },
		{ "hosts", "write what points clients at a mirror", cli_hosts },
		{ "version", "print the version", cli_version },
		{ NULL, NULL, NULL },
	};

	return cli_run(commands, argc, argv);
}
