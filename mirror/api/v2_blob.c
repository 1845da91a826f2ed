/*
 * v2_blob.c - blobs: from the store, or from a fill while it runs.
 *
 * The same request gets the same status in every state of the blob: ranges and
 * conditions are decided as soon as the size is known, from the store or from
 * the upstream's head.
 *
 * A reply begins with its first byte, so that what goes wrong before is an
 * error and not a cut: that of a blob that is held back whole (small, or from
 * an endpoint that sent wrong bytes lately) when it is verified.  But it begins
 * no later than HEAD_PATIENCE_MS, and a range at once.
 */
#include <stdlib.h>

#include "common/check.h"
#include "http/range.h"
#include "v2_int.h"

#define HEAD_PATIENCE_MS 8000
#define LOOKUPS_MAX 3 /* a blob that comes and goes meanwhile */

static void find_blob(struct pull *);

/* ---- the head ---------------------------------------------------------- */

static void
start_blob(struct pull *p, int status)
{
	pull_start(p, status);
	pull_content_headers(p, &p->target.digest, true);
	reply_header(p->x, "Accept-Ranges", STR("bytes"));
}

static void
send_unsatisfiable(struct pull *p, uint64_t size)
{
	pull_start(p, 416);
	reply_headerf(
	    p->x, "Content-Range", "bytes */%llu", (unsigned long long)size);
	reply_header(p->x, "Content-Type", STR("application/json"));
	reply_bytes(p->x,
	    STR("{\"errors\":[{\"code\":\"RANGE_INVALID\",\"message\":\"the "
		"range begins behind the blob's end\",\"detail\":null}]}"));
}

static enum range_kind
wanted_range(const struct pull *p, uint64_t size, struct range *range)
{
	const struct http_request *r = &p->x->request;
	char text[ETAG_TEXT_MAX];
	struct str etag = pull_etag(&p->target.digest, text);

	if (r->method != HTTP_GET ||
	    !range_if_range(r->header[HTTP_IF_RANGE_HEADER], etag))
		return RANGE_WHOLE;
	return range_parse(r->header[HTTP_RANGE_HEADER], size, range);
}

/* Sends the head for a blob of this size.  False: that was all (416, 304);
 * else *range is what the body shall be. */
static bool
send_head(struct pull *p, uint64_t size, struct range *range)
{
	enum range_kind kind = wanted_range(p, size, range);

	if (pull_is_not_modified(p, &p->target.digest)) {
		start_blob(p, 304);
		reply_bytes(p->x, STR(""));
		return false;
	}
	if (kind == RANGE_UNSATISFIABLE) {
		send_unsatisfiable(p, size);
		return false;
	}
	if (kind == RANGE_WHOLE)
		*range = (struct range){ .start = 0, .end = size };
	start_blob(p, kind == RANGE_PART ? 206 : 200);
	reply_header(p->x, "Content-Type", STR("application/octet-stream"));
	if (kind == RANGE_PART)
		reply_headerf(p->x, "Content-Range", "bytes %llu-%llu/%llu",
		    (unsigned long long)range->start,
		    (unsigned long long)(range->end - 1),
		    (unsigned long long)size);
	return true;
}

/* ---- from a fill ------------------------------------------------------- */

static void
reply_now(struct pull *p)
{
	struct reader *r = &p->reader;
	struct range range;

	p->is_replying = r->is_size_told = true;
	if (p->has_timer)
		timer_stop(&p->timer);
	if (!send_head(p, r->size, &range)) {
		reader_detach(r);
		return;
	}
	r->start = range.start;
	r->end = range.end;
	reply_file(
	    p->x, shared_fd_ref(r->fd), r->start, r->end - r->start, r->start);
}

static void
on_head_due(void *arg)
{
	reply_now(arg);
}

static void
on_impatient(void *arg)
{
	struct pull *p = arg;
	struct err err;

	reader_detach(&p->reader);
	(void)err_set(&err, ERR_TIMED_OUT,
	    "%s: the upstream did not begin to send the blob within %d s; try "
	    "again",
	    p->target.scope, PULL_PATIENCE_MS / 1000);
	pull_error(p, &err);
}

static void
on_begin(struct pull *p)
{
	bool is_range = p->x->request.header[HTTP_RANGE_HEADER].p != NULL;

	pull_count(p, p->reader.has_joined ? RESULT_JOIN : RESULT_MISS);
	if (is_range)
		reply_now(p);
	else
		pull_patience(p, HEAD_PATIENCE_MS, on_head_due);
}

