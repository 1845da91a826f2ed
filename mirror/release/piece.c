/*
 * piece.c - what is missing, once for all who want it.
 */
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "release_int.h"

#define SCOPES_MAX 8       /* repositories that are asked for one piece */
#define SCOPE_EDGES_MAX 64 /* images that are looked at for them */

struct piece_key {
	char bytes[sizeof(struct digest) + 1];
	size_t n;
};

static void
key_of(struct piece_key *k, const struct digest *d, bool is_list)
{
	k->n = digest_key_size(d);
	memcpy(k->bytes, d, k->n);
	k->bytes[k->n++] = is_list ? 'r' : 'd';
}

struct piece *
piece_find(struct releases *rs, const struct digest *d, bool is_list)
{
	struct piece_key k;

	key_of(&k, d, is_list);
	return map_find(rs->pieces, k.bytes, k.n);
}

static struct piece *
piece_new(struct releases *rs, const struct piece_spec *spec)
{
	struct piece *p = calloc(1, sizeof(*p));
	struct piece_key k;

	if (p == NULL)
		return NULL;
	key_of(&k, &spec->digest, spec->is_list);
	if (map_put(rs->pieces, k.bytes, k.n, p) != 0) {
		free(p);
		return NULL;
	}
	p->releases = rs;
	p->digest = spec->digest;
	p->is_list = spec->is_list;
	p->part = spec->part;
	p->size = spec->size;
	p->state = PIECE_QUEUED;
	TAILQ_INIT(&p->edges);
	return p;
}

static void
leave_queue(struct piece *p)
{
	if (p->home != NULL)
		TAILQ_REMOVE(&p->home->queue, p, in_queue);
	p->home = NULL;
}

static void
stop_running(struct piece *p)
{
	struct releases *rs = p->releases;

	if (p->state != PIECE_RUNNING)
		return;
	want_close(p->want);
	p->want = NULL;
	TAILQ_REMOVE(&rs->running, p, running);
	p->source->n_running--;
	if (piece_is_small(p))
		rs->n_small--;
	else
		rs->n_running--;
}

static void
piece_free(struct piece *p)
{
	struct piece_key k;

	check(TAILQ_EMPTY(&p->edges));
	stop_running(p);
	leave_queue(p);
	key_of(&k, &p->digest, p->is_list);
	(void)map_take(p->releases->pieces, k.bytes, k.n);
	warm_soon(p->releases);
	free(p);
}

bool
piece_is_small(const struct piece *p)
{
	return p->is_list ||
	    (p->part != RELEASE_CONFIG && p->part != RELEASE_LAYER);
}

/* ---- ties ------------------------------------------------------------------ */

/* Who may begin goes before who may not. */
static bool
goes_first(const struct release *a, const struct release *b)
{
	bool may = release_may_begin(a);

	if (may != release_may_begin(b))
		return may;
	return release_is_before(a, b);
}

static void
tie(struct image *image, struct piece *p, struct edge *e)
{
	e->image = image;
	e->piece = p;
	TAILQ_INSERT_TAIL(&image->edges, e, of_image);
	TAILQ_INSERT_TAIL(&p->edges, e, of_piece);
	image->release->idle_until_ms = 0;
	if (p->state != PIECE_RUNNING &&
	    (p->home == NULL || goes_first(image->release, p->home)))
		piece_enqueue(p);
}

int
piece_tie(struct image *image, const struct piece_spec *spec)
{
	struct releases *rs = image->release->releases;
	struct piece *p = piece_find(rs, &spec->digest, spec->is_list);
	struct edge *e = calloc(1, sizeof(*e));

	if (e == NULL || (p == NULL && (p = piece_new(rs, spec)) == NULL)) {
		free(e);
		return -1;
	}
	tie(image, p, e);
	return 0;
}

static void
untie(struct edges *of_image, struct edge *e)
{
	TAILQ_REMOVE(of_image, e, of_image);
	TAILQ_REMOVE(&e->piece->edges, e, of_piece);
	free(e);
}

void
edges_untie(struct edges *of_image)
{
	struct edge *e;

	while ((e = TAILQ_FIRST(of_image)) != NULL) {
		struct release *r = e->image->release;
		struct piece *p = e->piece;

		untie(of_image, e);
		if (TAILQ_EMPTY(&p->edges))
			piece_free(p);
		else if (p->home == r)
			piece_enqueue(p);
	}
}

void
image_claim(struct image *image)
{
	struct edge *e;

	TAILQ_FOREACH (e, &image->edges, of_image)
		if (e->piece->state != PIECE_RUNNING)
			piece_enqueue(e->piece);
}

/* ---- queues ------------------------------------------------------------------ */

