/*
 * v2_manifest.c - manifests, by tag and by digest.
 */
#include <stdlib.h>

#include "common/check.h"
#include "http/range.h"
#include "v2_int.h"

static bool
is_not_modified(const struct pull *p, const struct digest *digest)
{
	struct str asked = p->x->request.header[HTTP_IF_NONE_MATCH_HEADER];
	char text[DIGEST_TEXT_MAX];
	struct str etag;

	if (asked.p == NULL)
		return false;
	(void)digest_text(digest, text);
	etag = arena_printf(&p->x->arena, "\"%s\"", text);
	return etag_matches(asked, etag);
}

static void
send_body(struct pull *p, const struct found *found)
{
	const struct answer *a = p->ticket.answer;
	struct shared_fd *fd;

	if (a != NULL && a->bytes != NULL) {
		reply_bytes(p->x, found->bytes); /* the ticket keeps them */
		return;
	}
	if (found->bytes.p != NULL) {
		pull_bytes(p, found->bytes);
		return;
	}
	fd = lookup_open(p->v2->port, found);
	if (fd == NULL)
		reply_cut(p->x);
	else
		reply_file(p->x, fd, 0, found->size, found->size);
}

static void
send_manifest(
    struct pull *p, const struct found *found, enum traffic_result result)
{
	bool is_modified = !is_not_modified(p, &found->digest);

	pull_count(p, result);
	pull_start(p, is_modified ? 200 : 304);
	pull_content_headers(p, &found->digest, p->route.is_by_digest);
	pull_stale_header(p);
	if (!is_modified) {
		reply_bytes(p->x, STR(""));
		return;
	}
	reply_header(p->x, "Content-Type", found->media_type);
	send_body(p, found);
}

/* What the answer carries itself, or what it names in the index. */
static bool
found_of_answer(struct pull *p, struct found *found)
{
	const struct answer *a = p->ticket.answer;

	if (a->bytes == NULL)
		return lookup_answered(p->v2->port, &a->digest, found);
	found->digest = a->digest;
	found->size = a->size;
	found->media_type = str_of(a->media_type);
	found->bytes = (struct str){ a->bytes, a->n_bytes };
	return true;
}

static void
on_answer(struct ticket *t)
{
	struct pull *p = container_of(t, struct pull, ticket);
	struct found found;
	struct err err;

	timer_stop(&p->timer);
	if (t->answer->error.code != ERR_NONE) {
		pull_error(p, &t->answer->error);
		return;
	}
	p->is_stale = t->answer->is_stale;
	if (found_of_answer(p, &found)) {
		send_manifest(p, &found, pull_answer_result(p));
	} else {
		(void)err_set(&err, ERR_INTERNAL,
		    "%s: the manifest was lost while it was asked for; ask "
		    "again",
		    p->target.scope);
		pull_error(p, &err);
	}
	lookup_release(p->v2->port);
}

void
v2_manifest(struct pull *p)
{
	struct cache_port *port = p->v2->port;
	struct found found;
	bool is_here = p->route.is_by_digest
	    ? lookup_manifest(port, &p->target, &found)
	    : lookup_tag(port, &p->target, &found);

	if (is_here)
		send_manifest(p, &found, RESULT_HIT);
	else
		pull_ask(p, p->route.is_by_digest ? ASK_MANIFEST : ASK_TAG,
		    on_answer);
}
