/*
 * reference.c - cuts a reference from its end: digest, tag, registry.
 */
#include "oci/reference.h"

#include <stdio.h>
#include <string.h>

#include "common/buf.h"

#define HUB "docker.io"
#define NAMED_MAX 5 /* upstreams in a sentence */

/* The index of the last C; the length when there is none. */
static size_t
last_index(struct str s, char c)
{
	for (size_t i = s.n; i > 0; i--)
		if (s.p[i - 1] == c)
			return i - 1;
	return s.n;
}

/* Cuts what stands behind C off S; empty when C is not there. */
static struct str
cut_behind(struct str *s, size_t at)
{
	struct str rest = str_from(*s, at < s->n ? at + 1 : at);

	s->n = at;
	return rest;
}

static int
refuse(struct err *err, struct str whole, const char *why)
{
	char shown[200];

	return err_set(err, ERR_NAME_INVALID, "\"%s\" %s",
	    str_printable(whole, shown, sizeof(shown)), why);
}

static int
parse_digest(struct reference *r, struct str *s, struct err *err)
{
	size_t at = str_index(*s, '@');
	struct str text;

	if (at == s->n)
		return 0;
	text = cut_behind(s, at);
	return digest_parse(&r->digest, text, err);
}

static int
parse_tag(struct reference *r, struct str *s, struct err *err)
{
	size_t slash = last_index(*s, '/'), at = last_index(*s, ':');
	struct str whole = *s, tag;

	if (at == s->n || (slash < s->n && at < slash))
		return 0;
	tag = cut_behind(s, at);
	if (!name_is_tag(tag))
		return refuse(err, whole,
		    "has no right tag: up to 128 of A-Z a-z 0-9 . _ -");
	memcpy(r->tag, tag.p, tag.n);
	return 0;
}

static bool
is_registry(struct str first)
{
	return str_index(first, '.') < first.n ||
	    str_index(first, ':') < first.n || str_eqz(first, "localhost");
}

static int
unknown_upstream(
    const struct config *config, struct str registry, struct err *err)
{
	char shown[100];
	struct buf known;

	buf_init(&known, 300);
	for (size_t i = 0; i < config->n_upstreams && i < NAMED_MAX; i++)
		buf_printf(&known, "%s%s", i > 0 ? ", " : "",
		    config->upstreams[i].name);
	if (config->n_upstreams > NAMED_MAX)
		buf_addz(&known, "...");
	(void)err_set(err, ERR_NAME_UNKNOWN,
	    "%s is no upstream of this mirror; there are: %.*s",
	    str_printable(registry, shown, sizeof(shown)),
	    STR_ARG(buf_str(&known)));
	buf_done(&known);
	return -1;
}

/* Its upstream; NAME becomes what is behind the registry. */
static int
parse_registry(struct reference *r, struct str *name,
    const struct config *config, struct err *err)
{
	size_t slash = str_index(*name, '/');
	struct str registry = { name->p, slash };

	if (slash < name->n && is_registry(registry))
		*name = str_from(*name, slash + 1);
	else
		registry = STR(HUB);
	r->upstream = config_find_upstream(config, registry);
	return r->upstream != NULL ? 0
				   : unknown_upstream(config, registry, err);
}

static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

int
reference_parse(struct reference *r, struct str whole,
    const struct config *config, struct err *err)
{
	struct str s = whole;
	const char *library = "";
	int n;

	memset(r, 0, sizeof(*r));
	if (s.n == 0)
		return refuse(err, whole, "is empty");
	if (!is_plain(s))
		return refuse(err, whole,
		    "has a space, or another byte that no reference has");
	if (memmem(s.p, s.n, "://", 3) != NULL)
		return refuse(err, whole,
		    "begins with a scheme; write the reference alone");
	if (parse_digest(r, &s, err) != 0 || parse_tag(r, &s, err) != 0 ||
	    parse_registry(r, &s, config, err) != 0)
		return -1;
	if (strcmp(r->upstream->name, HUB) == 0 && str_index(s, '/') == s.n)
		library = "library/";
	n = snprintf(r->repository, sizeof(r->repository), "%s%.*s", library,
	    STR_ARG(s));
	if (s.n >= sizeof(r->repository) || n < 0 ||
	    (size_t)n >= sizeof(r->repository) ||
	    strlen(r->upstream->name) + 1 + (size_t)n > NAME_MAX_BYTES ||
	    !name_is_repository(str_of(r->repository)))
		return refuse(err, whole,
		    "is no image: [registry/]repository[:tag][@digest], in "
		    "lower case");
	return 0;
}
