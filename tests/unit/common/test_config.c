/*
 * test_config.c - what a snapshot holds: the sample of the documentation, the
 * defaults, the values that follow from others, and how long it lives.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
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

#include "common/config.h"

static struct config *
parsed(const char *text)
{
	struct config *c;
	struct err err;

	c = config_parse("railhead.yaml", str_of(text), &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

/* ---- the sample -------------------------------------------------------- */

static struct config *
sample(void)
{
	struct config *c;
	struct err err;

	c = config_load(SAMPLE, &err);
	if (c == NULL)
		fail_msg("%s", err.text);
	return c;
}

static void
test_sample_top(void **state)
{
	struct config *c = sample();

	(void)state;
	assert_string_equal(c->path, SAMPLE);
	assert_string_equal(c->region, "emea-1");
	assert_int_equal(c->n_listens, 1);
	assert_string_equal(c->listens[0].address.text, "0.0.0.0:5000");
	assert_int_equal(c->listens[0].address.sa.ss_family, AF_INET);
	assert_string_equal(
	    c->listens[0].tls.certificate, "/etc/railhead/tls.crt");
	assert_string_equal(c->listens[0].tls.key, "/etc/railhead/tls.key");
	assert_null(c->listens[0].tls.client_ca);
	assert_string_equal(c->admin.address.text, "127.0.0.1:5001");
	assert_null(c->admin.tokens);
	assert_null(c->admin.tls.certificate);
	assert_string_equal(c->store_path, "/var/lib/railhead");
	assert_int_equal(c->store_capacity, 200ull << 30);
	assert_int_equal(c->store_min_free, 5ull << 30);
	assert_int_equal(c->limits.connections, 20000);
	assert_int_equal(c->limits.head_bytes, 16384);
	assert_int_equal(c->limits.head_timeout_ms, 10000);
	assert_int_equal(c->limits.idle_timeout_ms, 75000);
	assert_int_equal(c->limits.drain_ms, 30000);
	assert_int_equal(c->gate.min_hit_ratio, 980000);
	assert_int_equal(c->gate.window_ms, 900000);
	assert_int_equal(c->log.level, LOG_INFO);
	assert_int_equal(c->log.format, LOG_JSON);
	assert_true(c->log.access);
	config_unref(c);
}

static void
test_sample_links(void **state)
{
	struct config *c = sample();
	const struct config_link *fibre = &c->links[0], *lte = &c->links[1];

	(void)state;
	assert_int_equal(c->n_links, 2);
	assert_string_equal(fibre->name, "fibre");
	assert_int_equal(fibre->rate, 25000000);
	assert_int_equal(fibre->prewarm, RATE_UNLIMITED);
	assert_int_equal(fibre->connections, 16);
	assert_int_equal(fibre->overhead, 50000);
	assert_int_equal(fibre->shares[CLASS_PULL], 0);
	assert_int_equal(fibre->shares[CLASS_REFRESH], 30000);
	assert_int_equal(fibre->shares[CLASS_PREWARM], 50000);
	assert_int_equal(fibre->shares[CLASS_REPAIR], 20000);
	assert_int_equal(fibre->stall_ms, 60000);
	assert_string_equal(fibre->timezone, "Europe/Budapest");
	assert_int_equal(fibre->n_windows, 1);
	assert_int_equal(fibre->windows[0].days, 0x3f);
	assert_int_equal(fibre->windows[0].from_min, 480);
	assert_int_equal(fibre->windows[0].to_min, 1260);
	assert_int_equal(fibre->windows[0].rate, 10000000);
	assert_int_equal(fibre->windows[0].prewarm, 1250000);
	assert_int_equal(fibre->windows[0].line, 16);
	assert_int_equal(fibre->quota_bytes, 0);

	assert_string_equal(lte->name, "lte");
	assert_int_equal(lte->rate, 1000000);
	assert_int_equal(lte->prewarm, 0);
	assert_int_equal(lte->quota_bytes, 20ull << 30);
	assert_int_equal(lte->quota_resets_on, 1);
	assert_int_equal(lte->quota_reserve, 2ull << 30);
	assert_string_equal(lte->interface, "wwan0");
	assert_null(lte->proxy);
	assert_string_equal(lte->timezone, "UTC");
	config_unref(c);
}

