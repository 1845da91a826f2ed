/*
 * list.c - a release's list as a value, and the faults that a body can have.
 */
#include "release/list.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX_BYTES (64u << 20)
#define FAULTS_MAX_BYTES (2u << 20)

struct release_list *
release_list_new(void)
{
	struct release_list *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	refs_init(&l->refs);
	pool_init(&l->pool, LIST_MAX_BYTES);
	l->priority = 5;
	return l;
}

struct release_list *
release_list_ref(struct release_list *l)
{
	refs_take(&l->refs);
	return l;
}

void
release_list_unref(struct release_list *l)
{
	if (l == NULL || !refs_drop(&l->refs))
		return;
	pool_done(&l->pool);
	free(l);
}

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool
release_name_is_valid(struct str name)
{
	if (name.n == 0 || name.n > RELEASE_NAME_MAX || name.p[0] == '.' ||
	    name.p[0] == '-')
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (!is_name_byte(name.p[i]))
			return false;
	return true;
}

/* ---- faults ------------------------------------------------------------- */

void
release_faults_init(struct release_faults *f)
{
	memset(f, 0, sizeof(*f));
	pool_init(&f->pool, FAULTS_MAX_BYTES);
}

void
release_faults_done(struct release_faults *f)
{
	pool_done(&f->pool);
	free(f->all);
	memset(f, 0, sizeof(*f));
}

void
release_faults_add(struct release_faults *f, unsigned line, const char *field,
    enum err_code code, const char *text)
{
	struct release_fault fault = { .line = line, .code = code };
	struct str cut = { text, strnlen(text, ERR_TEXT_MAX - 1) };

	f->n_found++;
	if (f->n == RELEASE_FAULTS_MAX)
		return;
	if (f->all == NULL)
		f->all = calloc(RELEASE_FAULTS_MAX, sizeof(*f->all));
	fault.field = pool_copy(&f->pool, str_of(field));
	fault.text = pool_copy(&f->pool, cut);
	if (f->all != NULL && fault.field != NULL && fault.text != NULL)
		f->all[f->n++] = fault;
}
