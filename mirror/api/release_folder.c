/*
 * release_folder.c - see release_folder.h.
 *
 *	timer --> look (work thread: names and stamps; reads what changed)
 *	      --> a put for each list that was right --> the releases
 *
 * A look has all that it touches: what was known before goes along and comes
 * back with it.  Looks and puts may outlive the folder by a little at the end;
 * then they only free themselves.
 */
#include "release_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "common/check.h"
#include "common/clock.h"
#include "common/config.h"
#include "common/file.h"
#include "common/log.h"
#include "loop/timer.h"
#include "loop/work.h"
#include "release/releases.h"

#define FILES_MAX 1000
#define FILE_NAME_MAX (RELEASE_NAME_MAX + 8)
#define FOUND_MAX 16 /* changed files of one look; the others wait */
#define RETRY_S 60   /* of a list that could not be put */
#define PATH_MAX_BYTES 4096
#define LOGGED_MAX 20 /* faults of one file */

struct file {
	char name[FILE_NAME_MAX]; /* with its ending */
	struct timespec changed;
	off_t size;
	ino_t inode;
	bool is_there;    /* in the folder, as this look has seen */
	bool is_due;      /* to be read */
	bool is_wrong;    /* as last read */
	bool was_second;  /* another file had a list of the same name then */
	int64_t retry_at; /* s, wall; 0: it was taken */
};

struct files {
	size_t n;
	struct file all[FILES_MAX];
};

struct look {
	struct work work;
	struct release_folder *folder; /* NULL: it is gone; admin loop only */
	struct config *config;         /* counted */
	struct files *files;           /* owned meanwhile */
	bool is_new_config;            /* so wrong files may be right now */
	struct err error;              /* of the folder as a whole */
	size_t n_found;
	struct found {
		char name[FILE_NAME_MAX];
		struct release_list *list; /* owned; NULL: see faults */
		struct release_faults faults;
	} found[FOUND_MAX];
};

struct put {
	struct release_call call;
	struct release_folder *folder; /* NULL: it is gone */
	TAILQ_ENTRY(put) entry;
	char file[FILE_NAME_MAX];
	bool has_failed; /* while a look had the files: it is noted later */
};

struct release_folder {
	struct admin_spec spec;
	struct timer timer;
	struct files *files;   /* owned; NULL: a look has them */
	struct look *look;     /* under way; NULL: none is */
	struct config *config; /* of the last look; counted */
	bool was_broken; /* the folder could not be read, and we said so */
	TAILQ_HEAD(, put) puts;
};

/* ---- looking (work thread) ---------------------------------------------- */

/* "r7" of "r7.yaml"; empty: it is no list. */
static struct str
release_of(const char *file)
{
	static const char *const endings[] = { ".yaml", ".yml", ".json" };
	struct str name = str_of(file);

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (str_ends(name, str_of(endings[i]))) {
			name.n -= strlen(endings[i]);
			return release_name_is_valid(name) ? name : STR("");
		}
	return STR("");
}

/* Of a file that release_of() took. */
static void
copy_name(char out[FILE_NAME_MAX], const char *name)
{
	size_t n = strlen(name);

	check(n < FILE_NAME_MAX);
	memcpy(out, name, n + 1);
}

static struct file *
find_file(struct files *files, const char *name)
{
	for (size_t i = 0; i < files->n; i++)
		if (strcmp(files->all[i].name, name) == 0)
			return &files->all[i];
	return NULL;
}

static struct file *
add_file(struct look *l, const char *name)
{
	struct files *files = l->files;
	struct file *f;

	if (files->n == FILES_MAX) {
		(void)err_set(&l->error, ERR_CONFIG,
		    "the folder of releases, %s, has more than %d lists; the "
		    "others are not looked at",
		    l->config->releases_folder, FILES_MAX);
		return NULL;
	}
	f = &files->all[files->n++];
	memset(f, 0, sizeof(*f));
	copy_name(f->name, name);
	return f;
}

/* Is there something new about it?  Then it is due until it was read. */
static void
note_file(const struct look *l, struct file *f, const struct stat *st)
{
	bool is_same = f->changed.tv_sec == st->st_mtim.tv_sec &&
	    f->changed.tv_nsec == st->st_mtim.tv_nsec &&
	    f->size == st->st_size && f->inode == st->st_ino;
	bool is_late = f->retry_at != 0 && clock_wall_s() >= f->retry_at;

	f->is_there = true;
	f->is_due = f->is_due || !is_same || is_late ||
	    (f->is_wrong && l->is_new_config);
	f->changed = st->st_mtim;
	f->size = st->st_size;
	f->inode = st->st_ino;
}

