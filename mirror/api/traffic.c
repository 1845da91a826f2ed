/*
 * traffic.c - counting requests.
 */
#include "api/traffic.h"

#include <stdatomic.h>

#include "common/check.h"
#include "common/metrics.h"

/* clang-format off */
static const char *const kind_names[KIND_COUNT] = {
	[KIND_MANIFEST]  = "manifest",
	[KIND_TAG]       = "tag",
	[KIND_BLOB]      = "blob",
	[KIND_REFERRERS] = "referrers",
	[KIND_TAGS]      = "tags",
};
static const char *const result_names[RESULT_COUNT] = {
	[RESULT_HIT]   = "hit",
	[RESULT_JOIN]  = "join",
	[RESULT_MISS]  = "miss",
	[RESULT_STALE] = "stale",
	[RESULT_ERROR] = "error",
};
/* clang-format on */

static _Atomic uint64_t total_requests[RESULT_COUNT];
static _Atomic uint64_t total_bytes[RESULT_COUNT];

const char *
traffic_kind_name(enum traffic_kind kind)
{
	check(kind < KIND_COUNT);
	return kind_names[kind];
}

const char *
traffic_result_name(enum traffic_result result)
{
	check(result < RESULT_COUNT);
	return result_names[result];
}

bool
traffic_is_in_ratio(const struct traffic_key *k)
{
	return k->is_get &&
	    (k->kind == KIND_MANIFEST || k->kind == KIND_TAG ||
		k->kind == KIND_BLOB);
}

static struct metric *
cell_of(enum metric_id id, const struct traffic_key *k)
{
	const char *values[] = {
		k->upstream != NULL ? k->upstream->name : "",
		traffic_kind_name(k->kind),
		traffic_result_name(k->result),
		k->config->rings[k->ring],
	};

	return metric_cell(id, values);
}

static void
slot_fill(struct traffic_slot *slot, const struct traffic_key *k)
{
	const char *values[] = { traffic_kind_name(k->kind),
		traffic_result_name(k->result) };

	slot->key = *k;
	slot->requests = cell_of(M_requests_total, k);
	slot->bytes = cell_of(M_response_bytes_total, k);
	slot->duration = metric_cell(M_request_duration_seconds, values);
	slot->first_byte = metric_cell(M_first_byte_seconds, values);
}

static bool
slot_is_for(const struct traffic_slot *slot, const struct traffic_key *k)
{
	return slot->key.config == k->config &&
	    slot->key.upstream == k->upstream && slot->key.kind == k->kind &&
	    slot->key.result == k->result && slot->key.ring == k->ring;
}

static struct traffic_slot *
slot_of(struct traffic *t, const struct traffic_key *k)
{
	size_t upstream = (uintptr_t)k->upstream / sizeof(*k->upstream);
	size_t hash = (upstream + k->ring) * RESULT_COUNT * KIND_COUNT +
	    (size_t)k->result * KIND_COUNT + (size_t)k->kind;
	struct traffic_slot *slot = &t->slots[hash % TRAFFIC_SLOTS];

	if (!slot_is_for(slot, k))
		slot_fill(slot, k);
	return slot;
}

void
traffic_began(struct traffic *t, const struct traffic_key *k)
{
	metric_add(slot_of(t, k)->requests, 1);
	if (traffic_is_in_ratio(k))
		atomic_fetch_add_explicit(
		    &total_requests[k->result], 1, memory_order_relaxed);
}

void
traffic_ended(struct traffic *t, const struct traffic_key *k,
    const struct traffic_end *end)
{
	const struct traffic_slot *slot = slot_of(t, k);

	metric_add(slot->bytes, (int64_t)end->body_bytes);
	metric_observe(slot->duration, end->duration_us);
	if (end->first_byte_us > 0)
		metric_observe(slot->first_byte, end->first_byte_us);
	if (traffic_is_in_ratio(k))
		atomic_fetch_add_explicit(&total_bytes[k->result],
		    end->body_bytes, memory_order_relaxed);
}

void
traffic_tag_age(const struct traffic_key *k, int64_t age_s)
{
	const char *values[] = { k->upstream->name };

	metric_set(metric_cell(M_tag_confirmed_age_seconds, values), age_s);
}

void
traffic_totals(struct traffic_totals *out)
{
	unsigned i;

	for (i = 0; i < RESULT_COUNT; i++) {
		out->requests[i] = atomic_load_explicit(
		    &total_requests[i], memory_order_relaxed);
		out->bytes[i] =
		    atomic_load_explicit(&total_bytes[i], memory_order_relaxed);
	}
}
