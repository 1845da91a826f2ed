/*
 * hosts.c - hosts.toml, registries.conf and daemon.json.
 *
 * containerd (docs/hosts.md) tries the [host] tables in the order of the file,
 * then `server`.  Without a fallback the last mirror is the server and has no
 * table of its own, or it would be asked everything twice.  containerd before
 * 2.0 throws away a file that has no [host] table at all and goes straight to
 * the upstream, so then there is an empty one.
 *
 * containers-registries.conf(5) has no `ns`: the upstream's name becomes the
 * first segment of the path.  A path can't hold a port; an upstream whose name
 * has one needs an alias without.
 */
#include "api/hosts.h"

#include "oci/name.h"
#include "site/name.h"

#define PATH_TEXT_MAX 4096

/* ---- the specification -------------------------------------------------- */

static bool
is_plain_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

static struct str
authority(struct str url)
{
	if (str_starts(url, STR("https://")))
		return str_from(url, 8);
	if (str_starts(url, STR("http://")))
		return str_from(url, 7);
	return (struct str){ NULL, 0 };
}

static bool
is_secure(struct str url)
{
	return str_starts(url, STR("https://"));
}

int
hosts_add_mirror(struct hosts_spec *s, struct str url, struct err *err)
{
	char shown[256];

	if (str_ends(url, STR("/")))
		url.n--;
	if (!name_is_registry(authority(url)))
		return err_set(err, ERR_BAD_REQUEST,
		    "a mirror is http://host[:port] or https://host[:port], "
		    "not \"%s\"",
		    str_printable(url, shown, sizeof(shown)));
	if (s->n_mirrors == HOSTS_MIRRORS_MAX)
		return err_set(err, ERR_BAD_REQUEST,
		    "there may be at most %d mirrors", HOSTS_MIRRORS_MAX);
	s->mirrors[s->n_mirrors++] = url;
	return 0;
}

int
hosts_set_site(struct hosts_spec *s, struct str site, struct err *err)
{
	if (!site_name_is_valid(site))
		return err_set(err, ERR_BAD_REQUEST,
		    "a site is 1 to %d of A-Z a-z 0-9 . _ -, not digits and "
		    "dots alone",
		    SITE_NAME_MAX);
	s->site = site;
	return 0;
}

int
hosts_set_ca(struct hosts_spec *s, struct str path, struct err *err)
{
	if (path.n == 0 || path.n > PATH_TEXT_MAX || !is_plain_text(path))
		return err_set(err, ERR_BAD_REQUEST,
		    "a CA file's path is 1 to %d printable ASCII characters",
		    PATH_TEXT_MAX);
	s->ca = path;
	return 0;
}

/* ---- TOML --------------------------------------------------------------- */

static void
add_quoted(struct buf *out, struct str s)
{
	buf_addz(out, "\"");
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04X", c);
		else if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else
			buf_add(out, &s.p[i], 1);
	}
	buf_addz(out, "\"");
}

static void
add_key(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, "%s = ", key);
	add_quoted(out, value);
	buf_addz(out, "\n");
}

/* ---- containerd --------------------------------------------------------- */

/* The URL that a client would use without us; NULL when it has none. */
static const char *
fallback_url(const struct hosts_spec *s, const struct config_upstream *u)
{
	for (size_t i = 0; s->has_fallback && i < u->n_endpoints; i++)
		if (u->endpoints[i].kind == ENDPOINT_HTTP)
			return u->endpoints[i].url;
	return NULL;
}

static void
add_host_keys(struct buf *out, const struct hosts_spec *s, struct str mirror,
    const char *indent)
{
	buf_printf(out, "%scapabilities = [\"pull\", \"resolve\"]\n", indent);
	if (s->ca.n > 0 && is_secure(mirror)) {
		buf_addz(out, indent);
		add_key(out, "ca", s->ca);
	}
}

static void
add_site(struct buf *out, const struct hosts_spec *s, const char *indent)
{
	buf_printf(out, "%s\"X-Railhead-Site\" = [", indent);
	add_quoted(out, s->site);
	buf_addz(out, "]\n");
}

static void
add_server(struct buf *out, const struct hosts_spec *s, struct str mirror)
{
	add_key(out, "server", mirror);
	add_host_keys(out, s, mirror, "");
	if (s->site.n > 0) {
		buf_addz(out, "\n[header]\n");
		add_site(out, s, "  ");
	}
	if (s->n_mirrors == 1)
		buf_addz(out,
		    "\n# containerd 1.x ignores a file without this table.\n"
		    "[host]\n");
}

