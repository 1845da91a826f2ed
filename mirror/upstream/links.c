/*
 * links.c - the state of each link, by name; reports on it, and an operator's
 * changes.
 */
#include "upstream/links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/map.h"
#include "pace_int.h"
#include "upstream_int.h"

/* ---- states ------------------------------------------------------------- */

static struct link_state *
find(struct upstreams *us, const char *name)
{
	return map_find(us->links, name, strlen(name));
}

struct link_state *
link_state_of(struct upstreams *us, const struct config_endpoint *e)
{
	struct link_state *s = e->link != NULL ? find(us, e->link->name) : NULL;

	check(e->link == NULL || s != NULL); /* else it would have no limit */
	return s;
}

static void
find_cells(struct link_state *s)
{
	const char *const name[] = { s->name };

	s->rate = metric_cell(M_link_rate_bytes, name);
	s->up = metric_cell(M_link_up, name);
	for (enum link_class c = 0; c < CLASS_COUNT; c++) {
		const char *const both[] = { s->name, link_class_name(c) };

		s->wait[c] = metric_cell(M_link_wait_seconds_total, both);
	}
}

void
link_state_show(struct link_state *s)
{
	const char *const name[] = { s->name };
	uint64_t rate = link_rate(&s->link);

	metric_set(s->rate, rate == RATE_UNLIMITED ? 0 : (int64_t)rate);
	metric_set(s->up, s->is_configured && !s->link.is_down);
	for (int c = 0; c < CLASS_COUNT; c++) {
		uint64_t us = s->link.use[c].wait_us;

		metric_add(s->wait[c], (int64_t)(us - s->shown_wait_us[c]));
		s->shown_wait_us[c] = us;
	}
	if (quota_is_on(&s->link.quota) && s->left == NULL)
		s->left = metric_cell(M_link_quota_remaining_bytes, name);
	if (s->left != NULL)
		metric_set(s->left, (int64_t)quota_left(&s->link.quota));
}

static void
on_again(void *arg)
{
	pace_wake(arg);
}

/* LINK is of CONFIG. */
static struct link_state *
state_new(
    struct upstreams *us, struct config *config, const struct config_link *link)
{
	struct link_state *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->upstreams = us;
	(void)snprintf(s->name, sizeof(s->name), "%s", link->name);
	if (map_put(us->links, s->name, strlen(s->name), s) != 0) {
		free(s);
		return NULL;
	}
	for (int c = 0; c < CLASS_COUNT; c++)
		TAILQ_INIT(&s->waiting[c]);
	TAILQ_INIT(&s->running);
	timer_init(&s->timer, us->loop, pace_on_timer, s);
	timer_init(&s->again, us->loop, on_again, s);
	find_cells(s);
	s->config = config_ref(config);
	link_init(&s->link, link, clock_mono_us(), clock_wall_s());
	return s;
}

static void
state_set(
    struct link_state *s, struct config *config, const struct config_link *link)
{
	struct config *before = s->config;

	s->config = config_ref(config);
	s->is_configured = true;
	link_set(&s->link, link, clock_mono_us(), clock_wall_s());
	config_unref(before);
	s->look_at_s = 0;
	link_state_show(s);
	pace_wake(s);
}

static void
take_out(const void *key, size_t n, void *value, void *arg)
{
	struct link_state *s = value;

	(void)key;
	(void)n;
	(void)arg;
	s->is_configured = false;
	pace_wake(s);
}

int
link_states_set(struct upstreams *us, struct config *config, struct err *err)
{
	const struct config_link *links = config->links;

	for (size_t i = 0; i < config->n_links; i++)
		if (find(us, links[i].name) == NULL &&
		    state_new(us, config, &links[i]) == NULL)
			return err_set(err, ERR_NO_MEMORY,
			    "no memory for the link %s, or too many names of "
			    "links since the start (%d may be); restart for "
			    "that",
			    links[i].name, LINK_STATES_MAX);
	map_each(us->links, take_out, NULL);
	for (size_t i = 0; i < config->n_links; i++)
		state_set(find(us, links[i].name), config, &links[i]);
	return 0;
}

