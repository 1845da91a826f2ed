/*
 * config_check.c - what one option can't know: rules over several of them, and
 * values that follow from others.  A check per section, called by
 * config_read.c from the inside out: the root's comes last.
 */
#include <string.h>

#include "config_int.h"

#define MINUTES_PER_DAY 1440
#define MINUTES_PER_WEEK (7 * MINUTES_PER_DAY)

/* The I-th entry of a list or map. */
static const struct yaml_node *
entry_at(const struct yaml_node *node, size_t i)
{
	const struct yaml_node *entry = node != NULL ? node->first : NULL;

	while (entry != NULL && i-- > 0)
		entry = entry->next;
	return entry;
}

/* ---- addresses and certificates ---------------------------------------- */

static int
check_tls(struct config_reader *r, const struct yaml_node *node,
    const struct config_tls *tls)
{
	if ((tls->certificate == NULL) != (tls->key == NULL))
		return config_mistake(r, node,
		    "needs both certificate and key; %s is missing",
		    tls->key == NULL ? "key" : "certificate");
	if (tls->client_ca != NULL && tls->certificate == NULL)
		return config_mistake(
		    r, node, "client_ca needs certificate and key, too");
	return 0;
}

static int
check_listen_tls(
    struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config_listen *listen = base;

	return check_tls(r, node, &listen->tls);
}

static int
check_admin_tls(
    struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config *c = base;

	return check_tls(r, node, &c->admin.tls);
}

static int
check_admin(struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config *c = base;
	const struct config_admin *admin = &c->admin;

	if (address_is_loopback(&admin->address.sa) || admin->tokens != NULL ||
	    admin->tls.client_ca != NULL)
		return 0;
	return config_mistake(r, yaml_find(node, "address"),
	    "whoever reaches %s could operate this mirror; name tokens or "
	    "tls.client_ca, or listen on 127.0.0.1",
	    admin->address.text);
}

static int
check_listens(struct config_reader *r, const struct yaml_node *root,
    const struct config *c)
{
	const struct yaml_node *list = yaml_find(root, "listen");
	const struct config_address *a;
	const char *other;
	size_t i, k;

	if (c->n_listens == 0)
		return config_mistake(r, list,
		    "listen: names no address; write one, or leave it out for "
		    "0.0.0.0:5000");
	for (i = 0; i < c->n_listens; i++) {
		a = &c->listens[i].address;
		other = NULL;
		if (address_equal(&a->sa, &c->admin.address.sa))
			other = "admin";
		for (k = 0; k < i; k++)
			if (address_equal(&a->sa, &c->listens[k].address.sa))
				other = "an earlier entry";
		if (other != NULL)
			return config_mistake(r, entry_at(list, i),
			    "listen[%zu]: %s listens on %s, too", i, other,
			    a->text);
	}
	return 0;
}

/* ---- links ------------------------------------------------------------- */

static int
check_shares(struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config_link *link = base;
	uint64_t sum = link->shares[CLASS_REFRESH] +
	    link->shares[CLASS_PREWARM] + link->shares[CLASS_REPAIR];

	if (sum <= 500000)
		return 0;
	return config_mistake(r, node,
	    "add up to %.6g%%; at most 50%% are allowed, the rest is for pulls",
	    (double)sum / 10000);
}

static int
check_quota(struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config_link *link = base;

	if (link->quota_reserve <= link->quota_bytes)
		return 0;
	return config_mistake(r, node,
	    "the reserve is larger than bytes, the quota that it is part of");
}

static int
check_window(struct config_reader *r, const struct yaml_node *node, void *base)
{
	bool has_rate = config_given(node, "rate") != NULL;
	bool has_prewarm = config_given(node, "prewarm") != NULL;
	struct config_window *w = base;

	w->line = node->line;
	if (!has_rate && !has_prewarm)
		return config_mistake(r, node,
		    "changes nothing; write a rate, a prewarm, or both");
	if (w->from_min == w->to_min)
		return config_mistake(r, node,
		    "begins and ends at the same time; for a whole day write "
		    "from: \"00:00\", to: \"24:00\"");
	if (w->to_min == 0)
		w->to_min = MINUTES_PER_DAY;
	if (!has_rate)
		w->rate = RATE_UNLIMITED;
	if (!has_prewarm)
		w->prewarm = RATE_UNLIMITED;
	return 0;
}

/* Marks the minutes from Monday's midnight on that W covers with MARK (not 0);
 * returns another window's mark found there, else 0. */
static unsigned char
mark_window(
    const struct config_window *w, unsigned char *week, unsigned char mark)
{
	unsigned length = w->to_min > w->from_min
	    ? w->to_min - w->from_min
	    : w->to_min + MINUTES_PER_DAY - w->from_min;
	unsigned char *minute;
	unsigned day, i;

	for (day = 0; day < 7; day++) {
		if ((w->days & 1u << day) == 0)
			continue;
		for (i = 0; i < length; i++) {
			minute =
			    &week[(day * MINUTES_PER_DAY + w->from_min + i) %
				MINUTES_PER_WEEK];
			if (*minute != 0 && *minute != mark)
				return *minute;
			*minute = mark;
		}
	}
	return 0;
}

