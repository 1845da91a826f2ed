/*
 * route.c - from a request's path to what of which upstream is asked.
 *
 * A repository may hold slashes, so a path is read from its right end: the
 * last segment, the keyword before it, and what is left is the name.  Segments
 * are told apart before they are decoded.
 */
#include "oci/route.h"

#include <string.h>

#include "common/uri.h"
#include "oci/name.h"

#define SHOWN_MAX 160 /* bytes of a name in a sentence */

/* clang-format off */
static const struct {
	const char *keyword;
	const char *last; /* NULL: anything */
	enum route_kind kind;
} tails[] = {
	{ "manifests", NULL,      ROUTE_MANIFEST },
	{ "blobs",     "uploads", ROUTE_PUSH },
	{ "blobs",     NULL,      ROUTE_BLOB },
	{ "tags",      "list",    ROUTE_TAGS },
	{ "referrers", NULL,      ROUTE_REFERRERS },
};
/* clang-format on */

/* ---- the path ---------------------------------------------------------- */

/* Cuts the segment behind the last slash off REST; false when REST was used
 * up. */
static bool
cut_last(struct str *rest, struct str *segment)
{
	const char *slash;
	size_t i;

	if (rest->p == NULL)
		return false;
	slash = memrchr(rest->p, '/', rest->n);
	i = slash == NULL ? 0 : (size_t)(slash - rest->p) + 1;
	*segment = str_from(*rest, i);
	rest->p = i > 0 ? rest->p : NULL;
	rest->n = i > 0 ? i - 1 : 0;
	return true;
}

static bool
find_tail(struct str *name, struct str *last, enum route_kind *kind)
{
	struct str keyword;
	size_t i;

	if (!cut_last(name, last) || !cut_last(name, &keyword))
		return false;
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		if (!str_eqz(keyword, tails[i].keyword))
			continue;
		if (tails[i].last != NULL && !str_eqz(*last, tails[i].last))
			continue;
		*kind = tails[i].kind;
		return true;
	}
	return false;
}

/* An upload has a segment or more behind it: found from the left.  NAME is
 * what follows "/v2/". */
static bool
find_upload(struct str *name)
{
	static const char mark[] = "/blobs/uploads/";
	const char *slash = name->p - 1;
	const char *found = memmem(slash, name->n + 1, mark, sizeof(mark) - 1);

	if (found == NULL)
		return false;
	name->n = found == slash ? 0 : (size_t)(found - name->p);
	return true;
}

static int
bad_name(struct str name, struct err *err)
{
	char shown[SHOWN_MAX];

	return err_set(err, ERR_NAME_INVALID,
	    "\"%s\" is no repository name: it takes lower case letters and "
	    "digits, single \".\", \"_\", \"__\" or dashes between them, and "
	    "\"/\" between its parts",
	    str_printable(name, shown, sizeof(shown)));
}

static int
too_long(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "the request's path is too long");
}

static int
set_name(struct arena *a, struct str name, struct route *r, struct err *err)
{
	if (uri_decode(a, name, &r->repository))
		return 0;
	return a->overflow ? too_long(err) : bad_name(name, err);
}

static int
set_digest(struct str text, struct route *r, struct err *err)
{
	r->is_by_digest = true;
	return digest_parse(&r->digest, text, err);
}

static int
set_reference(struct str text, struct route *r, struct err *err)
{
	char shown[SHOWN_MAX];

	if (str_index(text, ':') < text.n)
		return set_digest(text, r, err);
	if (!name_is_tag(text))
		return err_set(err, ERR_MANIFEST_UNKNOWN,
		    "there is no manifest \"%s\": a tag has up to %d letters, "
		    "digits, \"_\", \".\" and \"-\", and begins with none of "
		    "the last two",
		    str_printable(text, shown, sizeof(shown)), TAG_MAX_BYTES);
	r->tag = text;
	return 0;
}

/* The last segment.  A broken escape stays as it is: neither a tag nor a
 * digest may hold '%', so the answer is theirs. */
static int
set_last(struct arena *a, struct str last, struct route *r, struct err *err)
{
	struct str text = last;

	if (!uri_decode(a, last, &text)) {
		if (a->overflow)
			return too_long(err);
		text = last;
	}
	switch (r->kind) {
	case ROUTE_MANIFEST:
		return set_reference(text, r, err);
	case ROUTE_BLOB:
	case ROUTE_REFERRERS:
		return set_digest(text, r, err);
	case ROUTE_BASE:
	case ROUTE_TAGS:
	case ROUTE_PUSH:
		break;
	}
	return 0;
}

