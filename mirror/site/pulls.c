/*
 * pulls.c - the tables of one serve loop.
 *
 *	spare --(a first note)--> noting --(full, or a second old)--> away
 *	  ^                                                             |
 *	  +---------------(letter home, emptied)------------------------+
 *
 * A table is an array of rows and open addressing into it: half of the slots
 * are never taken, and nobody looks at more than PROBES of them, whatever names
 * a peer thinks up: a table in which a row finds no slot counts as full.
 */
#include "site/pulls.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/metrics.h"
#include "loop/timer.h"
#include "site_int.h"

#define TABLES 4
#define ROWS 512
#define SLOTS 1024 /* a power of two, twice ROWS */
#define PROBES 16
#define SEND_MS 1000

struct pull_table {
	struct letter letter;
	struct pulls *pulls; /* borrowed: its loop's; outlives us */
	struct pull_table *next_spare;
	unsigned n;
	uint16_t slots[SLOTS]; /* 0: free; else a row's place and 1 */
	struct pull_row rows[ROWS];
};

struct pulls {
	struct loop *loop;
	struct sites *sites; /* borrowed; outlives us */
	struct timer timer;
	struct metric *lost;
	struct pull_table *noting; /* NULL: nothing is noted */
	struct pull_table *spares; /* a list */
	struct pull_table tables[TABLES];
};

/* ---- hashing ------------------------------------------------------------ */

static uint64_t
mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * 0x9fb21c651e98df25u;
	return hash ^ hash >> 32;
}

static uint64_t
mix_bytes(uint64_t hash, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t word;

	hash = mix(hash, n);
	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		hash = mix(hash, word);
	}
	for (word = 0; n > 0; n--)
		word = word << 8 | p[n - 1];
	return mix(hash, word);
}

static uint64_t
site_hash(const struct site_id *id)
{
	return id->n > 0 ? mix_bytes(1, id->name, id->n)
			 : mix_bytes(2, id->address, SITE_ADDRESS_BYTES);
}

/* A good HEAD says nothing about the GET that failed. */
static uint64_t
what_of(const struct pull_note *n)
{
	uint64_t what = n->is_head ? 1 : 0;

	if (n->digest->alg != 0)
		return mix(what, site_digest_key(n->digest));
	what = mix_bytes(what, n->scope.p, n->scope.n);
	return mix_bytes(what, n->tag.p, n->tag.n);
}

/* ---- there and back ----------------------------------------------------- */

static void
table_empty(struct pull_table *t)
{
	struct pulls *p = t->pulls;

	t->n = 0;
	memset(t->slots, 0, sizeof(t->slots));
	t->next_spare = p->spares;
	p->spares = t;
}

static void
on_home(struct letter *letter)
{
	table_empty(container_of(letter, struct pull_table, letter));
}

static void
on_sites(struct letter *letter)
{
	struct pull_table *t = container_of(letter, struct pull_table, letter);

	sites_take(t->pulls->sites, t->rows, t->n);
	letter->deliver = on_home;
	loop_post(t->pulls->loop, letter);
}

static void
pulls_send(struct pulls *p)
{
	struct pull_table *t = p->noting;

	timer_stop(&p->timer);
	p->noting = NULL;
	t->letter.deliver = on_sites;
	loop_post(sites_loop(p->sites), &t->letter);
}

static void
on_timer(void *arg)
{
	pulls_send(arg);
}

/* ---- rows --------------------------------------------------------------- */

static bool
is_same_site(const struct site_id *a, const struct site_id *b)
{
	if (a->n != b->n)
		return false;
	return a->n > 0
	    ? memcmp(a->name, b->name, a->n) == 0
	    : memcmp(a->address, b->address, SITE_ADDRESS_BYTES) == 0;
}

static void
copy_text(char *out, size_t max, struct str text)
{
	size_t n = text.n < max ? text.n : max;

	if (n > 0)
		memcpy(out, text.p, n);
	out[n] = '\0';
}

