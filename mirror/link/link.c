/*
 * link.c - buckets, queues and turns.
 *
 * `all` is the link's rate, `prewarm` that of its class, kept[c] what is kept
 * for class c.
 *
 * A flow that has had its turn is away for a moment, until its next bytes are
 * read from the socket; if a class behind it took the turn meanwhile, both
 * would get half.  So while a class is busy, those behind it borrow only what
 * it leaves: what is in the bucket beyond 50 ms.  And they draw on what is kept
 * for them, which costs them nothing while nobody before them is busy: what is
 * borrowed is not paid back.
 */
#include "link/link.h"

#include <string.h>

#include "common/check.h"
#include "common/zone.h"
#include "link/window.h"

#define MICRO 1000000u
#define DAY_S 86400
#define LOOK_S 60
#define PERIOD_US 5000000
#define BUSY_US 1000000
#define LEFT_US 50000
#define AHEAD_US 240000 /* 5/6 of it in the kernel, 1/6 read and waiting */
#define CLAIM_US 250000
#define CRUMB_BYTES (20u << 10)
#define UNPACED_BYTES (3u << 20) /* the kernel's own ceiling is about this */
#define FAST (200u << 20)        /* bytes/s; nobody counts milliseconds then */
#define READ_MIN 4096u
#define READ_MAX (256u << 10)

/* ---- rates -------------------------------------------------------------- */

uint64_t
link_rate(const struct link *l)
{
	if (l->has_rate)
		return l->set_rate;
	if (l->window != NULL && l->window->rate != RATE_UNLIMITED)
		return l->window->rate;
	return l->config->rate;
}

uint64_t
link_prewarm(const struct link *l)
{
	if (l->has_prewarm)
		return l->set_prewarm;
	if (l->window != NULL && l->window->prewarm != RATE_UNLIMITED)
		return l->window->prewarm;
	return l->config->prewarm;
}

static uint64_t
share_of(uint64_t rate, uint64_t millionths)
{
	if (rate == RATE_UNLIMITED)
		return RATE_UNLIMITED;
	return rate / MICRO * millionths + rate % MICRO * millionths / MICRO;
}

static void
set_rates(struct link *l, uint64_t now_us)
{
	uint64_t rate = link_rate(l);

	bucket_set_rate(&l->all, rate, now_us);
	bucket_set_rate(&l->prewarm, link_prewarm(l), now_us);
	for (int c = 0; c < CLASS_COUNT; c++)
		bucket_set_rate(
		    &l->kept[c], share_of(rate, l->config->shares[c]), now_us);
}

void
link_set_rate(struct link *l, uint64_t rate, uint64_t now_us)
{
	l->has_rate = true;
	l->set_rate = rate;
	set_rates(l, now_us);
}

void
link_set_prewarm(struct link *l, uint64_t rate, uint64_t now_us)
{
	l->has_prewarm = true;
	l->set_prewarm = rate;
	set_rates(l, now_us);
}

void
link_set_down(struct link *l, bool is_down)
{
	l->is_down = is_down;
}

/* ---- the clock on the wall ---------------------------------------------- */

static void
look_at_day(struct link *l, int64_t wall_s)
{
	int64_t local = wall_s + zone_offset(l->config->zone, wall_s);
	int64_t day = (local >= 0 ? local : local - DAY_S + 1) / DAY_S;

	if (day == l->day)
		return;
	l->day = day;
	l->midnight = zone_midnight(l->config->zone, day);
	for (int c = 0; c < CLASS_COUNT; c++)
		l->use[c].today = 0;
}

int64_t
link_look(struct link *l, uint64_t now_us, int64_t wall_s)
{
	int64_t next = wall_s + LOOK_S;

	look_at_day(l, wall_s);
	quota_look(&l->quota, wall_s);
	l->window = window_at(l->config, wall_s);
	l->window_until = window_next_change(l->config, wall_s);
	set_rates(l, now_us);
	if (l->window_until != 0 && l->window_until < next)
		next = l->window_until;
	return l->quota.next_at < next ? l->quota.next_at : next;
}

void
link_init(struct link *l, const struct config_link *config, uint64_t now_us,
    int64_t wall_s)
{
	memset(l, 0, sizeof(*l));
	l->config = config;
	l->period_us = now_us;
	bucket_init(&l->all, config->rate, now_us);
	bucket_init(&l->prewarm, config->prewarm, now_us);
	for (int c = 0; c < CLASS_COUNT; c++) {
		bucket_init(&l->kept[c],
		    share_of(config->rate, config->shares[c]), now_us);
		TAILQ_INIT(&l->queues[c]);
	}
	quota_init(&l->quota, config, wall_s);
	(void)link_look(l, now_us, wall_s);
}

void
link_set(struct link *l, const struct config_link *config, uint64_t now_us,
    int64_t wall_s)
{
	l->config = config;
	l->has_rate = l->has_prewarm = l->is_down = false;
	quota_set(&l->quota, config, wall_s);
	(void)link_look(l, now_us, wall_s);
}

