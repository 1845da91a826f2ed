/*
 * pace.c - who has a connection, whose turn it is, and how much the kernel may
 * take in advance.
 *
 * All of it happens in the link's timer: libcurl may not be called from its
 * callbacks, and those who are woken may leave, so nobody is looked at twice.
 */
#include "pace_int.h"

#include "common/check.h"
#include "common/clock.h"
#include "upstream_int.h"

#define TURNS_MAX 512 /* then other things of the loop have their turn */

static void
set_timer(struct link_state *s)
{
	uint64_t us = link_wait_us(&s->link, clock_mono_us());
	int64_t left_s = s->look_at_s - clock_wall_s();
	uint64_t ms = left_s > 0 ? (uint64_t)left_s * 1000 : 0;

	if (us != UINT64_MAX && (us + 999) / 1000 < ms)
		ms = (us + 999) / 1000;
	if (!s->is_woken)
		timer_set(&s->timer, ms > 0 ? ms : 1);
}

void
pace_wake(struct link_state *s)
{
	s->is_woken = true;
	timer_set(&s->timer, 0);
}

/* ---- what the kernel holds ---------------------------------------------- */

static void
share_buffers(struct link_state *s)
{
	size_t n = link_buffer_bytes(&s->link);
	struct paced *p;

	TAILQ_FOREACH (p, &s->running, entry)
		if (p->hop != NULL)
			hop_set_receive(p->hop, n);
}

void
pace_sizes(const struct paced *p, size_t *read_bytes, size_t *kernel_bytes)
{
	*read_bytes = *kernel_bytes = 0;
	if (p->state != PACED_RUNS)
		return;
	*kernel_bytes = link_buffer_bytes(&p->at->link);
	*read_bytes = link_read_bytes(&p->at->link);
}

/* ---- coming and going --------------------------------------------------- */

static void
run(struct paced *p)
{
	p->state = PACED_RUNS;
	link_flow_begin(&p->at->link, &p->flow, p->class);
	TAILQ_INSERT_TAIL(&p->at->running, p, entry);
	share_buffers(p->at);
}

bool
pace_enter(struct link_state *s, struct paced *p, enum link_class class,
    bool has_to_wait)
{
	check(p->state == PACED_NOT);
	p->at = s;
	p->class = class;
	if (!has_to_wait ||
	    (TAILQ_EMPTY(&s->waiting[class]) &&
		link_has_room(&s->link, class) &&
		link_is_usable(&s->link, class))) {
		run(p);
		return true;
	}
	p->state = PACED_WAITS;
	TAILQ_INSERT_TAIL(&s->waiting[class], p, entry);
	pace_wake(s);
	return false;
}

void
pace_leave(struct paced *p)
{
	struct link_state *s = p->at;

	if (p->state == PACED_WAITS) {
		TAILQ_REMOVE(&s->waiting[p->class], p, entry);
	} else if (p->state == PACED_RUNS) {
		TAILQ_REMOVE(&s->running, p, entry);
		link_flow_end(&p->flow);
		share_buffers(s);
		pace_wake(s);
	}
	p->state = PACED_NOT;
	p->hop = NULL;
}

void
pace_set_class(struct paced *p, enum link_class class)
{
	struct link_state *s = p->at;

	if (p->state == PACED_NOT || class == p->class)
		return;
	if (p->state == PACED_WAITS) {
		TAILQ_REMOVE(&s->waiting[p->class], p, entry);
		TAILQ_INSERT_TAIL(&s->waiting[class], p, entry);
	} else {
		link_flow_set_class(&p->flow, class, clock_mono_us());
	}
	p->class = class;
	pace_wake(s);
}

/* ---- pieces ------------------------------------------------------------- */

bool
pace_may(struct paced *p)
{
	if (link_may(&p->flow, clock_mono_us()))
		return true;
	if (link_is_usable(&p->at->link, p->class))
		set_timer(p->at);
	else
		pace_wake(p->at); /* to be cut */
	return false;
}

void
pace_take(struct paced *p, size_t n)
{
	link_take(&p->flow, n, clock_mono_us());
	if (quota_is_on(&p->at->link.quota))
		link_files_keep(p->at);
}

bool
pace_is_waiting(const struct paced *p)
{
	return p->state == PACED_WAITS ||
	    (p->state == PACED_RUNS && p->flow.state != FLOW_IDLE);
}

/* ---- the timer ---------------------------------------------------------- */

void
pace_refusal(const struct link_state *s, enum link_class class, struct err *err)
{
	if (s->link.is_down)
		(void)err_set(err, ERR_UPSTREAM_DOWN,
		    "the link %s was taken out of service; `railhead links "
		    "--link %s --up yes` puts it back",
		    s->name, s->name);
	else
		(void)err_set(err, ERR_UPSTREAM_DOWN,
		    "the month's quota of the link %s is spent%s", s->name,
		    class == CLASS_PULL ? "" : "; what is left is for pulls");
}

/* Those that no waiting will help.  Each call may end others, too. */
static struct paced *
find_cut(struct link_state *s)
{
	struct paced *p;

	TAILQ_FOREACH (p, &s->running, entry)
		if (!link_is_usable(&s->link, p->class))
			return p;
	for (int c = 0; c < CLASS_COUNT; c++)
		if (!link_is_usable(&s->link, (enum link_class)c) &&
		    !TAILQ_EMPTY(&s->waiting[c]))
			return TAILQ_FIRST(&s->waiting[c]);
	return NULL;
}

static void
cut(struct link_state *s)
{
	struct paced *p;
	struct err err;

	while ((p = find_cut(s)) != NULL) {
		pace_refusal(s, p->class, &err);
		pace_leave(p);
		p->on_cut(p, &err);
	}
}

static void
admit(struct link_state *s)
{
	struct paced *p;

	for (enum link_class c = 0; c < CLASS_COUNT; c++)
		while (link_has_room(&s->link, c) &&
		    (p = TAILQ_FIRST(&s->waiting[c])) != NULL) {
			TAILQ_REMOVE(&s->waiting[c], p, entry);
			run(p);
			p->on_room(p);
		}
}

static void
give_turns(struct link_state *s)
{
	struct link_flow *f;
	struct paced *p;

	for (int i = 0; i < TURNS_MAX; i++) {
		f = link_next(&s->link, clock_mono_us());
		if (f == NULL)
			return;
		p = container_of(f, struct paced, flow);
		if (p->hop != NULL)
			hop_resume(p->hop); /* P may have left */
	}
}

void
pace_on_timer(void *arg)
{
	struct link_state *s = arg;
	uint64_t rate = link_rate(&s->link);
	int64_t now_s = clock_wall_s();

	s->is_woken = false;
	if (now_s >= s->look_at_s || s->look_at_s > now_s + 3600)
		s->look_at_s = link_look(&s->link, clock_mono_us(), now_s);
	if (rate != link_rate(&s->link))
		share_buffers(s);
	link_files_keep(s);
	cut(s);
	admit(s);
	give_turns(s);
	link_state_show(s);
	set_timer(s);
}