/* Fields one by one: most of a row's room is for longer texts than these. */
static struct pull_row *
row_new(struct pull_table *t, const struct pull_note *n, uint64_t what)
{
	struct pull_row *row = &t->rows[t->n++];

	row->what = what;
	row->site = *n->site;
	row->digest = *n->digest;
	row->manifest.alg = 0;
	row->outcome = PULL_LEFT;
	row->status = 0;
	row->n_requests = row->n_bad = 0;
	row->bytes = 0;
	row->tally = (struct pull_tally){ .n_gets = 0 };
	copy_text(row->scope, PULL_SCOPE_MAX, n->scope);
	copy_text(row->tag, PULL_TAG_MAX, n->tag);
	return row;
}

/* The row of that site and thing, made if there is none; NULL: the table is
 * full. */
static struct pull_row *
find_row(struct pull_table *t, const struct pull_note *n, uint64_t what)
{
	uint64_t hash = mix(site_hash(n->site), what);
	struct pull_row *row;

	for (unsigned i = 0; i < PROBES; i++) {
		uint16_t *slot = &t->slots[(hash + i) & (SLOTS - 1)];

		if (*slot == 0 && t->n == ROWS)
			return NULL;
		if (*slot == 0) {
			row = row_new(t, n, what);
			*slot = (uint16_t)t->n;
			return row;
		}
		row = &t->rows[*slot - 1];
		if (row->what == what && is_same_site(&row->site, n->site))
			return row;
	}
	return NULL;
}

/* NULL: all tables are away. */
static struct pull_row *
take_row(struct pulls *p, const struct pull_note *n, uint64_t what)
{
	struct pull_row *row = NULL;

	if (p->noting != NULL) {
		row = find_row(p->noting, n, what);
		if (row != NULL)
			return row;
		pulls_send(p);
	}
	if (p->spares == NULL)
		return NULL;
	p->noting = p->spares;
	p->spares = p->noting->next_spare;
	timer_set(&p->timer, SEND_MS);
	row = find_row(p->noting, n, what);
	check(row != NULL);
	return row;
}

static void
measure(struct pull_tally *t, const struct pull_note *n)
{
	t->n_gets++;
	t->bytes += n->bytes;
	if (!n->is_hit)
		return;
	t->n_hits++;
	t->hit_bytes += n->bytes;
}

void
pulls_note(struct pulls *p, const struct pull_note *n)
{
	struct pull_row *row = take_row(p, n, what_of(n));

	if (row == NULL) {
		metric_add(p->lost, 1);
		return;
	}
	row->n_requests++;
	row->bytes += n->bytes;
	if (n->is_measured)
		measure(&row->tally, n);
	if (n->manifest != NULL)
		row->manifest = *n->manifest;
	if (n->outcome == PULL_LEFT)
		return;
	row->outcome = (uint8_t)n->outcome;
	if (n->outcome == PULL_GOOD)
		return;
	row->n_bad++;
	row->status = (uint16_t)n->status;
}

/* ---- birth and death ---------------------------------------------------- */

struct pulls *
pulls_new(struct loop *serve, struct sites *sites, struct err *err)
{
	struct pulls *p = calloc(1, sizeof(*p));

	if (p == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "no memory to note pulls in");
		return NULL;
	}
	p->loop = serve;
	p->sites = sites;
	p->lost = metric_get(M_site_pulls_lost_total);
	timer_init(&p->timer, serve, on_timer, p);
	for (size_t i = TABLES; i-- > 0;) {
		p->tables[i].pulls = p;
		p->tables[i].next_spare = p->spares;
		p->spares = &p->tables[i];
	}
	return p;
}

void
pulls_free(struct pulls *p)
{
	if (p == NULL)
		return;
	timer_stop(&p->timer);
	if (p->noting != NULL)
		sites_take(p->sites, p->noting->rows, p->noting->n);
	free(p);
}