static int
check_overlaps(struct config_reader *r, const struct yaml_node *node,
    const struct config_link *link)
{
	const struct yaml_node *list = yaml_find(node, "windows");
	unsigned char week[MINUTES_PER_WEEK] = { 0 }, other;
	size_t i;

	for (i = 0; i < link->n_windows; i++) {
		other = mark_window(
		    &link->windows[i], week, (unsigned char)(i + 1));
		if (other != 0)
			return config_mistake(r, entry_at(list, i),
			    "windows[%zu]: overlaps the window on line %u", i,
			    link->windows[other - 1].line);
	}
	return 0;
}

static bool
label_valid(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyz"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			s.p[i]) == NULL ||
		    s.p[i] == '\0')
			return false;
	return s.n > 0 && s.n <= 64;
}

static int
load_zone(struct config_reader *r, const struct yaml_node *node,
    struct config_link *link)
{
	struct zone *zone = config_take(r, 1, sizeof(*zone));
	struct err err;

	if (zone == NULL)
		return -1;
	link->zone = zone;
	if (zone_load(zone, link->timezone, &err) == 0)
		return 0;
	return config_mistake(
	    r, yaml_find(node, "timezone"), "timezone: %s", err.text);
}

static int
check_link(struct config_reader *r, const struct yaml_node *node, void *base)
{
	struct config_link *link = base;

	if (!label_valid(node->key))
		return config_mistake(r, node,
		    "a link's name is made of letters, digits, \"-\", \"_\" "
		    "and \".\", 64 at most");
	if (load_zone(r, node, link) != 0)
		return -1;
	return check_overlaps(r, node, link);
}

/* ---- upstreams --------------------------------------------------------- */

/* "host[:port]" of a URL that set_url() has taken. */
static const char *
host_of(struct config_reader *r, const char *text)
{
	struct url url;

	(void)url_parse(str_of(text), "http, https", &url);
	return config_copy(r, url.host);
}

/* NODE is NULL for the endpoint of an upstream that lists none, whose URL
 * follows from the upstream's name: see default_endpoint(). */
static int
check_endpoint(
    struct config_reader *r, const struct yaml_node *node, void *base)
{
	struct config_endpoint *e = base;

	if (node == NULL)
		return 0;
	if ((e->url == NULL) == (e->layout == NULL))
		return config_mistake(r, node, "needs a url or a layout, %s",
		    e->url == NULL ? "and has none" : "but not both");
	if (e->layout != NULL) {
		e->kind = ENDPOINT_LAYOUT;
		e->name = e->layout;
		return 0;
	}
	e->kind = ENDPOINT_HTTP;
	e->name = host_of(r, e->url);
	return e->name != NULL ? 0 : -1;
}

static int
check_auth(struct config_reader *r, const struct yaml_node *node, void *base)
{
	const struct config_upstream *u = base;
	const struct config_auth *auth = &u->auth;

	if ((auth->username == NULL) != (auth->password_file == NULL))
		return config_mistake(r, node,
		    "needs both username and password_file; %s is missing",
		    auth->username == NULL ? "username" : "password_file");
	if (auth->username != NULL && auth->docker_config != NULL)
		return config_mistake(r, node,
		    "takes docker_config or username with password_file, not "
		    "both");
	return 0;
}

static int
default_endpoint(struct config_reader *r, struct config_upstream *u)
{
	struct config_endpoint *e = &u->endpoints[0];
	struct str scheme = STR("https://"), host = str_of(u->name);
	char *url;

	if (str_eqz(host, "docker.io"))
		host = STR("registry-1.docker.io");
	url = config_take(r, scheme.n + host.n + 1, 1);
	if (url == NULL)
		return -1;
	memcpy(url, scheme.p, scheme.n);
	memcpy(url + scheme.n, host.p, host.n);
	e->url = url;
	e->name = url + scheme.n;
	return 0;
}

static int
check_name(struct config_reader *r, const struct yaml_node *node,
    struct config_upstream *u)
{
	char normal[REGISTRY_MAX];

	if (!registry_valid(node->key))
		return config_mistake(r, node,
		    "is not a registry's name; write it like docker.io, "
		    "localhost or registry.example.com:5000");
	u->name = config_copy(r, registry_normalise(node->key, normal));
	return u->name != NULL ? 0 : -1;
}

static int
check_upstream(
    struct config_reader *r, const struct yaml_node *node, void *base)
{
	struct config_upstream *u = base;

	u->index = (size_t)(u - r->snapshot->config.upstreams);
	if (check_name(r, node, u) != 0)
		return -1;
	while (u->aliases != NULL && u->aliases[u->n_aliases] != NULL)
		u->n_aliases++;
	if (config_given(node, "visibility") == NULL &&
	    (u->auth.docker_config != NULL || u->auth.username != NULL))
		u->visibility = VISIBILITY_PRIVATE;
	if (config_given(node, "endpoints") == NULL)
		return default_endpoint(r, u);
	if (u->n_endpoints == 0)
		return config_mistake(r, yaml_find(node, "endpoints"),
		    "endpoints: names none; write one, or leave it out for "
		    "https://%s",
		    u->name);
	return 0;
}

