/*
 * test_loop.c - letters, their order, and the loop's end.
 *
 * The module's source is included, to read how often the bell was rung.
 */
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../../../mirror/loop/loop.c"

static struct loop *
new_loop(const char *name)
{
	struct err err;
	struct loop *l = loop_new(name, &err);

	assert_non_null(l);
	return l;
}

static void
start(struct loop *l)
{
	struct err err;

	assert_int_equal(loop_start(l, &err), 0);
}

static void
stop(struct loop *l)
{
	loop_stop(l);
	loop_join(l);
	loop_free(l);
}

/* ---- letters ----------------------------------------------------------- */

#define N_POSTERS 4
#define N_LETTERS 5000

struct mail {
	struct letter letter;
	struct loop *to;
	unsigned from;
	unsigned number;
};

static struct mail mails[N_POSTERS][N_LETTERS];
static unsigned next_of[N_POSTERS]; /* the loop's, until it is joined */
static unsigned n_wrong;
static sem_t all_there;

static void
deliver_in_order(struct letter *letter)
{
	struct mail *m = container_of(letter, struct mail, letter);
	unsigned total = 0;

	if (!loop_is_here(m->to) || m->number != next_of[m->from]++)
		n_wrong++;
	for (unsigned i = 0; i < N_POSTERS; i++)
		total += next_of[i];
	memset(letter, 0xee, sizeof(*letter)); /* it is ours */
	if (total == N_POSTERS * N_LETTERS)
		(void)sem_post(&all_there);
}

static void *
post_all(void *arg)
{
	struct mail *mine = arg;

	for (unsigned i = 0; i < N_LETTERS; i++)
		loop_post(mine[i].to, &mine[i].letter);
	return NULL;
}

static void
letters_keep_their_order(void **state)
{
	struct loop *l = new_loop("test");
	pthread_t posters[N_POSTERS];

	(void)state;
	(void)sem_init(&all_there, 0, 0);
	for (unsigned p = 0; p < N_POSTERS; p++)
		for (unsigned i = 0; i < N_LETTERS; i++)
			mails[p][i] =
			    (struct mail){ { .deliver = deliver_in_order }, l,
				    p, i };
	start(l);
	for (unsigned p = 0; p < N_POSTERS; p++)
		assert_int_equal(
		    pthread_create(&posters[p], NULL, post_all, mails[p]), 0);
	for (unsigned p = 0; p < N_POSTERS; p++)
		assert_int_equal(pthread_join(posters[p], NULL), 0);
	(void)sem_wait(&all_there);
	stop(l);
	assert_int_equal(n_wrong, 0);
	(void)sem_destroy(&all_there);
}

struct note {
	struct letter letter;
	struct loop *to;
	struct note *reply; /* posted while this is delivered; may be NULL */
	unsigned at;        /* place in the order of deliveries; 0: not yet */
	unsigned reply_at;  /* of the reply, when its post had returned */
};

static unsigned n_delivered;

static void
deliver_note(struct letter *letter)
{
	struct note *n = container_of(letter, struct note, letter);

	n->at = ++n_delivered;
	if (n->reply == NULL)
		return;
	loop_post(n->to, &n->reply->letter);
	n->reply_at = n->reply->at;
}

static struct note
note_to(struct loop *l, struct note *reply)
{
	return (struct note){
		.letter.deliver = deliver_note, .to = l, .reply = reply
	};
}

/* A post to oneself is delivered after the call, in a later round. */
static void
never_inside_the_call(void **state)
{
	struct loop *l = new_loop("test");
	struct note reply = note_to(l, NULL);
	struct note first = note_to(l, &reply), second = note_to(l, NULL);

	(void)state;
	n_delivered = 0;
	loop_post(l, &first.letter);
	loop_post(l, &second.letter);
	assert_int_equal(loop_drain(l), 2);
	assert_int_equal(first.reply_at, 0);
	assert_int_equal(first.at, 1);
	assert_int_equal(second.at, 2);
	assert_int_equal(reply.at, 0);
	assert_int_equal(loop_drain(l), 1);
	assert_int_equal(reply.at, 3);
	assert_int_equal(loop_drain(l), 0);
	loop_free(l);
}

static void
freeing_delivers_the_rest(void **state)
{
	struct loop *l = new_loop("test");
	struct note reply = note_to(l, NULL);
	struct note first = note_to(l, &reply);

	(void)state;
	n_delivered = 0;
	loop_post(l, &first.letter);
	loop_free(l);
	assert_int_equal(first.at, 1);
	assert_int_equal(reply.at, 2);
	loop_free(NULL);
}