static void
test_sample_upstreams(void **state)
{
	struct config *c = sample();
	const struct config_upstream *hub = &c->upstreams[0];
	const struct config_upstream *own = &c->upstreams[1];
	const struct config_upstream *demo = &c->upstreams[2];

	(void)state;
	assert_int_equal(c->n_upstreams, 3);
	assert_ptr_equal(c->default_upstream, hub);
	assert_string_equal(hub->name, "docker.io");
	assert_int_equal(hub->n_aliases, 2);
	assert_string_equal(hub->aliases[1], "registry-1.docker.io");
	assert_int_equal(hub->n_endpoints, 2);
	assert_int_equal(hub->endpoints[0].kind, ENDPOINT_HTTP);
	assert_string_equal(
	    hub->endpoints[0].url, "https://registry-1.docker.io");
	assert_string_equal(hub->endpoints[0].name, "registry-1.docker.io");
	assert_ptr_equal(hub->endpoints[0].link, &c->links[0]);
	assert_ptr_equal(hub->endpoints[1].link, &c->links[1]);
	assert_int_equal(hub->endpoints[0].segments, 1);
	assert_int_equal(hub->ratelimit_floor, 20);
	assert_string_equal(
	    hub->auth.docker_config, "/etc/railhead/config.json");
	assert_int_equal(hub->visibility, VISIBILITY_PRIVATE);
	assert_int_equal(own->visibility, VISIBILITY_PRIVATE);
	assert_int_equal(own->index, 1);
	assert_int_equal(demo->visibility, VISIBILITY_PUBLIC);
	assert_int_equal(demo->index, 2);
	assert_int_equal(demo->endpoints[0].kind, ENDPOINT_LAYOUT);
	assert_string_equal(demo->endpoints[0].layout, "/srv/demo-layout");
	assert_string_equal(demo->endpoints[0].name, "/srv/demo-layout");
	assert_null(demo->endpoints[0].url);
	assert_null(demo->endpoints[0].link);
	config_unref(c);
}

static void
test_sample_rules(void **state)
{
	struct config *c = sample();
	struct config_tag_rule rule;

	(void)state;
	rule = config_tag_rule(c, STR("library/nginx"), STR("v1.27"));
	assert_true(rule.immutable);
	rule = config_tag_rule(c, STR("library/nginx"), STR("latest"));
	assert_false(rule.immutable);
	assert_int_equal(rule.ttl_s, 300);
	assert_int_equal(rule.stale_s, 604800);
	assert_int_equal(c->n_rings, 3);
	assert_string_equal(c->rings[0], "");
	assert_string_equal(c->rings[1], "all");
	assert_string_equal(c->rings[2], "retail-region-1");
	config_unref(c);
}

/* ---- defaults ---------------------------------------------------------- */

static void
test_defaults(void **state)
{
	struct config *c = parsed("");

	(void)state;
	assert_string_equal(c->region, "");
	assert_int_equal(c->n_listens, 1);
	assert_string_equal(c->listens[0].address.text, "0.0.0.0:5000");
	assert_null(c->listens[0].tls.certificate);
	assert_string_equal(c->admin.address.text, "127.0.0.1:5001");
	assert_int_equal(c->serve_loops, 0);
	assert_string_equal(c->store_path, "/var/lib/railhead");
	assert_int_equal(c->n_links, 0);
	assert_int_equal(c->n_upstreams, 0);
	assert_null(c->default_upstream);
	assert_int_equal(c->n_tags, 1);
	assert_string_equal(c->tags[0].match, "*");
	assert_int_equal(c->tags[0].ttl_s, 300);
	assert_int_equal(c->tags[0].stale_s, 604800);
	assert_int_equal(c->n_sites, 0);
	assert_int_equal(c->n_rings, 1);
	assert_int_equal(c->gate.max_error_ratio, 50000);
	assert_null(config_find_upstream(c, STR("docker.io")));
	assert_int_equal(config_ring(c, STR("store-1"), NULL), 0);
	config_unref(c);
}

