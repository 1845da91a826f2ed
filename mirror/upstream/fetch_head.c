/*
 * fetch_head.c - reads the head of a 200 or 206, and believes a 206 only when
 * its Content-Range is what was asked for.
 */
#include <string.h>

#include "fetch_int.h"

struct content_range {
	uint64_t first, last;
	int64_t total; /* -1: "*" */
};

/* "bytes 0-99/1000"; false when it is anything else. */
static bool
content_range_parse(struct str s, struct content_range *r)
{
	struct str first, last;
	uint64_t total;

	if (s.n < 6 || !str_ieq((struct str){ s.p, 6 }, STR("bytes ")))
		return false;
	s = str_trim(str_from(s, 6));
	if (!str_cut(&s, '-', &first) || !str_cut(&s, '/', &last) ||
	    !str_u64(first, &r->first) || !str_u64(last, &r->last) ||
	    r->last < r->first || r->last >= INT64_MAX)
		return false;
	r->total = -1;
	if (str_eqz(s, "*"))
		return true;
	if (!str_u64(s, &total) || total <= r->last || total > INT64_MAX)
		return false;
	r->total = (int64_t)total;
	return true;
}

static int
read_partial(struct fetch *f, const struct hop *hop, struct fetch_head *head)
{
	const struct fetch_spec *s = &f->spec;
	struct str header = hop_header(hop, "Content-Range", 0);
	struct content_range r;
	char shown[80];

	if (!fetch_asks_range(s))
		return fetch_judge(f, FETCH_FAILED, ERR_UPSTREAM_STATUS,
		    "%s sent a part (206) where all was asked for",
		    s->endpoint->name);
	if (!content_range_parse(header, &r) || r.first != s->offset ||
	    (s->end > 0 && r.last >= s->end) ||
	    (head->length >= 0 &&
		(uint64_t)head->length != r.last - r.first + 1))
		return fetch_judge(f, FETCH_FAILED, ERR_UPSTREAM_STATUS,
		    "%s sent another part than bytes from %llu on: "
		    "Content-Range \"%s\"",
		    s->endpoint->name, (unsigned long long)s->offset,
		    str_printable(header, shown, sizeof(shown)));
	head->first = r.first;
	head->length = (int64_t)(r.last - r.first + 1);
	head->total = r.total;
	return 0;
}

/* Weak ones do not say that bytes are the same. */
static struct str
strong_etag(struct str s)
{
	bool is_strong = s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"';

	return is_strong ? s : STR("");
}

int
fetch_read_head(struct fetch *f, const struct hop *hop, struct fetch_head *head)
{
	struct err ignored;
	int rc = 0;

	*head = (struct fetch_head){ .status = hop_status(hop),
		.length = hop_length(hop),
		.content_type = hop_header(hop, "Content-Type", 0),
		.etag = strong_etag(hop_header(hop, "ETag", 0)),
		.link = hop_header(hop, "Link", 0) };
	head->total = head->length;
	if (digest_parse(&head->digest,
		hop_header(hop, "Docker-Content-Digest", 0), &ignored) != 0)
		head->digest = (struct digest){ 0 };
	if (head->status == 206)
		rc = read_partial(f, hop, head);
	return rc;
}