/* The bell is never read: its counter says how often it was rung. */
static uint64_t
rings(const struct loop *l)
{
	uint64_t n = 0;

	return read(l->bell, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void
one_ring_per_burst(void **state)
{
	struct loop *l = new_loop("test");
	struct note notes[10];

	(void)state;
	for (int i = 0; i < 10; i++) {
		notes[i] = note_to(l, NULL);
		loop_post(l, &notes[i].letter);
	}
	assert_int_equal(rings(l), 1);
	assert_int_equal(loop_drain(l), 10);
	assert_int_equal(rings(l), 0);
	loop_post(l, &notes[0].letter);
	assert_int_equal(rings(l), 1);
	loop_free(l);
}

/* ---- the thread -------------------------------------------------------- */

struct seen {
	struct letter letter;
	struct loop *l;
	sem_t done;
	char name[16];
	sigset_t mask;
	bool is_here;
	uint64_t now_ms, clock_ms;
};

static void
see(struct letter *letter)
{
	struct seen *s = container_of(letter, struct seen, letter);

	(void)pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	s->is_here = loop_is_here(s->l);
	s->clock_ms = clock_mono_ms();
	s->now_ms = loop_now_ms(s->l);
	(void)sem_post(&s->done);
}

static void
the_thread(void **state)
{
	struct loop *l = new_loop("serve-1");
	struct loop *other = new_loop("other");
	struct seen s = { .letter.deliver = see, .l = l };

	(void)state;
	assert_string_equal(loop_name(l), "serve-1");
	assert_false(loop_is_here(l));
	(void)sem_init(&s.done, 0, 0);
	start(l);
	loop_post(l, &s.letter);
	(void)sem_wait(&s.done);
	assert_false(loop_is_here(l));
	assert_true(s.is_here);
	assert_string_equal(s.name, "serve-1");
	assert_true(sigismember(&s.mask, SIGTERM) == 1);
	assert_true(sigismember(&s.mask, SIGPIPE) == 1);
	assert_true(s.now_ms >= s.clock_ms && s.now_ms <= s.clock_ms + 1000);
	stop(l);

	s.letter.deliver = see; /* another loop's thread is not this one's */
	s.l = l = new_loop("x");
	start(other);
	loop_post(other, &s.letter);
	(void)sem_wait(&s.done);
	assert_false(s.is_here);
	stop(other);
	loop_free(l);
	(void)sem_destroy(&s.done);
}

/* ---- the end ----------------------------------------------------------- */

static void
stop_before_start(void **state)
{
	struct loop *l = new_loop("test");

	(void)state;
	loop_stop(l);
	loop_stop(l);
	start(l);
	loop_join(l);
	loop_join(l); /* twice is fine */
	loop_free(l);
}

static void
stop_itself(struct letter *letter)
{
	struct note *n = container_of(letter, struct note, letter);

	loop_stop(n->to);
	n->at = ++n_delivered; /* the running callback goes on */
}

static void
stop_from_inside(void **state)
{
	struct loop *l = new_loop("test");
	struct note n = note_to(l, NULL), late = note_to(l, NULL);

	(void)state;
	n_delivered = 0;
	n.letter.deliver = stop_itself;
	start(l);
	loop_post(l, &n.letter);
	loop_join(l);
	assert_int_equal(n.at, 1);
	loop_post(l, &late.letter); /* nobody is there any more */
	assert_int_equal(late.at, 0);
	assert_int_equal(loop_drain(l), 1);
	assert_int_equal(late.at, 2);
	loop_free(l);
}

/* The bell, then epoll, can't be had: an error with a sentence. */
static void
no_descriptors(void **state)
{
	struct rlimit before, low;
	int lowest_free = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	(void)close(lowest_free);
	for (int more = 0; more < 2; more++) {
		struct err err = { .code = ERR_NONE };
		struct loop *l;

		low = before;
		low.rlim_cur = (rlim_t)(lowest_free + more);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
		l = loop_new("test", &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		assert_null(l);
		assert_string_equal(err.text,
		    "could not make the loop test: Too many open files");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_keep_their_order),
		cmocka_unit_test(never_inside_the_call),
		cmocka_unit_test(freeing_delivers_the_rest),
		cmocka_unit_test(one_ring_per_burst),
		cmocka_unit_test(the_thread),
		cmocka_unit_test(stop_before_start),
		cmocka_unit_test(stop_from_inside),
		cmocka_unit_test(no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
