/*
 * tokens.c - see tokens.h.
 *
 * The table holds the tokens' SHA-256, not the tokens.  tokens_role() hashes
 * what it is given and compares with all entries, byte by byte to the end, so
 * that its time tells nothing about which bytes were right.
 */
#include "common/tokens.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/pool.h"
#include "common/yaml.h"

#define TOKENS_MAX 1000
#define TOKEN_BYTES_MIN 16
#define TOKEN_BYTES_MAX 512
#define NAME_BYTES_MAX 64

struct token {
	const char *name; /* in the pool */
	enum role role;
	struct digest digest;
};

struct tokens {
	struct pool pool; /* owns entries and names */
	struct token *entries;
	size_t n;
};

static int
mistake(const char *path, const struct yaml_node *node, struct err *err,
    const char *what)
{
	return err_set(err, ERR_CONFIG, "%s:%u: %s", path, node->line, what);
}

/* ---- one entry --------------------------------------------------------- */

static int
check_keys(const char *path, const struct yaml_node *entry, struct err *err)
{
	const struct yaml_node *node;

	if (entry->kind != YAML_MAP)
		return mistake(path, entry, err,
		    "an entry must be a map like {name: grafana, role: read, "
		    "token: \"...\"}");
	for (node = entry->first; node != NULL; node = node->next) {
		if (!str_eqz(node->key, "name") &&
		    !str_eqz(node->key, "role") && !str_eqz(node->key, "token"))
			return mistake(path, node, err,
			    "unknown key; allowed: name, role, token");
		if (node->kind != YAML_TEXT)
			return mistake(path, node, err, "must be one value");
	}
	return 0;
}

static struct str
text_of(const struct yaml_node *entry, const char *key)
{
	const struct yaml_node *node = yaml_find(entry, key);

	return node != NULL ? node->text : STR("");
}