static void
test_null_is_default(void **state)
{
	struct config *c = parsed("listen: null\ntags: ~\nlimits:\n"
				  "log: {level: null}\nlinks:\n  a:\n"
				  "upstreams: {quay.io: {endpoints: null}}\n");

	(void)state;
	assert_int_equal(c->n_listens, 1);
	assert_int_equal(c->n_tags, 1);
	assert_int_equal(c->limits.connections, 20000);
	assert_int_equal(c->log.level, LOG_INFO);
	assert_int_equal(c->links[0].rate, RATE_UNLIMITED);
	assert_int_equal(c->links[0].connections, 16);
	assert_int_equal(c->upstreams[0].n_endpoints, 1);
	config_unref(c);
}

static void
test_empty_upstreams(void **state)
{
	struct config *c = parsed("upstreams:\n"
				  "  docker.io:\n"
				  "  quay.io: {}\n"
				  "  Registry.Example.COM:443:\n"
				  "    denied: 403\n"
				  "  localhost:5000: {}\n");
	const struct config_upstream *u = c->upstreams;

	(void)state;
	assert_int_equal(u[0].n_endpoints, 1);
	assert_int_equal(u[0].endpoints[0].kind, ENDPOINT_HTTP);
	assert_string_equal(
	    u[0].endpoints[0].url, "https://registry-1.docker.io");
	assert_int_equal(u[0].n_aliases, 2);
	assert_int_equal(u[0].denied_status, 404);
	assert_string_equal(u[1].endpoints[0].url, "https://quay.io");
	assert_string_equal(u[1].endpoints[0].name, "quay.io");
	assert_int_equal(u[1].endpoints[0].segments, 1);
	assert_int_equal(u[1].n_aliases, 0);
	assert_string_equal(u[2].name, "registry.example.com");
	assert_string_equal(
	    u[2].endpoints[0].url, "https://registry.example.com");
	assert_int_equal(u[2].denied_status, 403);
	assert_string_equal(u[3].endpoints[0].url, "https://localhost:5000");
	config_unref(c);
}

/* Another upstream may have a name that is usually an alias of Docker Hub. */
static void
test_hub_aliases_yield(void **state)
{
	struct config *c = parsed("upstreams:\n"
				  "  docker.io:\n"
				  "  registry-1.docker.io:\n");

	(void)state;
	assert_int_equal(c->upstreams[0].n_aliases, 1);
	assert_ptr_equal(config_find_upstream(c, STR("registry-1.docker.io")),
	    &c->upstreams[1]);
	assert_ptr_equal(
	    config_find_upstream(c, STR("index.docker.io")), &c->upstreams[0]);
	config_unref(c);

	c = parsed("upstreams: {docker.io: {aliases: []}}");
	assert_int_equal(c->upstreams[0].n_aliases, 0);
	assert_null(config_find_upstream(c, STR("index.docker.io")));
	config_unref(c);
}

static void
test_visibility(void **state)
{
	struct config *c =
	    parsed("upstreams:\n"
		   "  a.io: {auth: {username: u, password_file: /p}}\n"
		   "  b.io: {auth: {docker_config: /c}, visibility: public}\n"
		   "  c.io: {auth: {}}\n"
		   "  d.io: {visibility: private}\n");

	(void)state;
	assert_int_equal(c->upstreams[0].visibility, VISIBILITY_PRIVATE);
	assert_string_equal(c->upstreams[0].auth.password_file, "/p");
	assert_int_equal(c->upstreams[1].visibility, VISIBILITY_PUBLIC);
	assert_int_equal(c->upstreams[2].visibility, VISIBILITY_PUBLIC);
	assert_int_equal(c->upstreams[3].visibility, VISIBILITY_PRIVATE);
	config_unref(c);
}