int
upstreams_set_state_folder(
    struct upstreams *us, const char *folder, struct err *err)
{
	us->state_folder = str_dup(str_of(folder));
	if (us->state_folder != NULL)
		return 0;
	return err_set(err, ERR_NO_MEMORY, "out of memory for upstreams");
}

static void
state_free(const void *key, size_t n, void *value, void *arg)
{
	struct link_state *s = value;

	(void)key;
	(void)n;
	(void)arg;
	check(TAILQ_EMPTY(&s->running));
	link_files_forget(s);
	timer_stop(&s->timer);
	timer_stop(&s->again);
	config_unref(s->config);
	free(s);
}

void
link_states_free(struct upstreams *us)
{
	if (us->links != NULL)
		map_each(us->links, state_free, NULL);
	map_free(us->links);
	free(us->state_folder);
}

/* ---- reports ------------------------------------------------------------ */

static void
report_class(
    const struct link_state *s, enum link_class c, struct link_class_report *r)
{
	struct paced *p;

	r->now = link_use_now(&s->link, c, clock_mono_us());
	r->today = s->link.use[c].today;
	r->n_running = s->link.n_flows[c];
	r->n_waiting = 0;
	TAILQ_FOREACH (p, &s->waiting[c], entry)
		r->n_waiting++;
}

static void
report(const struct link_state *s, struct link_report *r)
{
	const struct link *l = &s->link;

	*r = (struct link_report){
		.rate = link_rate(l),
		.prewarm = link_prewarm(l),
		.is_up = !l->is_down,
		.is_offline = endpoints_are_offline(s->upstreams, s->name),
		.is_changed = l->is_down || l->has_rate || l->has_prewarm,
		.connections = link_connections(l),
		.in_window = l->window != NULL,
		.window_changes_at = l->window_until,
		.has_quota = quota_is_on(&l->quota),
		.quota_bytes = l->config->quota_bytes,
		.quota_left = quota_left(&l->quota),
		.quota_reserve = l->config->quota_reserve,
		.quota_resets_at = l->quota.next_at,
	};
	memcpy(r->name, s->name, sizeof(r->name));
	for (enum link_class c = 0; c < CLASS_COUNT; c++)
		report_class(s, c, &r->classes[c]);
}

struct list {
	struct link_report *out;
	size_t n;
};

static void
add_report(const void *key, size_t n, void *value, void *arg)
{
	const struct link_state *s = value;
	struct list *list = arg;

	(void)key;
	(void)n;
	if (s->is_configured)
		report(s, &list->out[list->n++]);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct link_report *)a)->name,
	    ((const struct link_report *)b)->name);
}

struct link_report *
upstreams_report_links(struct upstreams *us, size_t *n)
{
	size_t most = map_count(us->links) + 1; /* none: no NULL */
	struct list list = { .out = calloc(most, sizeof(*list.out)) };

	if (list.out == NULL)
		return NULL;
	map_each(us->links, add_report, &list);
	qsort(list.out, list.n, sizeof(*list.out), by_name);
	*n = list.n;
	return list.out;
}

int
upstreams_change_link(struct upstreams *us, const char *name,
    const struct link_change *change, struct link_report *now, struct err *err)
{
	struct link_state *s = find(us, name);
	uint64_t now_us = clock_mono_us();

	if (s == NULL || !s->is_configured)
		return err_set(err, ERR_NOT_FOUND,
		    "there is no link %s; `links:` of the configuration names "
		    "them",
		    name);
	if (change->has_rate)
		link_set_rate(&s->link, change->rate, now_us);
	if (change->has_prewarm)
		link_set_prewarm(&s->link, change->prewarm, now_us);
	if (change->has_up)
		link_set_down(&s->link, !change->is_up);
	link_state_show(s);
	pace_wake(s);
	report(s, now);
	return 0;
}
