/*
 * progress.c - one bar for each image on its way, as many as the window has
 * lines for, and one for all, with rate, link and time to go.
 *
 * What was drawn before is drawn over: the cursor goes up as many lines as were
 * written.  The rate is what came since the last drawing, smoothed.
 */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/amount.h"
#include "common/clock.h"

#define IMAGES_SHOWN_MAX 64
#define DRAW_MS 100
#define LINKS_MS 2000
#define NAME_MAX_BYTES 300

struct shown {
	uint64_t index;
	char name[NAME_MAX_BYTES];
	char state[16];
	uint64_t done, all;
};

struct progress {
	struct client *links; /* owned; NULL: nobody to ask */
	struct shown images[IMAGES_SHOWN_MAX];
	size_t n_images;
	unsigned n_drawn; /* lines */
	uint64_t drawn_ms, links_ms;
	uint64_t done; /* at the last drawing */
	double rate;   /* bytes/s */
	char link[80];
};

/* Bytes of it that are here, or on their way here. */
static uint64_t
done_of(const json_t *o)
{
	uint64_t all = answer_number(o, "bytes");
	uint64_t left = answer_number(o, "bytes_missing");
	uint64_t here = all > left ? all - left : 0;

	return here + answer_number(o, "bytes_coming") < all
	    ? here + answer_number(o, "bytes_coming")
	    : all;
}

const char *
progress_bar(uint64_t done, uint64_t all, unsigned width, char out[BAR_MAX])
{
	unsigned n, i;

	if (width > BAR_MAX - 3)
		width = BAR_MAX - 3;
	n = all > 0 ? (unsigned)((double)done / (double)all * width) : 0;
	out[0] = '[';
	for (i = 0; i < width; i++)
		out[1 + i] = i < n ? '#' : '-';
	out[1 + width] = ']';
	out[2 + width] = '\0';
	return out;
}

/* ---- which images are shown --------------------------------------------- */

static struct shown *
find(struct progress *p, uint64_t index)
{
	for (size_t i = 0; i < p->n_images; i++)
		if (p->images[i].index == index)
			return &p->images[i];
	return NULL;
}

/* Those that are done make room for others. */
static void
note(struct progress *p, const json_t *image)
{
	bool is_done = strcmp(answer_text(image, "state", ""), "ready") == 0;
	struct shown *s = find(p, answer_number(image, "index"));

	if (s != NULL && is_done) {
		*s = p->images[--p->n_images];
		return;
	}
	if (is_done || (s == NULL && p->n_images == IMAGES_SHOWN_MAX))
		return;
	if (s == NULL)
		s = &p->images[p->n_images++];
	s->index = answer_number(image, "index");
	(void)str_printable(
	    str_of(answer_text(image, "image", "")), s->name, sizeof(s->name));
	(void)str_printable(str_of(answer_text(image, "state", "")), s->state,
	    sizeof(s->state));
	s->done = done_of(image);
	s->all = answer_number(image, "bytes");
}

/* ---- rate and link ------------------------------------------------------- */

/* The link that releases take most of now. */
static void
look_at_links(struct progress *p, uint64_t now_ms)
{
	const json_t *all;
	uint64_t most = 0, rate;
	json_t *answer;
	struct err err;

	if (p->links == NULL || now_ms < p->links_ms + LINKS_MS)
		return;
	p->links_ms = now_ms;
	answer = client_get(p->links, "/v1/links", &err);
	all = json_object_get(answer, "links");
	p->link[0] = '\0';
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *link = json_array_get(all, i);

		rate = answer_number(link, "classes.prewarm.bytes_per_second");
		if (rate <= most)
			continue;
		most = rate;
		(void)str_printable(str_of(answer_text(link, "name", "")),
		    p->link, sizeof(p->link));
	}
	json_decref(answer);
}

static void
measure(struct progress *p, uint64_t done, uint64_t now_ms)
{
	uint64_t ms = now_ms - p->drawn_ms;
	double now;

	if (p->drawn_ms > 0 && ms > 0 && done >= p->done) {
		now = (double)(done - p->done) * 1000 / (double)ms;
		p->rate = p->rate > 0 ? p->rate * 0.8 + now * 0.2 : now;
	}
	p->done = done;
	p->drawn_ms = now_ms;
}

/* ---- drawing ------------------------------------------------------------ */

static struct winsize
window(void)
{
	struct winsize w = { .ws_row = 24, .ws_col = 80 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || w.ws_row < 4 ||
	    w.ws_col < 40)
		w = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	return w;
}

static void
draw_image(const struct shown *s, unsigned columns)
{
	char bar[BAR_MAX], of[AMOUNT_TEXT_MAX];
	size_t n = strlen(s->name), room = columns > 52 ? columns - 52 : 8;

	/* The end of a name says more than its beginning. */
	printf("  %s %-8s %9s  %.*s\033[K\n",
	    progress_bar(s->done, s->all, 20, bar), s->state,
	    amount_bytes(s->all, of), (int)room,
	    s->name + (n > room ? n - room : 0));
}

static void
draw_all(struct progress *p, const json_t *o)
{
	uint64_t all = answer_number(o, "bytes"), left = all - p->done;
	char bar[BAR_MAX], a[AMOUNT_TEXT_MAX], b[AMOUNT_TEXT_MAX];
	char rate[AMOUNT_TEXT_MAX], time[AMOUNT_TEXT_MAX], state[SHOWN_MAX];

	printf("%s %s %s of %s", progress_bar(p->done, all, 30, bar),
	    answer_show(o, "state", "", state), amount_bytes(p->done, a),
	    amount_bytes(all, b));
	if (left > 0 && p->rate >= 1)
		printf(", %s%s%s, %s to go",
		    amount_rate((uint64_t)p->rate, rate),
		    p->link[0] != '\0' ? " on " : "", p->link,
		    amount_duration((int64_t)((double)left / p->rate), time));
	printf("\033[K\n");
}

static void
draw(struct progress *p, const json_t *o)
{
	struct winsize w = window();
	size_t n = p->n_images;

	if (n > (size_t)w.ws_row - 3)
		n = (size_t)w.ws_row - 3;
	if (p->n_drawn > 0)
		printf("\033[%uA", p->n_drawn);
	for (size_t i = 0; i < n; i++)
		draw_image(&p->images[i], w.ws_col);
	draw_all(p, o);
	printf("\033[J");
	(void)fflush(stdout);
	p->n_drawn = (unsigned)n + 1;
}

void
progress_show(struct progress *p, const json_t *o)
{
	const json_t *list = json_object_get(o, "list");
	uint64_t now_ms = clock_mono_ms();
	bool is_over = strcmp(answer_text(o, "state", ""), "ready") == 0 ||
	    strcmp(answer_text(o, "state", ""), "failed") == 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		note(p, json_array_get(list, i));
	if (!is_over && p->drawn_ms > 0 && now_ms < p->drawn_ms + DRAW_MS)
		return;
	look_at_links(p, now_ms);
	measure(p, done_of(o), now_ms);
	draw(p, o);
}

/* ---- birth and death ---------------------------------------------------- */

struct progress *
progress_new(const struct client_spec *spec)
{
	struct progress *p = calloc(1, sizeof(*p));
	struct err err;

	if (p == NULL)
		return NULL;
	p->links = client_new(spec, &err);
	return p;
}

void
progress_free(struct progress *p)
{
	if (p == NULL)
		return;
	client_free(p->links);
	free(p);
}