static struct release *
first_in_line(const struct piece *p)
{
	struct release *first = NULL;
	const struct edge *e;

	TAILQ_FOREACH (e, &p->edges, of_piece) {
		struct release *r = e->image->release;

		if (first == NULL || goes_first(r, first))
			first = r;
	}
	return first;
}

void
piece_enqueue(struct piece *p)
{
	struct release *home = first_in_line(p);

	check(p->state != PIECE_RUNNING);
	if (home == p->home)
		return;
	leave_queue(p);
	p->home = home;
	if (piece_is_small(p))
		TAILQ_INSERT_HEAD(&home->queue, p, in_queue);
	else
		TAILQ_INSERT_TAIL(&home->queue, p, in_queue);
	home->idle_until_ms = 0;
	warm_soon(p->releases);
}

/* clang-format off */
#define TO(s) (1u << PIECE_##s)
static const unsigned may_lead_to[] = {
	[PIECE_QUEUED]  = TO(RUNNING) | TO(FAILED),
	[PIECE_RUNNING] = TO(QUEUED) | TO(LANDED) | TO(RESTING) | TO(FAILED),
	[PIECE_LANDED]  = TO(RESTING),
	[PIECE_RESTING] = TO(QUEUED) | TO(RUNNING) | TO(FAILED),
	[PIECE_FAILED]  = TO(QUEUED) | TO(RUNNING) | TO(FAILED),
};
#undef TO
/* clang-format on */

static void
touch_all(struct piece *p)
{
	struct edge *e;

	TAILQ_FOREACH (e, &p->edges, of_piece)
		release_touch(e->image->release);
}

void
piece_move(struct piece *p, enum piece_state to)
{
	check(may_lead_to[p->state] & (1u << to));
	stop_running(p);
	p->state = to;
	if (to == PIECE_RUNNING)
		leave_queue(p);
	else
		piece_enqueue(p);
	touch_all(p);
}

void
piece_wait(
    struct piece *p, enum piece_state state, const struct err *why, int64_t at)
{
	p->why = *why;
	p->next_try_at = at;
	p->n_tries++;
	piece_move(p, state);
}

void
piece_landed(struct piece *p, int64_t until)
{
	struct edge *e;

	p->next_try_at = until;
	piece_move(p, PIECE_LANDED);
	TAILQ_FOREACH (e, &p->edges, of_piece)
		if (piece_is_small(p))
			walk_image(e->image);
}

void
piece_done(struct piece *p)
{
	bool is_small = piece_is_small(p);
	struct edge *e;

	while ((e = TAILQ_FIRST(&p->edges)) != NULL) {
		struct image *image = e->image;

		untie(&image->edges, e);
		release_touch(image->release);
		if (is_small) {
			walk_image(image);
			continue;
		}
		image->n_missing -= image->n_missing > 0;
		image->missing_bytes -= image->missing_bytes < p->size
		    ? image->missing_bytes
		    : p->size;
	}
	piece_free(p);
}

/* Hurries what one release waits for. */
void
release_hurry(struct release *r)
{
	struct edge *e;

	for (size_t i = 0; i < r->list->n_images; i++) {
		TAILQ_FOREACH (e, &r->images[i].edges, of_image) {
			if (e->piece->state != PIECE_LANDED)
				e->piece->next_try_at = 0;
			e->piece->scope = 0;
			if (e->piece->home != NULL)
				e->piece->home->idle_until_ms = 0;
		}
		r->images[i].source->hold_until = 0;
		if (r->images[i].error != NULL || r->images[i].retry_at != 0)
			walk_image(&r->images[i]);
	}
	warm_soon(r->releases);
}

/* ---- whom to ask ---------------------------------------------------------------- */

static bool
is_same_scope(const struct image *a, const struct image *b)
{
	const struct release_image *ai = image_of(a), *bi = image_of(b);

	return strcmp(ai->repository, bi->repository) == 0 &&
	    strcmp(ai->upstream, bi->upstream) == 0;
}

struct image *
piece_scope(struct piece *p, unsigned n)
{
	struct image *scopes[SCOPES_MAX];
	unsigned n_scopes = 0, n_edges = 0, i;
	struct edge *e;

	TAILQ_FOREACH (e, &p->edges, of_piece) {
		if (n_scopes == SCOPES_MAX || n_edges++ == SCOPE_EDGES_MAX)
			break;
		if (!release_may_begin(e->image->release))
			continue;
		for (i = 0; i < n_scopes; i++)
			if (is_same_scope(scopes[i], e->image))
				break;
		if (i == n_scopes)
			scopes[n_scopes++] = e->image;
	}
	return n < n_scopes ? scopes[n] : NULL;
}
