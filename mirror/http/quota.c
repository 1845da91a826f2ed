/*
 * quota.c - ceilings on connections, shared by all servers.
 *
 * In all: one atomic.  By address: a map under a lock that is held for one
 * look-up, and only while limits.connections_per_address is on.  An IPv6
 * client is its /64, for it has the rest of the address to itself.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/map.h"
#include "http_int.h"

#define ADDRESSES_MAX (1u << 20)
#define IPV6_PREFIX_BYTES 8

struct http_quota {
	atomic_uint_fast64_t n;
	pthread_mutex_t lock;
	struct map *by_address; /* address -> count; under the lock */
};

struct http_quota *
http_quota_new(struct err *err)
{
	struct http_quota *q = calloc(1, sizeof(*q));

	if (q != NULL)
		q->by_address = map_new(ADDRESSES_MAX);
	if (q == NULL || q->by_address == NULL) {
		free(q);
		(void)err_set(
		    err, ERR_NO_MEMORY, "out of memory for a connection quota");
		return NULL;
	}
	atomic_init(&q->n, 0);
	check(pthread_mutex_init(&q->lock, NULL) == 0);
	return q;
}

void
http_quota_free(struct http_quota *q)
{
	if (q == NULL)
		return;
	map_free(q->by_address);
	(void)pthread_mutex_destroy(&q->lock);
	free(q);
}

static struct str
address_of(const union peer *peer)
{
	if (peer->sa.sa_family == AF_INET)
		return (struct str){ (const char *)&peer->in4.sin_addr,
			sizeof(peer->in4.sin_addr) };
	return (struct str){ (const char *)&peer->in6.sin6_addr,
		IPV6_PREFIX_BYTES };
}

/* Adds one unless there are MAX. */
static bool
address_take(struct http_quota *q, const union peer *peer, uint64_t max)
{
	struct str key = address_of(peer);
	bool is_taken = false;
	uintptr_t n;

	(void)pthread_mutex_lock(&q->lock);
	n = (uintptr_t)map_find(q->by_address, key.p, key.n);
	if (n < max)
		is_taken =
		    map_put(q->by_address, key.p, key.n, (void *)(n + 1)) == 0;
	(void)pthread_mutex_unlock(&q->lock);
	return is_taken;
}

static void
address_give(struct http_quota *q, const union peer *peer)
{
	struct str key = address_of(peer);
	uintptr_t n;

	(void)pthread_mutex_lock(&q->lock);
	n = (uintptr_t)map_find(q->by_address, key.p, key.n);
	check(n > 0);
	if (n > 1) /* replaces a value, which needs no memory */
		check(
		    map_put(q->by_address, key.p, key.n, (void *)(n - 1)) == 0);
	else
		(void)map_take(q->by_address, key.p, key.n);
	(void)pthread_mutex_unlock(&q->lock);
}

enum quota_answer
quota_take(struct http_quota *q, const union peer *peer,
    const struct config_limits *limits, bool *is_counted)
{
	uint64_t before =
	    atomic_fetch_add_explicit(&q->n, 1, memory_order_relaxed);

	*is_counted = false;
	if (before >= limits->connections) {
		atomic_fetch_sub_explicit(&q->n, 1, memory_order_relaxed);
		return QUOTA_ALL;
	}
	if (limits->connections_per_address == 0)
		return QUOTA_YES;
	*is_counted = address_take(q, peer, limits->connections_per_address);
	if (*is_counted)
		return QUOTA_YES;
	atomic_fetch_sub_explicit(&q->n, 1, memory_order_relaxed);
	return QUOTA_ADDRESS;
}

void
quota_give(struct http_quota *q, const union peer *peer, bool is_counted)
{
	atomic_fetch_sub_explicit(&q->n, 1, memory_order_relaxed);
	if (is_counted)
		address_give(q, peer);
}