static void
add_host(struct buf *out, const struct hosts_spec *s, struct str mirror)
{
	buf_addz(out, "\n[host.");
	add_quoted(out, mirror);
	buf_addz(out, "]\n");
	add_host_keys(out, s, mirror, "  ");
	if (s->site.n > 0) {
		buf_addz(out, "  [host.");
		add_quoted(out, mirror);
		buf_addz(out, ".header]\n");
		add_site(out, s, "    ");
	}
}

void
hosts_containerd(struct buf *out, const struct hosts_spec *s,
    const struct config_upstream *upstream)
{
	const char *fallback = fallback_url(s, upstream);
	size_t n_hosts = s->n_mirrors;

	buf_addz(out, HOSTS_MARK "\n");
	if (fallback != NULL)
		add_key(out, "server", str_of(fallback));
	else
		add_server(out, s, s->mirrors[--n_hosts]);
	for (size_t i = 0; i < n_hosts; i++)
		add_host(out, s, s->mirrors[i]);
}

/* ---- registries.conf ---------------------------------------------------- */

/* How UPSTREAM is called in a path; NULL when no name of it can stand there. */
static const char *
path_name(const struct config_upstream *u)
{
	if (name_is_repository(str_of(u->name)))
		return u->name;
	for (size_t i = 0; i < u->n_aliases; i++)
		if (name_is_repository(str_of(u->aliases[i])))
			return u->aliases[i];
	return NULL;
}

static void
add_location(struct buf *out, struct str mirror, const char *name)
{
	buf_printf(
	    out, "location = \"%.*s/%s\"\n", STR_ARG(authority(mirror)), name);
	if (!is_secure(mirror))
		buf_addz(out, "insecure = true\n");
}

static void
add_registry(struct buf *out, const struct hosts_spec *s,
    const struct config_upstream *u)
{
	const char *name = path_name(u);
	const char *fallback = fallback_url(s, u);
	size_t n_mirrors = s->n_mirrors;

	if (name == NULL) {
		buf_printf(out,
		    "\n# %s is left out: a path can't hold a port.  Give it "
		    "an alias without one.\n",
		    u->name);
		return;
	}
	buf_addz(out, "\n[[registry]]\n");
	add_key(out, "prefix", str_of(u->name));
	if (fallback == NULL) {
		add_location(out, s->mirrors[--n_mirrors], name);
	} else {
		add_key(out, "location", str_of(u->name));
		if (!is_secure(str_of(fallback)))
			buf_addz(out, "insecure = true\n");
	}
	for (size_t i = 0; i < n_mirrors; i++) {
		buf_addz(out, "\n[[registry.mirror]]\n");
		add_location(out, s->mirrors[i], name);
	}
}

void
hosts_registries(
    struct buf *out, const struct hosts_spec *s, const struct config *config)
{
	buf_addz(out, HOSTS_MARK "\n");
	buf_addz(out,
	    "# For CRI-O, Podman, Buildah and skopeo: "
	    "/etc/containers/registries.conf.d/railhead.conf\n");
	for (size_t i = 0; s->ca.n > 0 && i < s->n_mirrors; i++)
		if (is_secure(s->mirrors[i]))
			buf_printf(out,
			    "# Put the CA of %.*s into "
			    "/etc/containers/certs.d/%.*s/ca.crt\n",
			    STR_ARG(s->mirrors[i]),
			    STR_ARG(authority(s->mirrors[i])));
	for (size_t i = 0; i < config->n_upstreams; i++)
		add_registry(out, s, &config->upstreams[i]);
}

/* ---- daemon.json -------------------------------------------------------- */

/* Mirrors were checked when they were added: nothing needs escaping. */
void
hosts_docker(struct buf *out, const struct hosts_spec *s)
{
	const char *comma = "";

	buf_addz(out, "{\n  \"registry-mirrors\": [");
	for (size_t i = 0; i < s->n_mirrors; i++)
		buf_printf(out, "%s\"%.*s\"", i > 0 ? ", " : "",
		    STR_ARG(s->mirrors[i]));
	buf_addz(out, "],\n  \"insecure-registries\": [");
	for (size_t i = 0; i < s->n_mirrors; i++) {
		if (is_secure(s->mirrors[i]))
			continue;
		buf_printf(out, "%s\"%.*s\"", comma,
		    STR_ARG(authority(s->mirrors[i])));
		comma = ", ";
	}
	buf_addz(out, "]\n}\n");
}