/* ---- names of upstreams ------------------------------------------------ */

static const struct config_upstream *
find_name(const struct snapshot *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->n_names; i++)
		if (str_eqz(s->names[i].name, name))
			return s->names[i].upstream;
	return NULL;
}

static void
add_name(struct snapshot *s, const char *name,
    const struct config_upstream *upstream)
{
	s->names[s->n_names].name = str_of(name);
	s->names[s->n_names].upstream = upstream;
	s->n_names++;
}

/* Adds a name or alias of the upstream U, which must be free. */
static int
add_own_name(struct config_reader *r, const struct yaml_node *node,
    const struct config_upstream *u, const char *name)
{
	const struct config_upstream *other = find_name(r->snapshot, name);

	if (other != NULL)
		return config_mistake(r, node,
		    "upstreams.%s: the name %s is given twice, here and in %s",
		    u->name, name, other->name);
	add_name(r->snapshot, name, u);
	return 0;
}

/* The names that clients use for Docker Hub, unless another has them. */
static int
add_hub_aliases(struct config_reader *r, struct config *c)
{
	static const char *const usual[] = { "index.docker.io",
		"registry-1.docker.io" };
	struct config_upstream *hub = NULL;
	size_t i;

	for (i = 0; i < c->n_upstreams; i++)
		if (str_eqz(STR("docker.io"), c->upstreams[i].name))
			hub = &c->upstreams[i];
	if (hub == NULL || hub->aliases != NULL)
		return 0;
	hub->aliases = config_take(r, 2, sizeof(*hub->aliases));
	if (hub->aliases == NULL)
		return -1;
	for (i = 0; i < 2; i++)
		if (find_name(r->snapshot, usual[i]) == NULL) {
			hub->aliases[hub->n_aliases++] = usual[i];
			add_name(r->snapshot, usual[i], hub);
		}
	return 0;
}

static int
check_names(
    struct config_reader *r, const struct yaml_node *root, struct config *c)
{
	const struct yaml_node *node = yaml_find(root, "upstreams");
	struct config_upstream *u;
	size_t i, k, n = 2; /* the hub's aliases */

	for (i = 0; i < c->n_upstreams; i++)
		n += 1 + c->upstreams[i].n_aliases;
	r->snapshot->names = config_take(r, n, sizeof(struct known_name));
	if (r->snapshot->names == NULL)
		return -1;
	for (i = 0; i < c->n_upstreams; i++) {
		u = &c->upstreams[i];
		if (add_own_name(r, entry_at(node, i), u, u->name) != 0)
			return -1;
		for (k = 0; k < u->n_aliases; k++)
			if (add_own_name(
				r, entry_at(node, i), u, u->aliases[k]) != 0)
				return -1;
	}
	return add_hub_aliases(r, c);
}

/* ---- rings ------------------------------------------------------------- */

static size_t
ring_index(struct config *c, const char *ring)
{
	size_t i;

	for (i = 0; i < c->n_rings; i++)
		if (str_eqz(str_of(ring), c->rings[i]))
			return i;
	c->rings[c->n_rings++] = ring;
	return i;
}

static int
index_sites(struct config_reader *r, struct config *c)
{
	struct site_target *targets;
	size_t i;

	c->rings = config_take(r, c->n_sites + 1, sizeof(*c->rings));
	targets = config_take(r, c->n_sites, sizeof(*targets));
	if (c->rings == NULL || targets == NULL)
		return -1;
	(void)ring_index(c, "");
	for (i = 0; i < c->n_sites; i++) {
		targets[i].is_block =
		    block_parse(str_of(c->sites[i].match), &targets[i].block);
		targets[i].ring = ring_index(c, c->sites[i].ring);
	}
	r->snapshot->targets = targets;
	return 0;
}

/* ------------------------------------------------------------------------ */

static int
check_root(struct config_reader *r, const struct yaml_node *node, void *base)
{
	struct config *c = base;

	if (check_listens(r, node, c) != 0 || check_names(r, node, c) != 0)
		return -1;
	return index_sites(r, c);
}

section_check_fn *const section_checks[SECTION_COUNT] = {
	[SECTION_ROOT] = check_root,
	[SECTION_LISTEN_TLS] = check_listen_tls,
	[SECTION_ADMIN] = check_admin,
	[SECTION_ADMIN_TLS] = check_admin_tls,
	[SECTION_LINK] = check_link,
	[SECTION_LINK_SHARES] = check_shares,
	[SECTION_WINDOW] = check_window,
	[SECTION_LINK_QUOTA] = check_quota,
	[SECTION_UPSTREAM] = check_upstream,
	[SECTION_ENDPOINT] = check_endpoint,
	[SECTION_AUTH] = check_auth,
};