static bool
is_visible(struct str s)
{
	size_t i;

	for (i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

static int
read_name(struct tokens *t, const char *path, const struct yaml_node *entry,
    const char **out, struct err *err)
{
	struct str name = text_of(entry, "name");
	size_t i;

	if (name.n == 0 || name.n > NAME_BYTES_MAX || !is_visible(name))
		return mistake(path, entry, err,
		    "a token needs a name of 1 to 64 visible characters");
	for (i = 0; i < t->n; i++)
		if (str_eqz(name, t->entries[i].name))
			return err_set(err, ERR_CONFIG,
			    "%s:%u: the name \"%s\" is given twice", path,
			    entry->line, t->entries[i].name);
	*out = pool_copy(&t->pool, name);
	if (*out != NULL)
		return 0;
	return err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
}

static int
read_role(const char *path, const struct yaml_node *entry, enum role *out,
    struct err *err)
{
	static const char *const names[] = {
		[ROLE_READ] = "read",
		[ROLE_RELEASE] = "release",
		[ROLE_OPERATE] = "operate",
	};
	struct str role = text_of(entry, "role");
	char shown[40];
	unsigned i;

	for (i = ROLE_READ; i <= ROLE_OPERATE; i++)
		if (str_eqz(role, names[i])) {
			*out = (enum role)i;
			return 0;
		}
	return err_set(err, ERR_CONFIG,
	    "%s:%u: \"%s\" is not a role; allowed: read, release, operate",
	    path, entry->line, str_printable(role, shown, sizeof(shown)));
}

static int
read_token(struct tokens *t, const char *path, const struct yaml_node *entry,
    struct digest *out, struct err *err)
{
	struct str token = text_of(entry, "token");
	size_t i;

	if (token.n < TOKEN_BYTES_MIN || token.n > TOKEN_BYTES_MAX ||
	    !is_visible(token))
		return mistake(path, entry, err,
		    "a token must be 16 to 512 visible characters without "
		    "spaces; `openssl rand -hex 32` makes a good one");
	digest_of(DIGEST_SHA256, token.p, token.n, out);
	for (i = 0; i < t->n; i++)
		if (digest_equal(out, &t->entries[i].digest))
			return err_set(err, ERR_CONFIG,
			    "%s:%u: this is the token of \"%s\", too", path,
			    entry->line, t->entries[i].name);
	return 0;
}

static int
read_entry(struct tokens *t, const char *path, const struct yaml_node *entry,
    struct err *err)
{
	struct token *token = &t->entries[t->n];

	if (check_keys(path, entry, err) != 0 ||
	    read_name(t, path, entry, &token->name, err) != 0 ||
	    read_role(path, entry, &token->role, err) != 0 ||
	    read_token(t, path, entry, &token->digest, err) != 0)
		return -1;
	t->n++;
	return 0;
}

/* ---- the table --------------------------------------------------------- */

static int
read_table(struct tokens *t, const char *path, const struct yaml_node *root,
    struct err *err)
{
	const struct yaml_node *list = yaml_find(root, "tokens"), *entry;

	if (list == NULL || root->n != 1 || list->kind != YAML_LIST ||
	    list->n == 0 || list->n > TOKENS_MAX)
		return mistake(path, list != NULL ? list : root, err,
		    "the file must hold `tokens:` and nothing else, with 1 to "
		    "1000 entries like {name: grafana, role: read, token: "
		    "\"...\"}");
	t->entries = pool_take(&t->pool, list->n * sizeof(*t->entries));
	if (t->entries == NULL)
		return err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
	for (entry = list->first; entry != NULL; entry = entry->next)
		if (read_entry(t, path, entry, err) != 0)
			return -1;
	return 0;
}

static struct tokens *
tokens_new(const char *path, const struct yaml_node *root, struct err *err)
{
	struct tokens *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		(void)err_set(err, ERR_NO_MEMORY, "%s: out of memory", path);
		return NULL;
	}
	pool_init(&t->pool, 1u << 20);
	if (read_table(t, path, root, err) == 0)
		return t;
	tokens_free(t);
	return NULL;
}

/* The group may read: a service's group, or a mounted secret. */
static int
check_mode(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_errno(
		    err, ERR_CONFIG, "the tokens file %s can't be read", path);
	if ((st.st_mode & (S_IRWXO | S_IWGRP)) == 0)
		return 0;
	return err_set(err, ERR_CONFIG,
	    "the tokens file %s is open to others (mode %04o); run: "
	    "chmod o-rwx,g-w %s",
	    path, (unsigned)st.st_mode & 07777, path);
}

struct tokens *
tokens_load(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct yaml_doc *doc = NULL;
	struct tokens *t = NULL;

	if (fd < 0) {
		(void)err_errno(err, ERR_CONFIG,
		    "the tokens file %s can't be opened", path);
		return NULL;
	}
	if (check_mode(fd, path, err) == 0)
		doc = yaml_doc_read(fd, path, err);
	if (doc != NULL)
		t = tokens_new(path, yaml_doc_root(doc), err);
	yaml_doc_free(doc);
	(void)close(fd);
	return t;
}

void
tokens_free(struct tokens *t)
{
	if (t == NULL)
		return;
	pool_done(&t->pool);
	free(t);
}

/* All ones when they are the same, 0 else, in the same time. */
static size_t
mask_same(const struct digest *a, const struct digest *b)
{
	unsigned char differ = 0;
	size_t i;

	for (i = 0; i < digest_size(a); i++)
		differ |= (unsigned char)(a->bytes[i] ^ b->bytes[i]);
	return (size_t)0 - (1u & ((differ - 1u) >> 8));
}

enum role
tokens_role(const struct tokens *t, struct str token, const char **name)
{
	size_t i, mask, found = t->n;
	struct digest digest;

	digest_of(DIGEST_SHA256, token.p, token.n, &digest);
	for (i = 0; i < t->n; i++) {
		mask = mask_same(&digest, &t->entries[i].digest);
		found = (found & ~mask) | (i & mask);
	}
	if (name != NULL)
		*name = found < t->n ? t->entries[found].name : NULL;
	return found < t->n ? t->entries[found].role : ROLE_NONE;
}
