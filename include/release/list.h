/*
 * list.h - a release's list: which images, and what is asked for them.
 *
 * A value: what a PUT body, a file of releases.d/ or a state file says once it
 * was found right.  Immutable and counted (atomic); all strings live as long as
 * it does.  Any thread.
 */
#ifndef RELEASE_LIST_H
#define RELEASE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/config.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/pool.h"
#include "common/refs.h"
#include "common/str.h"

#define RELEASE_NAME_MAX 128
#define RELEASE_IMAGES_MAX 20000
#define RELEASE_PLATFORMS_MAX 32
#define RELEASE_BODY_MAX (16u << 20)
#define RELEASE_FAULTS_MAX 1000 /* further ones are only counted */

/* catch_up: the mirror was offline while the release's window passed. */
enum catch_up { CATCH_UP_IMMEDIATE, CATCH_UP_WINDOW, CATCH_UP_HOLD };
const char *catch_up_name(enum catch_up); /* "immediate" */

struct release_image {
	const char *reference; /* as written, with the digest once resolved */
	const char *upstream;  /* its name in the configuration */
	const char *repository;
	const char *tag;      /* NULL: none was written */
	struct digest digest; /* alg 0: not resolved yet */
	/* Of its own, else the list's; none: all that the index has.
	 * "os/architecture[/variant]" each. */
	const char *const *platforms;
	size_t n_platforms;
	bool platforms_optional; /* one that the index lacks is no error */
	unsigned line;           /* in the body; 0: not known */
	const char *field;       /* "images[3].image"; for messages */
};

struct release_list {
	struct refs refs;
	struct pool pool; /* all that is below lives in it */
	struct release_image *images;
	size_t n_images;
	const char *const *platforms;
	size_t n_platforms;
	bool platforms_optional;
	bool referrers;
	bool resolve_tags;
	int64_t published_at; /* s, wall; 0: not said; so are the others */
	int64_t not_before;
	int64_t deadline;
	int64_t pin_until;
	unsigned priority; /* 0..9; the highest first; 5 unless said */
	enum catch_up catch_up;
};

struct release_list *release_list_new(void); /* empty; NULL: no memory */
struct release_list *release_list_ref(struct release_list *);
void release_list_unref(struct release_list *); /* NULL is fine */

/* 1 to RELEASE_NAME_MAX of [A-Za-z0-9._-], not beginning with '.' or '-'. */
bool release_name_is_valid(struct str);

/* ---- what is wrong with a body ------------------------------------------ */

struct release_fault {
	unsigned line;     /* 0: not known */
	const char *field; /* "" when it is the body as a whole */
	enum err_code code;
	const char *text;
};

/* Embedded; all faults of one body.  release_faults_done() frees. */
struct release_faults {
	struct pool pool;
	struct release_fault *all; /* owned */
	size_t n;                  /* that are kept */
	size_t n_found;            /* with those that did not fit */
};

void release_faults_init(struct release_faults *);
void release_faults_done(struct release_faults *);
/* Cut to ERR_TEXT_MAX. */
void release_faults_add(struct release_faults *, unsigned line,
    const char *field, enum err_code, const char *text);

/* ---- text and value ----------------------------------------------------- */

enum release_format {
	RELEASE_JSON,
	RELEASE_YAML, /* the same keys */
	RELEASE_TEXT, /* one reference a line; '#' begins a comment */
};

/* One option of a list, as a query or a command says it: the keys of a body
 * but `images`; platforms with commas between.  ERR_BAD_REQUEST. */
err_checked int release_list_set(
    struct release_list *, struct str key, struct str value, struct err *err);
/* Adds what BODY says to LIST, over what was set before.  -1 when something is
 * wrong, or pin_until has passed: FAULTS say all of it.  Upstreams are looked
 * up in the configuration. */
err_checked int release_list_read(struct release_list *, struct str body,
    enum release_format, const struct config *, struct release_faults *);
/* Of a body alone, whenever it was written: its pin_until may have passed.
 * NULL when something is wrong. */
struct release_list *release_list_parse(struct str body, enum release_format,
    const struct config *, struct release_faults *);
/* The same list as a JSON body in one form (defaults left out, keys in one
 * order), terminated: equal texts are equal lists.  malloc'd; NULL: no
 * memory. */
char *release_list_text(const struct release_list *);
/* A copy in which image I has the digest DIGESTS[I], where that is set. */
struct release_list *release_list_resolved(
    const struct release_list *, const struct digest *digests);

#endif