int
route_parse(struct arena *a, struct str path, struct route *r, struct err *err)
{
	struct str name, last = STR("");
	char shown[SHOWN_MAX];

	*r = (struct route){ .kind = ROUTE_BASE };
	if (str_eqz(path, "/v2") || str_eqz(path, "/v2/"))
		return 0;
	if (!str_starts(path, STR("/v2/")))
		return err_set(err, ERR_NOT_FOUND,
		    "there is nothing at \"%s\": a registry's paths begin with "
		    "/v2/",
		    str_printable(path, shown, sizeof(shown)));
	name = str_from(path, 4);
	if (!find_tail(&name, &last, &r->kind)) {
		name = str_from(path, 4);
		if (!find_upload(&name))
			return err_set(err, ERR_NOT_FOUND,
			    "there is nothing at \"%s\": it ends in none of "
			    "manifests/, blobs/, tags/list and referrers/",
			    str_printable(path, shown, sizeof(shown)));
		r->kind = ROUTE_PUSH;
	}
	if (set_name(a, name, r, err) != 0)
		return -1;
	return set_last(a, last, r, err);
}

/* ---- the upstream ------------------------------------------------------ */

/* The upstream that the repository's first segment names, if there are more
 * segments; *REST is what follows. */
static const struct config_upstream *
find_prefix(const struct config *cfg, struct str repository, struct str *rest)
{
	struct str first;

	*rest = repository;
	if (!str_cut(rest, '/', &first) || rest->n == 0)
		return NULL;
	return config_find_upstream(cfg, first);
}

static int
unknown(struct str asked, const char *how, struct err *err)
{
	char shown[SHOWN_MAX];

	return err_set(err, ERR_NAME_UNKNOWN,
	    "this mirror has no upstream for %s \"%s\": see `upstreams` in its "
	    "configuration",
	    how, str_printable(asked, shown, sizeof(shown)));
}

/* Sets the upstream and takes its name off the repository. */
static int
choose(const struct config *cfg, struct str ns, struct str host,
    struct route *r, struct err *err)
{
	struct str rest;
	const struct config_upstream *prefix =
	    find_prefix(cfg, r->repository, &rest);

	r->upstream = ns.n > 0 ? config_find_upstream(cfg, ns) : prefix;
	if (ns.n > 0 && r->upstream == NULL)
		return unknown(ns, "the namespace", err);
	if (prefix != NULL && r->upstream == prefix)
		r->repository = rest;
	if (r->upstream == NULL && host.n > 0)
		r->upstream = config_find_upstream(cfg, host);
	if (r->upstream == NULL)
		r->upstream = cfg->default_upstream;
	if (r->upstream == NULL)
		return unknown(r->repository, "the repository", err);
	return 0;
}

/* Docker Hub's official images are called without their folder. */
static int
add_library(struct arena *a, struct route *r, struct err *err)
{
	struct str name = r->repository;

	if (!str_eqz(STR("docker.io"), r->upstream->name) ||
	    str_index(name, '/') < name.n)
		return 0;
	r->repository = arena_printf(a, "library/%.*s", STR_ARG(name));
	return a->overflow ? too_long(err) : 0;
}

static int
name_too_long(const struct route *r, struct err *err)
{
	char shown[SHOWN_MAX];

	return err_set(err, ERR_NAME_INVALID,
	    "\"%s\" of %.80s is too long: an upstream's name, a slash and a "
	    "repository have at most %d bytes together",
	    str_printable(r->repository, shown, sizeof(shown)),
	    r->upstream->name, NAME_MAX_BYTES);
}

int
route_upstream(struct arena *a, const struct config *cfg, struct str ns,
    struct str host, struct route *r, struct err *err)
{
	if (r->kind == ROUTE_BASE)
		return 0;
	if (choose(cfg, ns, host, r, err) != 0)
		return -1;
	if (!name_is_repository(r->repository))
		return bad_name(r->repository, err);
	if (add_library(a, r, err) != 0)
		return -1;
	if (strlen(r->upstream->name) + 1 + r->repository.n > NAME_MAX_BYTES)
		return name_too_long(r, err);
	return 0;
}
