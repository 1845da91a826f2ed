/*
 * put.c - storing a small object whose bytes are all here.
 *
 * The same order as for a draft: write, sync, rename, sync the folder, index.
 * The job commits the batch itself, so that what was submitted is finished by
 * store_close(); the owner hears when both letters, the job's and the index's,
 * have come.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/check.h"
#include "store_int.h"

static int
failed(const struct store_put *p, const char *what, struct err *err)
{
	char text[DIGEST_TEXT_MAX];

	return err_errno(err, ERR_DISK, "can't %s %s in the store at %s", what,
	    digest_text(&p->digest, text), p->store->path);
}

static int
write_file(struct store_put *p, const char *name)
{
	int fd = openat(p->store->folders[FOLDER_DRAFTS], name,
	    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int status;

	if (fd < 0)
		return failed(p, "make the file of", &p->error);
	status = disk_write(fd, 0, p->bytes.p, p->bytes.n);
	if (status == 0)
		status = disk_sync_file(fd);
	if (status != 0)
		(void)failed(p, "write", &p->error);
	(void)close(fd);
	return status;
}

static int
store_file(struct store_put *p, const char *name)
{
	int folder = store_folder_of(p->store, &p->digest);
	char hex[DIGEST_TEXT_MAX];

	if (write_file(p, name) != 0)
		return -1;
	if (disk_rename(p->store->folders[FOLDER_DRAFTS], name, folder,
		digest_hex(&p->digest, hex)) != 0)
		return failed(p, "rename", &p->error);
	if (disk_sync_folder(folder) != 0)
		return failed(p, "sync the folder of", &p->error);
	return 0;
}

static void
put_letter(struct store_put *p)
{
	if (--p->waits > 0)
		return;
	if (p->status == 0 && p->error.code != ERR_NONE)
		p->status = -1;
	store_unref(p->store);
	p->done(p); /* may be gone after this */
}

static void
on_committed(void *arg, const struct err *err)
{
	struct store_put *p = arg;

	if (err != NULL)
		p->error = *err;
	put_letter(p);
}

static void
run_put(struct work *w)
{
	struct store_put *p = container_of(w, struct store_put, work);
	struct index_batch *batch = p->batch;
	char name[32];

	p->batch = NULL;
	(void)snprintf(name, sizeof(name), "put-%u",
	    atomic_fetch_add(&p->store->next_put, 1));
	if (batch == NULL)
		p->status = err_set(
		    &p->error, ERR_NO_MEMORY, "out of memory for a batch");
	else
		p->status = store_file(p, name);
	if (p->status != 0) {
		(void)disk_remove(p->store->folders[FOLDER_DRAFTS], name);
		index_batch_free(batch);
		return;
	}
	index_batch_blob(batch, &p->digest, p->bytes.n, p->is_public);
	index_commit(p->store, batch, p->home, on_committed, p);
}

static void
put_done(struct work *w)
{
	struct store_put *p = container_of(w, struct store_put, work);

	if (p->status != 0)
		p->waits = 1; /* the index was never asked */
	put_letter(p);
}

void
store_put(struct store *s, struct store_put *p)
{
	p->store = store_ref(s);
	p->status = 0;
	p->error.code = ERR_NONE;
	p->waits = 2;
	if (p->batch == NULL)
		p->batch = index_batch_new();
	p->work.home = p->home;
	p->work.run = run_put;
	p->work.done = put_done;
	work_submit(s->pool, &p->work);
}