static void
test_windows(void **state)
{
	struct config *c = parsed(
	    "links:\n"
	    "  a:\n"
	    "    windows:\n"
	    "      - {days: mon-fri, from: \"22:00\", to: \"06:00\", rate: "
	    "1Mbit}\n"
	    "      - {days: sun, from: \"06:00\", to: \"00:00\", prewarm: "
	    "off}\n"
	    "      - {days: [mon, wed], from: \"06:00\", to: \"07:00\", rate: "
	    "2Mbit}\n"
	    "  b: {windows: [{rate: 1Mbit}]}\n");
	const struct config_window *w = c->links[0].windows;

	(void)state;
	assert_int_equal(w[0].from_min, 1320);
	assert_int_equal(w[0].to_min, 360);
	assert_int_equal(w[0].prewarm, RATE_UNLIMITED);
	assert_int_equal(w[0].line, 4);
	assert_int_equal(w[1].to_min, 1440);
	assert_int_equal(w[1].rate, RATE_UNLIMITED);
	assert_int_equal(w[1].prewarm, 0);
	assert_int_equal(w[2].days, 0x05);
	assert_int_equal(c->links[1].windows[0].days, 0x7f);
	assert_int_equal(c->links[1].windows[0].from_min, 0);
	assert_int_equal(c->links[1].windows[0].to_min, 1440);
	config_unref(c);
}

static void
test_urls(void **state)
{
	struct config *c = parsed(
	    "links: {a: {proxy: \"http://me:secret@proxy.local:3128/\"}}\n"
	    "upstreams:\n"
	    "  a.io:\n"
	    "    endpoints:\n"
	    "      - url: HTTP://Mirror.local:5000/\n"
	    "      - url: https://[fd00::1]:5000/hub/\n"
	    "      - url: https://10.0.0.1//\n");
	const struct config_endpoint *e = c->upstreams[0].endpoints;

	(void)state;
	assert_string_equal(
	    c->links[0].proxy, "http://me:secret@proxy.local:3128");
	assert_string_equal(e[0].url, "HTTP://Mirror.local:5000");
	assert_string_equal(e[0].name, "Mirror.local:5000");
	assert_string_equal(e[1].url, "https://[fd00::1]:5000/hub");
	assert_string_equal(e[1].name, "[fd00::1]:5000");
	assert_string_equal(e[2].url, "https://10.0.0.1");
	config_unref(c);
}

static void
test_addresses(void **state)
{
	struct config *c = parsed("listen:\n"
				  "  - address: \":5000\"\n"
				  "  - address: \"[::1]:0\"\n"
				  "  - address: 10.1.2.3:65535\n"
				  "admin: {address: \"[::1]:5001\"}\n");
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	(void)state;
	memcpy(&v6, &c->listens[0].address.sa, sizeof(v6));
	assert_int_equal(v6.sin6_family, AF_INET6);
	assert_int_equal(ntohs(v6.sin6_port), 5000);
	assert_memory_equal(&v6.sin6_addr, &in6addr_any, 16);
	assert_int_equal(c->listens[0].address.len, sizeof(v6));
	memcpy(&v6, &c->listens[1].address.sa, sizeof(v6));
	assert_memory_equal(&v6.sin6_addr, &in6addr_loopback, 16);
	memcpy(&v4, &c->listens[2].address.sa, sizeof(v4));
	assert_int_equal(v4.sin_addr.s_addr, htonl(0x0a010203));
	assert_int_equal(ntohs(v4.sin_port), 65535);
	assert_int_equal(c->listens[2].address.len, sizeof(v4));
	config_unref(c);
}

static void
test_open_admin(void **state)
{
	(void)state;
	config_unref(parsed("admin: {address: \":5001\", tokens: /t}"));
	config_unref(parsed(
	    "admin: {address: 10.0.0.1:5001, tls: {certificate: /c, key: "
	    "/k, client_ca: /a}}"));
	config_unref(parsed("admin: {address: 127.9.9.9:5001}"));
	config_unref(parsed("admin: {address: \"[::ffff:127.0.0.1]:5001\"}"));
}

/* ---- look-ups ---------------------------------------------------------- */

