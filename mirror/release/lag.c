/*
 * lag.c - how far behind.
 */
#include "release/lag.h"

bool
lag_is_in_future(const struct lag_times *t, int64_t now_s)
{
	return t->published_at > now_s;
}

int64_t
lag_of(const struct lag_times *t, bool is_complete, int64_t now_s)
{
	int64_t since = t->published_at != 0 ? t->published_at : t->accepted_at;

	if (is_complete)
		return 0;
	if (t->ready_at != 0 && t->lost_at != 0)
		since = t->lost_at;
	return since < now_s ? now_s - since : 0;
}

int64_t
lag_of_mirror(const struct release_summary *all, size_t n, size_t *release)
{
	int64_t most = 0;

	*release = n;
	for (size_t i = 0; i < n; i++) {
		if (all[i].state == RELEASE_HELD ||
		    all[i].state == RELEASE_FAILED || all[i].lag_s <= most)
			continue;
		most = all[i].lag_s;
		*release = i;
	}
	return most;
}
