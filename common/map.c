/*
 * map.c - a hash table with chains that doubles when it is full.
 *
 * The hash is SipHash-1-3 (Aumasson and Bernstein; one round a word, three at
 * the end) under a random key, so that peers cannot choose colliding keys.
 * While map_each() runs, only the entry it is at may be taken, and nothing
 * may be put.
 */
#include "common/map.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/check.h"

#define MAP_FIRST 16 /* chains of a new map; a power of two */

struct entry {
	struct entry *next;
	void *value; /* the caller's */
	uint64_t hash;
	size_t n;
	unsigned char key[];
};

struct map {
	struct entry **chains; /* owned */
	size_t n_chains;       /* a power of two */
	size_t count;
	size_t max;
	const struct entry *at; /* where map_each() is; else NULL */
};

/* ---- SipHash-1-3 ------------------------------------------------------- */

static uint64_t secret[2];

static void
secret_init(void)
{
	check(getrandom(secret, sizeof(secret), 0) == sizeof(secret));
}

static uint64_t
rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t
sip_hash(const uint64_t key[2], const unsigned char *p, size_t n)
{
	uint64_t v[4] = {
		key[0] ^ 0x736f6d6570736575,
		key[1] ^ 0x646f72616e646f6d,
		key[0] ^ 0x6c7967656e657261,
		key[1] ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)n << 56;
	uint64_t word;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		sip_word(v, word);
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)p[i] << (8 * i);
	sip_word(v, last);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the table --------------------------------------------------------- */

struct map *
map_new(size_t max_entries)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct map *m = calloc(1, sizeof(*m));

	check(pthread_once(&once, secret_init) == 0);
	if (m == NULL)
		return NULL;
	m->chains = calloc(MAP_FIRST, sizeof(*m->chains));
	m->n_chains = MAP_FIRST;
	m->max = max_entries;
	if (m->chains == NULL) {
		free(m);
		return NULL;
	}
	return m;
}

void
map_free(struct map *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n_chains; i++) {
		struct entry *e = m->chains[i], *next;

		for (; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(m->chains);
	free(m);
}

size_t
map_count(const struct map *m)
{
	return m->count;
}

/* Where the pointer to KEY's entry is, or would be. */
static struct entry **
map_slot(const struct map *m, uint64_t hash, const void *key, size_t n)
{
	struct entry **slot = &m->chains[hash & (m->n_chains - 1)];

	for (; *slot != NULL; slot = &(*slot)->next)
		if ((*slot)->hash == hash && (*slot)->n == n &&
		    (n == 0 || memcmp((*slot)->key, key, n) == 0))
			break;
	return slot;
}

void *
map_find(const struct map *m, const void *key, size_t n)
{
	struct entry *e = *map_slot(m, sip_hash(secret, key, n), key, n);

	return e == NULL ? NULL : e->value;
}

/* When there is no memory, chains just grow longer. */
static void
map_grow(struct map *m)
{
	size_t n = m->n_chains * 2;
	struct entry **chains = calloc(n, sizeof(*chains));

	if (chains == NULL)
		return;
	for (size_t i = 0; i < m->n_chains; i++) {
		struct entry *e = m->chains[i], *next;

		for (; e != NULL; e = next) {
			next = e->next;
			e->next = chains[e->hash & (n - 1)];
			chains[e->hash & (n - 1)] = e;
		}
	}
	free(m->chains);
	m->chains = chains;
	m->n_chains = n;
}

static int
map_add(struct map *m, uint64_t hash, const void *key, size_t n, void *value)
{
	struct entry **chain;
	struct entry *e;

	check(m->at == NULL);
	if (m->count >= m->max)
		return -1;
	e = malloc(sizeof(*e) + n);
	if (e == NULL)
		return -1;
	if (m->count >= m->n_chains)
		map_grow(m);
	chain = &m->chains[hash & (m->n_chains - 1)];
	*e = (struct entry){ *chain, value, hash, n };
	if (n > 0)
		memcpy(e->key, key, n);
	*chain = e;
	m->count++;
	return 0;
}

int
map_put(struct map *m, const void *key, size_t n, void *value)
{
	uint64_t hash = sip_hash(secret, key, n);
	struct entry *e = *map_slot(m, hash, key, n);

	check(value != NULL);
	if (e == NULL)
		return map_add(m, hash, key, n, value);
	e->value = value;
	return 0;
}

void *
map_take(struct map *m, const void *key, size_t n)
{
	struct entry **slot = map_slot(m, sip_hash(secret, key, n), key, n);
	struct entry *e = *slot;
	void *value;

	if (e == NULL)
		return NULL;
	check(m->at == NULL || m->at == e);
	*slot = e->next;
	m->count--;
	value = e->value;
	free(e);
	return value;
}

void
map_each(struct map *m,
    void (*fn)(const void *key, size_t n, void *value, void *arg), void *arg)
{
	check(m->at == NULL);
	for (size_t i = 0; i < m->n_chains; i++) {
		struct entry *e = m->chains[i], *next;

		for (; e != NULL; e = next) {
			next = e->next; /* fn may take e */
			m->at = e;
			fn(e->key, e->n, e->value, arg);
		}
	}
	m->at = NULL;
}