static void
test_find_upstream(void **state)
{
	struct config *c = sample();
	char long_name[400];

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	assert_ptr_equal(
	    config_find_upstream(c, STR("docker.io")), &c->upstreams[0]);
	assert_ptr_equal(
	    config_find_upstream(c, STR("Docker.IO:443")), &c->upstreams[0]);
	assert_ptr_equal(
	    config_find_upstream(c, STR("docker.io:80")), &c->upstreams[0]);
	assert_ptr_equal(
	    config_find_upstream(c, STR("INDEX.docker.io")), &c->upstreams[0]);
	assert_ptr_equal(
	    config_find_upstream(c, STR("demo.local")), &c->upstreams[2]);
	assert_null(config_find_upstream(c, STR("docker.io:5000")));
	assert_null(config_find_upstream(c, STR("docker.io.")));
	assert_null(config_find_upstream(c, STR("docker.i")));
	assert_null(config_find_upstream(c, STR("")));
	assert_null(config_find_upstream(c, (struct str){ NULL, 0 }));
	assert_null(config_find_upstream(
	    c, (struct str){ long_name, sizeof(long_name) }));
	config_unref(c);
}

static void
test_tag_rules(void **state)
{
	struct config *c = parsed("tags:\n"
				  "  - {match: \"library/*:1.*\", ttl: 1h}\n"
				  "  - {match: \"*:stable\", ttl: 0s}\n");
	char name[256];

	(void)state;
	assert_int_equal(
	    config_tag_rule(c, STR("library/nginx"), STR("1.27")).ttl_s, 3600);
	assert_int_equal(
	    config_tag_rule(c, STR("library/nginx"), STR("stable")).ttl_s, 0);
	assert_int_equal(
	    config_tag_rule(c, STR("other/nginx"), STR("1.27")).ttl_s, 300);
	assert_string_equal(
	    config_tag_rule(c, STR("other/nginx"), STR("1.27")).match, "*");

	memset(name, 'a', sizeof(name));
	assert_int_equal(
	    config_tag_rule(c, (struct str){ name, 255 }, STR("stable")).ttl_s,
	    0);
	assert_int_equal(config_tag_rule(c, (struct str){ name, 256 },
			     (struct str){ name, 256 })
			     .ttl_s,
	    300);
	config_unref(c);
}

/* The ring of an address, without a site's name. */
static const char *
ring_of(const struct config *c, const char *address)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	const struct sockaddr *sa = (const struct sockaddr *)&v4;

	if (inet_pton(AF_INET, address, &v4.sin_addr) != 1) {
		assert_int_equal(
		    inet_pton(AF_INET6, address, &v6.sin6_addr), 1);
		sa = (const struct sockaddr *)&v6;
	}
	return c->rings[config_ring(c, STR(""), sa)];
}

static void
test_rings(void **state)
{
	struct config *c = parsed("sites:\n"
				  "  - {match: 10.1.7.9, ring: one}\n"
				  "  - {match: 10.1.0.0/20, ring: two}\n"
				  "  - {match: \"fd00:1::/33\", ring: three}\n"
				  "  - {match: \"store-1*\", ring: two}\n"
				  "  - {match: \"store-*\", ring: four}\n"
				  "  - {match: \"::/0\", ring: six}\n");
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x0a010203) };
	const struct sockaddr *sa = (const struct sockaddr *)&v4;
	struct sockaddr other = { .sa_family = AF_UNIX };

	(void)state;
	assert_int_equal(c->n_rings, 6);
	assert_string_equal(ring_of(c, "10.1.7.9"), "one");
	assert_string_equal(ring_of(c, "10.1.7.8"), "two");
	assert_string_equal(ring_of(c, "10.1.15.255"), "two");
	assert_string_equal(ring_of(c, "10.1.16.0"), "");
	assert_string_equal(ring_of(c, "::ffff:10.1.15.255"), "two");
	assert_string_equal(ring_of(c, "::ffff:10.1.16.0"), "");
	assert_string_equal(ring_of(c, "fd00:1:7fff::1"), "three");
	assert_string_equal(ring_of(c, "fd00:1:8000::1"), "six");

	assert_string_equal(
	    c->rings[config_ring(c, STR("store-12"), sa)], "two");
	assert_string_equal(
	    c->rings[config_ring(c, STR("store-22"), sa)], "two");
	assert_string_equal(
	    c->rings[config_ring(c, STR("store-22"), NULL)], "four");
	assert_string_equal(
	    c->rings[config_ring(c, STR("kiosk-1"), sa)], "two");
	assert_int_equal(config_ring(c, STR("kiosk-1"), NULL), 0);
	assert_int_equal(config_ring(c, STR("kiosk-1"), &other), 0);
	config_unref(c);
}