static void
read_list(struct look *l, struct found *found, const char *path)
{
	enum release_format format =
	    str_ends(str_of(path), STR(".json")) ? RELEASE_JSON : RELEASE_YAML;
	struct buf bytes;
	struct err err;

	buf_init(&bytes, RELEASE_BODY_MAX + 65536);
	if (file_read(path, &bytes, &err) == 0)
		found->list = release_list_parse(
		    buf_str(&bytes), format, l->config, &found->faults);
	else
		release_faults_add(&found->faults, 0, "", err.code, err.text);
	buf_done(&bytes);
}

/* Of "r7.yaml" and "r7.json" the one that was there first counts. */
static bool
is_second(const struct files *files, const struct file *f)
{
	struct str release = release_of(f->name);

	for (const struct file *other = files->all; other < f; other++)
		if (str_eq(release_of(other->name), release))
			return true;
	return false;
}

static void
read_file(struct look *l, struct file *f, bool is_one_too_many)
{
	struct found *found = &l->found[l->n_found++];
	char path[PATH_MAX_BYTES];

	copy_name(found->name, f->name);
	release_faults_init(&found->faults);
	if (is_one_too_many) {
		release_faults_add(&found->faults, 0, "", ERR_CONFIG,
		    "another file has a list of the same name");
	} else {
		(void)snprintf(path, sizeof(path), "%s/%s",
		    l->config->releases_folder, f->name);
		read_list(l, found, path);
	}
	f->is_due = false;
	f->retry_at = 0;
	f->is_wrong = found->list == NULL;
	f->was_second = is_one_too_many;
}

/* What is due, as far as there is room; the rest stays due. */
static void
read_files(struct look *l)
{
	for (size_t i = 0; i < l->files->n && l->n_found < FOUND_MAX; i++) {
		struct file *f = &l->files->all[i];
		bool second =
		    (f->is_due || f->was_second) && is_second(l->files, f);

		if (f->is_due || second != f->was_second)
			read_file(l, f, second);
	}
}

static void
note_files(struct look *l, const char *folder, DIR *dir)
{
	char path[PATH_MAX_BYTES];
	const struct dirent *entry;
	struct file *f;
	struct stat st;

	while ((entry = readdir(dir)) != NULL) {
		int n = snprintf(
		    path, sizeof(path), "%s/%s", folder, entry->d_name);

		if (n >= (int)sizeof(path) || release_of(entry->d_name).n == 0)
			continue;
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		f = find_file(l->files, entry->d_name);
		if (f == NULL)
			f = add_file(l, entry->d_name);
		if (f != NULL)
			note_file(l, f, &st);
	}
}

/* Those that went away; the others keep their order. */
static void
drop_files(struct files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++)
		if (files->all[i].is_there)
			files->all[n++] = files->all[i];
	files->n = n;
}

static void
look_at_folder(struct look *l, const char *folder, DIR *dir)
{
	for (size_t i = 0; i < l->files->n; i++)
		l->files->all[i].is_there = false;
	note_files(l, folder, dir);
	drop_files(l->files);
	read_files(l);
}

static void
run(struct work *work)
{
	struct look *l = container_of(work, struct look, work);
	const char *folder = l->config->releases_folder;
	DIR *dir = opendir(folder);

	l->error.code = ERR_NONE;
	if (dir == NULL) {
		(void)err_errno(&l->error, ERR_CONFIG,
		    "the folder of releases, %s, can't be read", folder);
		return;
	}
	look_at_folder(l, folder, dir);
	(void)closedir(dir);
}

/* ---- putting ------------------------------------------------------------ */

/* False: a look has the files. */
static bool
note_failed(struct release_folder *rf, const struct put *p)
{
	struct file *f;

	if (rf->files == NULL)
		return false;
	f = find_file(rf->files, p->file);
	if (f != NULL)
		f->retry_at = clock_wall_s() + RETRY_S;
	return true;
}

static void
put_free(struct put *p)
{
	if (p->folder != NULL)
		TAILQ_REMOVE(&p->folder->puts, p, entry);
	free(p);
}

static void
on_put(struct release_call *call)
{
	struct put *p = container_of(call, struct put, call);

	p->has_failed = call->error.code != ERR_NONE;
	if (p->has_failed)
		log_error("list of a release not taken", LOG_Z("file", p->file),
		    LOG_ERR(&call->error));
	else if (call->has_changed)
		log_info("release accepted", LOG_Z("release", call->name),
		    LOG_Z("who", call->by), LOG_Z("file", p->file));
	release_call_done(call);
	if (!p->has_failed || p->folder == NULL || note_failed(p->folder, p))
		put_free(p);
}

