/*
 * fetch_request.c - the URL and the headers of a fetch.
 *
 * `ns` says which upstream is meant, as containerd says it to mirrors: another
 * Railhead needs it, other registries ignore it.  It is left out where the
 * endpoint is the upstream itself.
 */
#include "common/uri.h"
#include "fetch_int.h"
#include "oci/manifest.h"
#include "upstream/url.h"

static bool
is_the_upstream(const struct config_upstream *u, struct str host)
{
	if (str_eqz(host, u->name))
		return true;
	for (size_t i = 0; i < u->n_aliases; i++)
		if (str_eqz(host, u->aliases[i]))
			return true;
	return false;
}

/* A next page is a path of the endpoint's, as its Link header said. */
static int
write_page(const struct fetch_spec *s, const char *origin, struct buf *out,
    struct err *err)
{
	if (s->reference.n == 0 || s->reference.p[0] != '/' ||
	    str_starts(s->reference, STR("//")))
		return err_set(err, ERR_BAD_REQUEST,
		    "the next page that it names is no path");
	buf_addz(out, origin);
	uri_encode(out, s->reference, "/?&=%:@!$'()*+,;");
	return 0;
}

static void
write_path(const struct fetch_spec *s, struct buf *out)
{
	static const char *const parts[] = {
		[FETCH_MANIFEST] = "/manifests/",
		[FETCH_BLOB] = "/blobs/",
		[FETCH_TAGS] = "/tags/list",
		[FETCH_REFERRERS] = "/referrers/",
	};

	buf_printf(out, "%s/v2/", s->endpoint->url);
	uri_encode(out, s->repository, "/");
	buf_addz(out, parts[s->target]);
	uri_encode(out, s->reference, ":");
}

static bool
has_ns(struct str url)
{
	struct str query = str_from(url, str_index(url, '?'));
	struct str pair;

	query = str_from(query, query.n > 0 ? 1 : 0);
	while (str_cut(&query, '&', &pair))
		if (str_starts(pair, STR("ns=")))
			return true;
	return false;
}

int
fetch_write_url(const struct fetch_spec *s, struct buf *out, struct err *err)
{
	char origin[ORIGIN_MAX];
	struct str url;

	if (url_origin(s->endpoint->url, origin) != 0)
		return err_set(err, ERR_BAD_REQUEST,
		    "%s is no http or https URL", s->endpoint->name);
	if (s->target != FETCH_PAGE)
		write_path(s, out);
	else if (write_page(s, origin, out, err) != 0)
		return -1;
	url = buf_str(out);
	if (!is_the_upstream(s->upstream, str_of(origin_host(origin))) &&
	    !has_ns(url)) {
		buf_addz(out, str_index(url, '?') < url.n ? "&ns=" : "?ns=");
		uri_encode(out, str_of(s->upstream->name), "");
	}
	buf_add(out, "", 1);
	if (out->overflow)
		return err_set(err, ERR_BAD_REQUEST, "the URL is too long");
	return 0;
}

bool
fetch_asks_range(const struct fetch_spec *s)
{
	return !s->is_head && (s->offset > 0 || s->end > 0);
}

static const char *
accept_of(enum fetch_target target)
{
	switch (target) {
	case FETCH_MANIFEST:
		return MANIFEST_ACCEPT;
	case FETCH_BLOB:
		return "*/*";
	case FETCH_TAGS:
		return "application/json";
	case FETCH_REFERRERS:
	case FETCH_PAGE:
		break;
	}
	return "application/vnd.oci.image.index.v1+json, application/json";
}

/* What a peer gave us goes back into a header only if it fits on a line. */
static bool
is_one_line(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

void
fetch_write_headers(
    const struct fetch_spec *s, const char *authorization, struct buf *out)
{
	buf_printf(out, "Accept: %s\n", accept_of(s->target));
	if (fetch_asks_range(s)) {
		buf_printf(
		    out, "Range: bytes=%llu-", (unsigned long long)s->offset);
		if (s->end > 0)
			buf_printf(out, "%llu", (unsigned long long)s->end - 1);
		buf_addz(out, "\n");
		if (s->validator.n > 0 && is_one_line(s->validator))
			buf_printf(
			    out, "If-Range: %.*s\n", STR_ARG(s->validator));
	}
	if (authorization != NULL)
		buf_printf(out, "Authorization: %s\n", authorization);
	buf_add(out, "", 1);
}