static void
test_class_names(void **state)
{
	(void)state;
	assert_string_equal(link_class_name(CLASS_PULL), "pull");
	assert_string_equal(link_class_name(CLASS_REFRESH), "refresh");
	assert_string_equal(link_class_name(CLASS_PREWARM), "prewarm");
	assert_string_equal(link_class_name(CLASS_REPAIR), "repair");
}

/* ---- life -------------------------------------------------------------- */

/* A request keeps its snapshot over a reload; a refused file changes nothing.
 */
static void
test_reload(void **state)
{
	struct config *mine, *now;
	struct err err;

	(void)state;
	assert_null(config_now());
	config_set(parsed("region: old"));
	mine = config_now();
	assert_string_equal(mine->region, "old");

	assert_null(config_parse("r.yaml", STR("region: []"), &err));
	now = config_now();
	assert_ptr_equal(now, mine);
	config_unref(now);

	config_set(parsed("region: new"));
	assert_string_equal(mine->region, "old");
	now = config_now();
	assert_string_equal(now->region, "new");
	config_unref(now);
	assert_ptr_equal(config_ref(mine), mine);
	config_unref(mine);
	assert_string_equal(mine->region, "old");
	config_unref(mine);

	config_set(NULL);
	assert_null(config_now());
	config_unref(NULL);
}

static void *
read_many(void *arg)
{
	struct config *c;
	unsigned i;

	(void)arg;
	for (i = 0; i < 2000; i++) {
		c = config_now();
		if (strcmp(c->region, "one") != 0 &&
		    strcmp(c->region, "two") != 0)
			abort();
		config_unref(c);
	}
	return NULL;
}

static void
test_reload_under_readers(void **state)
{
	pthread_t threads[3];
	unsigned i;

	(void)state;
	config_set(parsed("region: one"));
	for (i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, read_many, NULL), 0);
	for (i = 0; i < 200; i++)
		config_set(parsed(i % 2 == 0 ? "region: two" : "region: one"));
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	config_set(NULL);
}

static void
test_missing_file(void **state)
{
	struct err err;

	(void)state;
	assert_null(config_load("/nowhere/railhead.yaml", &err));
	assert_int_equal(err.code, ERR_CONFIG);
	assert_string_equal(err.text,
	    "the configuration /nowhere/railhead.yaml can't be opened: No such "
	    "file or directory");
}

/* config_load() takes files that are not there; the check does not. */
static void
test_checked_files(void **state)
{
	char path[] = "/tmp/test_config.XXXXXX";
	static const char there[] = "admin: {tokens: /dev/null}\n";
	static const char missing[] = "admin:\n  tokens: /nowhere/tokens\n";
	struct config *c;
	struct err err;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, there, sizeof(there) - 1), (ssize_t)sizeof(there) - 1);
	c = config_load_checked(path, &err);
	assert_non_null(c);
	config_unref(c);

	assert_int_equal(pwrite(fd, missing, sizeof(missing) - 1, 0),
	    (ssize_t)sizeof(missing) - 1);
	c = config_load(path, &err);
	assert_non_null(c);
	config_unref(c);
	assert_null(config_load_checked(path, &err));
	assert_non_null(strstr(err.text,
	    ":2: admin.tokens: "
	    "\"/nowhere/tokens\" can't be read: "
	    "No such file or directory"));
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(path), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample_top),
		cmocka_unit_test(test_sample_links),
		cmocka_unit_test(test_sample_upstreams),
		cmocka_unit_test(test_sample_rules),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_null_is_default),
		cmocka_unit_test(test_empty_upstreams),
		cmocka_unit_test(test_hub_aliases_yield),
		cmocka_unit_test(test_visibility),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_open_admin),
		cmocka_unit_test(test_find_upstream),
		cmocka_unit_test(test_tag_rules),
		cmocka_unit_test(test_rings),
		cmocka_unit_test(test_class_names),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_reload_under_readers),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_checked_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
