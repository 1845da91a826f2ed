/*
 * work.c - a queue of work and the threads that take from it.
 *
 * First in, first taken; with more than one thread that is not the order of
 * the results.  A work is the pool's from work_submit() until its letter is
 * posted, and not touched after that.
 */
#include "loop/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/thread.h"

struct work_pool {
	pthread_mutex_t lock; /* over the queue and `stopping` */
	pthread_cond_t wake;
	struct work *first;
	struct work **end; /* where the next work's pointer goes */
	bool stopping;
	unsigned n_threads; /* those that run */
	pthread_t threads[];
};

/* The pool that this thread works for; NULL on other threads. */
static _Thread_local const struct work_pool *mine;

/* The next work; NULL when the pool stops and the queue is empty. */
static struct work *
pool_take(struct work_pool *p)
{
	struct work *w;

	(void)pthread_mutex_lock(&p->lock);
	while (p->first == NULL && !p->stopping)
		(void)pthread_cond_wait(&p->wake, &p->lock);
	w = p->first;
	if (w != NULL) {
		p->first = w->next;
		if (p->first == NULL)
			p->end = &p->first;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return w;
}

static void *
pool_run(void *arg)
{
	struct work_pool *p = arg;
	struct work *w;

	mine = p;
	while ((w = pool_take(p)) != NULL) {
		w->run(w);
		loop_post(w->home, &w->letter);
	}
	return NULL;
}

static void
on_done(struct letter *letter)
{
	struct work *w = container_of(letter, struct work, letter);

	w->done(w);
}

void
work_submit(struct work_pool *p, struct work *w)
{
	w->letter.deliver = on_done;
	w->next = NULL;
	(void)pthread_mutex_lock(&p->lock);
	check(!p->stopping || mine == p); /* who else would run it? */
	*p->end = w;
	p->end = &w->next;
	(void)pthread_cond_signal(&p->wake);
	(void)pthread_mutex_unlock(&p->lock);
}

struct work_pool *
work_pool_new(const char *name, unsigned n_threads, struct err *err)
{
	struct work_pool *p =
	    calloc(1, sizeof(*p) + n_threads * sizeof(p->threads[0]));

	check(n_threads > 0);
	if (p == NULL) {
		(void)err_set(err, ERR_NO_MEMORY,
		    "out of memory for the work threads %s", name);
		return NULL;
	}
	check(pthread_mutex_init(&p->lock, NULL) == 0);
	check(pthread_cond_init(&p->wake, NULL) == 0);
	p->end = &p->first;
	for (; p->n_threads < n_threads; p->n_threads++)
		if (thread_start(&p->threads[p->n_threads], name, pool_run, p,
			err) != 0) {
			work_pool_free(p);
			return NULL;
		}
	return p;
}

void
work_pool_free(struct work_pool *p)
{
	if (p == NULL)
		return;
	(void)pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)pthread_cond_broadcast(&p->wake);
	(void)pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_threads; i++)
		check(pthread_join(p->threads[i], NULL) == 0);
	(void)pthread_cond_destroy(&p->wake);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}
