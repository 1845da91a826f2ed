/*
 * quarantine.c - setting aside a file that was found missing, short or corrupt.
 *
 * On the index's thread, right before the row goes: so a file that comes anew
 * meanwhile is either set aside too, or gets its row after this.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "store_int.h"

struct quarantine {
	struct store *store; /* borrowed; its index's thread runs us */
	struct digest digest;
	char why[ERR_TEXT_MAX];
};

static void
set_aside(void *arg)
{
	struct quarantine *q = arg;
	const struct store *s = q->store;
	char hex[DIGEST_TEXT_MAX], name[DIGEST_TEXT_MAX + 40];

	(void)snprintf(name, sizeof(name), "%s-%s-%lld",
	    digest_alg_name(&q->digest), digest_hex(&q->digest, hex),
	    (long long)clock_wall_ms());
	if (disk_rename(store_folder_of(s, &q->digest), hex,
		s->folders[FOLDER_QUARANTINE], name) != 0 &&
	    errno != ENOENT)
		log_error("could not set aside a file that was found wrong",
		    LOG_DIGEST("digest", &q->digest), LOG_I64("errno", errno));
	metric_add(s->quarantined, 1);
	log_warn("a stored file was found wrong and set aside",
	    LOG_DIGEST("digest", &q->digest), LOG_Z("why", q->why));
	free(q);
}

void
store_quarantine(struct store *s, const struct digest *d, const char *why)
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
	(void)snprintf(q->why, sizeof(q->why), "%s", why);
	index_batch_before(b, set_aside, q);
	index_batch_forget(b, d);
	index_commit(s, b, NULL, NULL, NULL);
}
