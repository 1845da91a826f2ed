/*
 * config_int.h - what the files of the configuration share.
 *
 *	config.c         snapshots: birth, death, the one in force, look-ups
 *	config_read.c    walks the tree of nodes along the tables of sections
 *	config_option.c  sets one option: a setter per type
 *	config_check.c   what one option can't know: rules over several
 *	config_address.c text that names places: addresses, blocks, URLs, names
 */
#ifndef COMMON_CONFIG_INT_H
#define COMMON_CONFIG_INT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"
#include "common/err.h"
#include "common/pool.h"
#include "common/refs.h"
#include "common/str.h"
#include "common/yaml.h"

/* ---- places ------------------------------------------------------------ */

#define REGISTRY_MAX 272 /* a name of 253 bytes, a port, a NUL */

/* Lower-cases NAME into OUT and strips a default port; what is too long gives
 * the empty string.  For look-ups: whether it is a registry's name at all is
 * registry_valid()'s business. */
struct str registry_normalise(struct str name, char out[REGISTRY_MAX]);
/* Of a normalised name: "docker.io", "localhost", "10.0.0.1:5000". */
bool registry_valid(struct str name);

struct url {
	struct str origin; /* all but trailing slashes; points into the text */
	struct str user;   /* before '@'; p is NULL when there is none */
	struct str host;   /* host[:port] */
};
/* SCHEMES is a list like "http, https". */
bool url_parse(struct str text, const char *schemes, struct url *out);

bool address_parse(struct str text, struct sockaddr_storage *, socklen_t *);
bool address_is_loopback(const struct sockaddr_storage *);
bool address_equal(
    const struct sockaddr_storage *, const struct sockaddr_storage *);

/* Addresses that begin alike; IPv4 as ::ffff:a.b.c.d. */
struct block {
	unsigned char bytes[16];
	unsigned bits;
	bool is_v4;
};
bool block_parse(struct str text, struct block *); /* "10.1.0.0/16", "::1" */
bool block_holds(const struct block *, const struct sockaddr *);

/* ---- snapshots --------------------------------------------------------- */

/* A name or an alias, with its length, for config_find_upstream(). */
struct known_name {
	struct str name;
	const struct config_upstream *upstream;
};

/* What config_ring() needs of sites[i]. */
struct site_target {
	bool is_block;
	struct block block;
	size_t ring; /* index into config.rings */
};

struct snapshot {
	struct config config; /* what callers see */
	struct refs refs;
	struct pool pool; /* owns all that config points to */
	struct known_name *names;
	size_t n_names;
	struct site_target *targets; /* as many as config.sites */
};

/* ---- tables, made of tbl/options.h ------------------------------------- */

enum option_type {
	TYPE_BOOL,     /* bool */
	TYPE_COUNT,    /* unsigned or uint64_t, as the next ten */
	TYPE_SIZE,     /* bytes */
	TYPE_DURATION, /* ms */
	TYPE_SECONDS,
	TYPE_RATE,    /* bytes/s */
	TYPE_PERCENT, /* millionths */
	TYPE_RATIO,   /* millionths */
	TYPE_TIME,    /* minutes since midnight */
	TYPE_DAYS,    /* bits; also a list of days */
	TYPE_WORD,    /* an enum, by its words */
	TYPE_TEXT,    /* const char *, as the next six */
	TYPE_FILE,    /* is there and readable, if that is checked */
	TYPE_PATH,
	TYPE_ZONE,     /* time zone */
	TYPE_SITE,     /* pattern or block */
	TYPE_URL,      /* schemes as in `min`, no user */
	TYPE_PROXY,    /* the same, and may have user:password */
	TYPE_NAMES,    /* const char **, ends with NULL: registries */
	TYPE_ADDRESS,  /* struct config_address */
	TYPE_LINK,     /* const struct config_link *, by name */
	TYPE_UPSTREAM, /* const struct config_upstream *, by name */
	TYPE_COUNT_OF_TYPES
};

enum section_id {
	SECTION_ROOT,
#define GROUP(id, parent, key, help) SECTION_##id,
#define LIST(id, parent, key, st, field, element, max, absent, help)           \
	SECTION_##id,
#define NAMED(id, parent, key, st, field, element, max, help) SECTION_##id,
#define OPTION(section, key, type, st, field, def, min, max, help)
#include "tbl/options.h"
	SECTION_COUNT
};

struct option {
	enum section_id section;
	const char *key;
	enum option_type type;
	size_t offset; /* of the field in the section's struct */
	size_t size;   /* of the field */
	const char *fallback;
	const char *min;
	const char *max;
};

/* ---- reading ----------------------------------------------------------- */

struct config_reader {
	struct snapshot *snapshot;
	const char *path; /* of the file */
	bool check_files;
	char place[200]; /* where we are: "links.fibre.rate" */
	struct err *err;
};

/* Says what is wrong with NODE (NULL: with something that isn't there), as
 * "FILE:LINE: PLACE: sentence"; returns -1. */
int config_mistake(struct config_reader *, const struct yaml_node *,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same for the text of a node: "\"TEXT\" is not WHAT". */
int config_not(
    struct config_reader *, const struct yaml_node *, const char *what);
/* Zeroed memory and copies that live as long as the snapshot; NULL and an
 * error when there is none. */
void *config_take(struct config_reader *, size_t n, size_t size);
char *config_copy(struct config_reader *, struct str);
/* The entry of a map, if it is there and not null. */
const struct yaml_node *config_given(
    const struct yaml_node *map, const char *key);

err_checked int config_read(struct config_reader *, const struct yaml_node *);
/* Sets the field of OPTION in BASE; NODE is NULL for the default. */
err_checked int config_set_option(struct config_reader *, const struct option *,
    const struct yaml_node *node, void *base);

/* Called when all of a section is read into BASE (of a GROUP: the struct that
 * its options are fields of); NODE is NULL when it isn't in the file. */
typedef int section_check_fn(
    struct config_reader *, const struct yaml_node *node, void *base);
extern section_check_fn *const section_checks[SECTION_COUNT];

#endif