bool
link_is_usable(const struct link *l, enum link_class class)
{
	return !l->is_down && quota_may(&l->quota, class) != QUOTA_NO;
}

/* ---- turns -------------------------------------------------------------- */

static bool
is_off(const struct link *l, enum link_class class)
{
	return class == CLASS_PREWARM && l->prewarm.rate == 0;
}

/* Nothing but time and turns stands between the class and its bytes. */
static bool
is_open(const struct link *l, enum link_class class)
{
	return !l->is_down && quota_may(&l->quota, class) == QUOTA_YES &&
	    !is_off(l, class);
}

/* Is a class before CLASS busy? */
static bool
is_behind(const struct link *l, enum link_class class, uint64_t now_us)
{
	for (int c = 0; c < (int)class; c++) {
		if (l->n_flows[c] == 0 || !is_open(l, (enum link_class)c))
			continue;
		if (!TAILQ_EMPTY(&l->queues[c]) ||
		    now_us < l->took_us[c] + BUSY_US)
			return true;
	}
	return false;
}

static bool
may_class(struct link *l, enum link_class class, uint64_t now_us)
{
	if (!is_open(l, class) || !bucket_has(&l->all, 0, now_us))
		return false;
	if (class == CLASS_PREWARM && !bucket_has(&l->prewarm, 0, now_us))
		return false;
	return !is_behind(l, class, now_us) ||
	    bucket_has(&l->kept[class], 0, now_us) ||
	    bucket_has(&l->all, LEFT_US, now_us);
}

/* Whose turn is it, of those who wait?  CLASS_COUNT: nobody's. */
static enum link_class
next_class(struct link *l, uint64_t now_us)
{
	enum link_class first = CLASS_COUNT;

	for (enum link_class c = 0; c < CLASS_COUNT; c++) {
		if (TAILQ_EMPTY(&l->queues[c]) || !may_class(l, c, now_us))
			continue;
		if (first == CLASS_COUNT)
			first = c;
		else if (bucket_has(&l->kept[c], 0, now_us))
			return c;
	}
	return first;
}

static struct link_flow *
least_served(struct link_flows *flows)
{
	struct link_flow *f, *least = TAILQ_FIRST(flows);

	TAILQ_FOREACH (f, flows, entry)
		if (f->had < least->had)
			least = f;
	return least;
}

static void
leave_queue(struct link_flow *f, uint64_t now_us)
{
	TAILQ_REMOVE(&f->link->queues[f->class], f, entry);
	if (now_us > f->queued_us)
		f->link->use[f->class].wait_us += now_us - f->queued_us;
}

struct link_flow *
link_next(struct link *l, uint64_t now_us)
{
	enum link_class class;
	struct link_flow *f;

	class = next_class(l, now_us);
	if (class == CLASS_COUNT)
		return NULL;
	f = least_served(&l->queues[class]);
	leave_queue(f, now_us);
	f->state = FLOW_NAMED;
	if (f->had > l->had[class])
		l->had[class] = f->had;
	return f;
}

static uint64_t
claim_bytes(const struct link *l)
{
	return link_rate(l) / (MICRO / CLAIM_US);
}

static void
enter_queue(struct link_flow *f, uint64_t now_us)
{
	struct link *l = f->link;
	uint64_t had = l->had[f->class], claim = claim_bytes(l);

	/* Who comes late, or back, has no claim to what others had; but a turn
	 * that was missed by a moment comes again. */
	if (f->had < had && had - f->had > claim)
		f->had = had - claim;
	f->state = FLOW_QUEUED;
	f->queued_us = now_us;
	TAILQ_INSERT_TAIL(&l->queues[f->class], f, entry);
}

/* Those behind it need not be waited for: the next turn is theirs as far as
 * something is kept for them. */
static bool
has_waiters_before(const struct link *l, enum link_class class)
{
	for (int c = 0; c <= (int)class; c++)
		if (!TAILQ_EMPTY(&l->queues[c]))
			return true;
	return false;
}

bool
link_may(struct link_flow *f, uint64_t now_us)
{
	struct link *l = f->link;

	if (f->state == FLOW_QUEUED)
		return false;
	if (f->state == FLOW_NAMED ||
	    (!has_waiters_before(l, f->class) &&
		may_class(l, f->class, now_us)))
		return true;
	enter_queue(f, now_us);
	return false;
}

static void
count_use(struct link *l, enum link_class class, uint64_t n, uint64_t now_us)
{
	uint64_t periods = (now_us - l->period_us) / PERIOD_US;

	for (int c = 0; periods > 0 && c < CLASS_COUNT; c++) {
		l->use[c].last_period = periods == 1 ? l->use[c].period : 0;
		l->use[c].period = 0;
	}
	l->period_us += periods * PERIOD_US;
	l->use[class].period += n;
	l->use[class].today += n;
}

