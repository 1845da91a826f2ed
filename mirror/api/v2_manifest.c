/*
 * v2_manifest.c - manifests, by tag and by digest.
 */
#include "common/check.h"
#include "common/clock.h"
#include "v2_int.h"

static void on_answer(struct ticket *);

static void
send_bytes(struct pull *p, const struct found *found)
{
	const struct answer *a = p->ticket.answer;

	if (a != NULL && a->bytes != NULL)
		reply_bytes(p->x, found->bytes); /* the ticket keeps them */
	else
		pull_bytes(p, found->bytes);
}

/* Large ones are read from their file, which may turn out missing: then the
 * manifest is asked for again, once, by its digest. */
static int
open_file(struct pull *p, const struct found *found, struct shared_fd **fd)
{
	struct err err;

	*fd = NULL;
	if (found->bytes.p != NULL)
		return 0;
	*fd = lookup_open(p->v2->port, found, &err);
	if (*fd != NULL)
		return 0;
	if (err.code == ERR_NOT_FOUND && !p->target.is_lost) {
		p->target.is_lost = true;
		p->target.digest = found->digest;
		p->target.tag[0] = '\0';
		ticket_close(&p->ticket);
		pull_ask(p, ASK_MANIFEST, on_answer);
	} else {
		pull_error(p, &err);
	}
	return -1;
}

static void
send_manifest(
    struct pull *p, const struct found *found, enum traffic_result result)
{
	bool is_modified = !pull_is_not_modified(p, &found->digest);
	struct shared_fd *fd;

	if (open_file(p, found, &fd) != 0)
		return;
	pull_count(p, result);
	if (found->confirmed_at > 0)
		traffic_tag_age(&p->key, clock_wall_s() - found->confirmed_at);
	p->sent = found->digest;
	pull_start(p, is_modified ? 200 : 304);
	pull_content_headers(p, &found->digest, p->route.is_by_digest);
	pull_stale_header(p);
	if (is_modified)
		reply_header(p->x, "Content-Type", found->media_type);
	if (!is_modified)
		reply_bytes(p->x, STR(""));
	else if (fd != NULL)
		reply_file(
		    p->x, shared_fd_ref(fd), 0, found->size, found->size);
	else
		send_bytes(p, found);
	shared_fd_unref(fd);
}

/* What the answer carries itself, or what it names in the index. */
static bool
found_of_answer(struct pull *p, struct found *found)
{
	const struct answer *a = p->ticket.answer;

	found->confirmed_at = p->route.is_by_digest ? 0 : a->confirmed_at;
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