/* Puts that have failed while a look had the files. */
static void
note_late(struct release_folder *rf)
{
	struct put *p, *next;

	for (p = TAILQ_FIRST(&rf->puts); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (p->has_failed && note_failed(rf, p))
			put_free(p);
	}
}

/* Takes the list. */
static void
put(struct release_folder *rf, struct look *l, struct found *found)
{
	struct put *p = calloc(1, sizeof(*p));
	struct str name = release_of(found->name);
	struct file *f;

	if (p == NULL) {
		f = find_file(rf->files, found->name);
		if (f != NULL)
			f->is_due = true;
		return;
	}
	memcpy(p->call.name, name.p, name.n);
	copy_name(p->file, found->name);
	(void)snprintf(p->call.by, sizeof(p->call.by), "releases.folder");
	p->folder = rf;
	p->call.home = rf->spec.admin;
	p->call.done = on_put;
	p->call.verb = RELEASE_PUT;
	p->call.list = found->list;
	p->call.config = config_ref(l->config);
	found->list = NULL;
	TAILQ_INSERT_TAIL(&rf->puts, p, entry);
	releases_call(rf->spec.releases, &p->call);
}

static void
log_faults(const struct found *found)
{
	const struct release_faults *faults = &found->faults;

	for (size_t i = 0; i < faults->n && i < LOGGED_MAX; i++)
		log_error("list of a release is wrong",
		    LOG_Z("file", found->name),
		    LOG_U64("line", faults->all[i].line),
		    LOG_Z("field", faults->all[i].field),
		    LOG_Z("error", faults->all[i].text),
		    LOG_U64("of", faults->n_found));
}

/* ---- there and back ----------------------------------------------------- */

static void
look_free(struct look *l)
{
	for (size_t i = 0; i < l->n_found; i++) {
		release_list_unref(l->found[i].list);
		release_faults_done(&l->found[i].faults);
	}
	config_unref(l->config);
	free(l->files);
	free(l);
}

static void
tell_folder(struct release_folder *rf, const struct look *l)
{
	bool is_broken = l->error.code != ERR_NONE;

	if (is_broken && !rf->was_broken)
		log_error("releases not read", LOG_ERR(&l->error));
	rf->was_broken = is_broken;
}

static void
on_looked(struct work *work)
{
	struct look *l = container_of(work, struct look, work);
	struct release_folder *rf = l->folder;

	if (rf != NULL) {
		rf->look = NULL;
		rf->files = l->files;
		l->files = NULL;
		note_late(rf);
		tell_folder(rf, l);
		for (size_t i = 0; i < l->n_found; i++) {
			log_faults(&l->found[i]);
			if (l->found[i].list != NULL)
				put(rf, l, &l->found[i]);
		}
		timer_set(
		    &rf->timer, l->n_found == FOUND_MAX ? 0 : FOLDER_LOOK_MS);
	}
	look_free(l);
}

static void
on_timer(void *arg)
{
	struct release_folder *rf = arg;
	struct config *config = config_now();
	struct look *l = NULL;

	if (config->releases_folder != NULL)
		l = calloc(1, sizeof(*l));
	if (l == NULL) {
		config_unref(config);
		timer_set(&rf->timer, FOLDER_LOOK_MS);
		return;
	}
	l->is_new_config = config != rf->config;
	config_unref(rf->config);
	rf->config = config_ref(config);
	l->config = config;
	l->folder = rf;
	l->files = rf->files;
	rf->files = NULL;
	rf->look = l;
	l->work.home = rf->spec.admin;
	l->work.run = run;
	l->work.done = on_looked;
	work_submit(rf->spec.pool, &l->work);
}

struct release_folder *
folder_new(const struct admin_spec *spec, struct err *err)
{
	struct release_folder *rf = calloc(1, sizeof(*rf));

	if (rf != NULL)
		rf->files = calloc(1, sizeof(*rf->files));
	if (rf == NULL || rf->files == NULL) {
		free(rf);
		(void)err_set(
		    err, ERR_NO_MEMORY, "no memory for the folder of releases");
		return NULL;
	}
	rf->spec = *spec;
	TAILQ_INIT(&rf->puts);
	timer_init(&rf->timer, spec->admin, on_timer, rf);
	timer_set(&rf->timer, 0);
	return rf;
}

void
folder_free(struct release_folder *rf)
{
	struct put *p;

	if (rf == NULL)
		return;
	timer_stop(&rf->timer);
	if (rf->look != NULL)
		rf->look->folder = NULL;
	while ((p = TAILQ_FIRST(&rf->puts)) != NULL) {
		TAILQ_REMOVE(&rf->puts, p, entry);
		p->folder = NULL;
		if (p->has_failed)
			free(p); /* the others free themselves */
	}
	config_unref(rf->config);
	free(rf->files);
	free(rf);
}