void
link_take(struct link_flow *f, size_t n, uint64_t now_us)
{
	struct link *l = f->link;
	uint64_t micro = (uint64_t)n * (MICRO + l->config->overhead);

	check(f->state != FLOW_QUEUED);
	f->state = FLOW_IDLE;
	if (is_behind(l, f->class, now_us))
		bucket_take(&l->kept[f->class], (int64_t)micro, now_us);
	bucket_take(&l->all, (int64_t)micro, now_us);
	if (f->class == CLASS_PREWARM)
		bucket_take(&l->prewarm, (int64_t)micro, now_us);
	if (quota_is_on(&l->quota))
		quota_spend(&l->quota, micro);
	f->had += n;
	if (TAILQ_EMPTY(&l->queues[f->class]) && f->had > l->had[f->class])
		l->had[f->class] = f->had;
	l->took_us[f->class] = now_us;
	count_use(l, f->class, micro / MICRO, now_us);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
class_wait_us(struct link *l, enum link_class class, uint64_t now_us)
{
	uint64_t turn = bucket_wait_us(&l->all, 0, now_us), kept, left;

	if (!is_open(l, class))
		return UINT64_MAX;
	if (class == CLASS_PREWARM)
		turn = later(turn, bucket_wait_us(&l->prewarm, 0, now_us));
	if (!is_behind(l, class, now_us))
		return turn;
	kept = bucket_wait_us(&l->kept[class], 0, now_us);
	left = bucket_wait_us(&l->all, LEFT_US, now_us);
	return later(turn, kept < left ? kept : left);
}

uint64_t
link_wait_us(struct link *l, uint64_t now_us)
{
	uint64_t soonest = UINT64_MAX, us;

	for (enum link_class c = 0; c < CLASS_COUNT; c++) {
		if (TAILQ_EMPTY(&l->queues[c]))
			continue;
		us = class_wait_us(l, c, now_us);
		if (us < soonest)
			soonest = us;
	}
	return soonest;
}

/* ---- flows -------------------------------------------------------------- */

void
link_flow_begin(struct link *l, struct link_flow *f, enum link_class class)
{
	*f = (struct link_flow){ .class = class, .link = l };
	f->had = l->had[class];
	l->n_flows[class]++;
}

void
link_flow_end(struct link_flow *f)
{
	if (f->link == NULL)
		return;
	if (f->state == FLOW_QUEUED)
		TAILQ_REMOVE(&f->link->queues[f->class], f, entry);
	check(f->link->n_flows[f->class] > 0);
	f->link->n_flows[f->class]--;
	f->link = NULL;
}

void
link_flow_set_class(struct link_flow *f, enum link_class class, uint64_t now_us)
{
	struct link *l = f->link;
	bool was_queued = f->state == FLOW_QUEUED;

	if (class == f->class)
		return;
	if (was_queued)
		leave_queue(f, now_us);
	l->n_flows[f->class]--;
	l->n_flows[class]++;
	f->class = class;
	f->had = l->had[class];
	if (was_queued)
		enter_queue(f, now_us);
}

/* ---- connections -------------------------------------------------------- */

/* What may be on this side of the line that had no turn yet. */
static uint64_t
ahead_bytes(const struct link *l)
{
	uint64_t rate = link_rate(l), n = UINT64_MAX;

	if (rate < FAST)
		n = rate * AHEAD_US / MICRO;
	if (quota_is_on(&l->quota) && quota_ahead(&l->quota) < n)
		n = quota_ahead(&l->quota);
	return n;
}

unsigned
link_connections(const struct link *l)
{
	uint64_t n = ahead_bytes(l) / CRUMB_BYTES;

	if (n > l->config->connections)
		return l->config->connections;
	return n > 2 ? (unsigned)n - 1 : 1;
}

static unsigned
count_flows(const struct link *l)
{
	unsigned n = 0;

	for (int c = 0; c < CLASS_COUNT; c++)
		n += l->n_flows[c];
	return n;
}

bool
link_has_room(const struct link *l, enum link_class class)
{
	unsigned most = link_connections(l);

	if (class == CLASS_PULL)
		return l->n_flows[CLASS_PULL] < most;
	if (is_off(l, class))
		return false;
	if (is_off(l, CLASS_PREWARM))
		most += l->n_flows[CLASS_PREWARM];
	return count_flows(l) < most;
}

size_t
link_buffer_bytes(const struct link *l)
{
	uint64_t n = ahead_bytes(l) / 6 * 5 / (count_flows(l) + 1);

	if (n > UNPACED_BYTES)
		return 0;
	return n > READ_MIN ? (size_t)n : READ_MIN;
}

size_t
link_read_bytes(const struct link *l)
{
	uint64_t n = ahead_bytes(l) / 6 / link_connections(l);

	if (n > READ_MAX)
		return READ_MAX;
	return n > READ_MIN ? (size_t)n : READ_MIN;
}

uint64_t
link_use_now(const struct link *l, enum link_class class, uint64_t now_us)
{
	uint64_t periods = (now_us - l->period_us) / PERIOD_US;
	const struct link_use *u = &l->use[class];

	if (periods > 1)
		return 0;
	return (periods == 1 ? u->period : u->last_period) /
	    (PERIOD_US / MICRO);
}
