/*
 * quarantine.c - setting aside a file that was found missing, short or corrupt.
 *
 * On the index's thread, right before the row goes.  The file may have come
 * anew since it was found wrong: one that is right by now stays, and a right
 * one that was taken along between the look and the rename is put back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "store_int.h"

struct quarantine {
	struct store *store; /* borrowed; its index's thread runs us */
	struct digest digest;
	uint64_t size; /* that it should have */
	char why[ERR_TEXT_MAX];
};

static bool
is_right(const struct quarantine *q, int folder, const char *name)
{
	struct stat st;

	return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && (uint64_t)st.st_size == q->size;
}

/* False: it is there, and right. */
static bool
move_file(const struct quarantine *q)
{
	const struct store *s = q->store;
	int blobs = store_folder_of(s, &q->digest);
	int aside = s->folders[FOLDER_QUARANTINE];
	char hex[DIGEST_TEXT_MAX], name[DIGEST_TEXT_MAX + 40];

	(void)snprintf(name, sizeof(name), "%s-%s-%lld",
	    digest_alg_name(&q->digest), digest_hex(&q->digest, hex),
	    (long long)clock_wall_ms());
	if (is_right(q, blobs, hex))
		return false;
	if (disk_rename(blobs, hex, aside, name) != 0) {
		if (errno != ENOENT)
			log_error("could not set aside a file that was found "
				  "wrong",
			    LOG_DIGEST("digest", &q->digest),
			    LOG_I64("errno", errno));
		return true;
	}
	return !is_right(q, aside, name) ||
	    disk_rename(aside, name, blobs, hex) != 0;
}

static bool
set_aside(void *arg)
{
	struct quarantine *q = arg;
	bool is_gone = move_file(q);

	if (is_gone) {
		metric_add(q->store->quarantined, 1);
		log_warn("a stored file was found wrong and set aside",
		    LOG_DIGEST("digest", &q->digest), LOG_Z("why", q->why));
	}
	free(q);
	return is_gone;
}

void
store_quarantine(
    struct store *s, const struct digest *d, uint64_t size, const char *why)
{
	struct quarantine *q = calloc(1, sizeof(*q));
	struct index_batch *b = index_batch_new();

	if (q == NULL || b == NULL) { /* whoever meets it next will say so */
		free(q);
		index_batch_free(b);
		return;
	}
	q->store = s;
	q->digest = *d;
	q->size = size;
	(void)snprintf(q->why, sizeof(q->why), "%s", why);
	index_batch_before(b, set_aside, q);
	index_batch_forget(b, d);
	index_commit(s, b, NULL, NULL, NULL);
}