static uint64_t
position(const struct reader *r)
{
	const struct pull *p = container_of(r, struct pull, reader);

	return p->is_replying ? reply_position(p->x) : r->start;
}

/* The follower may have ended before the reply began. */
static void
on_ended(struct pull *p)
{
	if (!p->is_replying)
		find_blob(p);
}

static void
on_cut(struct pull *p)
{
	if (p->is_replying && !reply_undo(p->x))
		reply_cut(p->x);
	else
		pull_error(p, &p->reader.error);
}

static void
on_event(struct reader *r, enum reader_event event)
{
	struct pull *p = container_of(r, struct pull, reader);

	switch (event) {
	case READER_BEGIN:
		on_begin(p);
		break;
	case READER_ALLOW:
		if (!p->is_replying && r->allowed > r->start)
			reply_now(p);
		if (p->is_replying && r->follower != NULL)
			reply_allow(p->x, r->allowed);
		break;
	case READER_SWAP:
		if (p->is_replying)
			reply_swap(p->x, shared_fd_ref(r->fd));
		break;
	case READER_ENDED:
		on_ended(p);
		break;
	case READER_CUT:
	case READER_FAILED:
		on_cut(p);
		break;
	case READER_STORED:
		find_blob(p);
		break;
	}
}

static void
follow_fill(struct pull *p, bool is_lost)
{
	struct err err;

	p->reader =
	    (struct reader){ .on_event = on_event, .position = position };
	p->target.is_lost = is_lost;
	if (reader_attach(p->v2->port, &p->reader, &p->target, &err) != 0)
		pull_error(p, &err);
	else
		pull_patience(p, PULL_PATIENCE_MS, on_impatient);
}

/* ---- from the store ---------------------------------------------------- */

static void
send_stored(struct pull *p, const struct found *found, struct shared_fd *fd)
{
	struct range range;

	if (p->has_timer)
		timer_stop(&p->timer);
	p->is_replying = true;
	pull_count(p, RESULT_HIT);
	if (!send_head(p, found->size, &range))
		shared_fd_unref(fd);
	else
		reply_file(
		    p->x, fd, range.start, range.end - range.start, range.end);
}

static void
find_blob(struct pull *p)
{
	struct shared_fd *fd = NULL;
	struct found found;
	struct err err;
	bool is_here = lookup_blob(p->v2->port, &p->target, &found);

	lookup_release(p->v2->port);
	if (++p->n_lookups > LOOKUPS_MAX) {
		(void)err_set(&err, ERR_DISK,
		    "%s: the blob was stored but can't be read; look at the "
		    "store's disk",
		    p->target.scope);
		pull_error(p, &err);
		return;
	}
	if (is_here)
		fd = lookup_open(p->v2->port, &found, &err);
	if (fd != NULL)
		send_stored(p, &found, fd);
	else if (is_here && err.code != ERR_NOT_FOUND)
		pull_error(p, &err);
	else
		follow_fill(p, is_here);
}

/* ---- HEAD -------------------------------------------------------------- */

static void
send_blob_head(struct pull *p, uint64_t size, enum traffic_result result)
{
	struct range range;

	pull_count(p, result);
	if (!send_head(p, size, &range))
		return;
	if (size == 0)
		reply_bytes(p->x, STR(""));
	else
		reply_length(p->x,
		    size == ANSWER_SIZE_UNKNOWN ? REPLY_LENGTH_UNKNOWN : size);
}

static void
on_answer(struct ticket *t)
{
	struct pull *p = container_of(t, struct pull, ticket);

	timer_stop(&p->timer);
	if (t->answer->error.code != ERR_NONE)
		pull_error(p, &t->answer->error);
	else
		send_blob_head(p, t->answer->size, pull_answer_result(p));
}

static void
v2_blob_head(struct pull *p)
{
	struct found found;

	if (lookup_blob(p->v2->port, &p->target, &found))
		send_blob_head(p, found.size, RESULT_HIT);
	else
		pull_ask(p, ASK_BLOB, on_answer);
}

/* ---- entrance and exit ------------------------------------------------- */

/* The empty blob: everybody knows its bytes. */
static bool
is_empty_blob(const struct digest *digest)
{
	struct digest empty;

	digest_of(digest->alg, "", 0, &empty);
	return digest_equal(digest, &empty);
}

void
v2_blob(struct pull *p)
{
	if (is_empty_blob(&p->target.digest))
		send_blob_head(p, 0, RESULT_HIT);
	else if (p->x->request.method == HTTP_HEAD)
		v2_blob_head(p);
	else
		find_blob(p);
}

void
v2_blob_gone(struct pull *p)
{
	reader_detach(&p->reader);
}
