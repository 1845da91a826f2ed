/*
 * config.h - the configuration: one immutable, counted snapshot.
 *
 * config_load() reads a YAML file into a new snapshot or says what is wrong,
 * with file, line, what was found and what is allowed.  tbl/options.h has a row
 * for each option; conf/railhead.yaml shows them all with their defaults.
 * Nobody changes a snapshot; a reload makes a new one, and whoever works with
 * the old one keeps his reference until he is done.  All pointers inside live
 * as long as the snapshot.  Any thread.
 *
 * Units: rates in bits per second as in the file, kept as bytes per second;
 * times in ms, but for tags' ttl and stale (s); shares and ratios in
 * millionths.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/err.h"
#include "common/log.h"
#include "common/str.h"
#include "common/units.h" /* RATE_UNLIMITED */
#include "common/zone.h"

#define CONFIG_DEFAULT_PATH "/etc/railhead/railhead.yaml"

/* "127.0.0.1:5000", "[::1]:5000", "0.0.0.0:5000", ":5000" (all, dual stack). */
struct config_address {
	const char *text;
	struct sockaddr_storage sa;
	socklen_t len;
};

struct config_tls {
	const char *certificate; /* PEM file, chain; NULL: no TLS */
	const char *key;         /* PEM file */
	const char *client_ca;   /* PEM file; NULL: no client certificates */
};

struct config_listen {
	struct config_address address;
	struct config_tls tls;
};

struct config_admin {
	struct config_address address;
	const char *tokens; /* file; NULL: everybody who reaches it may all */
	struct config_tls tls;
};

struct config_limits {
	uint64_t connections;
	uint64_t connections_per_address; /* 0: off */
	uint64_t head_bytes;
	uint64_t head_timeout_ms;
	uint64_t idle_timeout_ms;
	uint64_t drain_ms;
};

/* Why bytes cross a link, first in line first. */
enum link_class {
	CLASS_PULL,
	CLASS_REFRESH,
	CLASS_PREWARM,
	CLASS_REPAIR,
	CLASS_COUNT
};
const char *link_class_name(enum link_class);

struct config_window {
	unsigned days;     /* on which it begins; bit 0 = Monday */
	unsigned from_min; /* minutes since midnight, 0..1439 */
	unsigned to_min;   /* 1..1440; below from_min: over midnight */
	uint64_t rate;     /* bytes/s; RATE_UNLIMITED when not given */
	uint64_t prewarm;  /* bytes/s; 0: off; RATE_UNLIMITED when not given */
	unsigned line;
};

struct config_link {
	const char *name;
	uint64_t rate;    /* bytes/s or RATE_UNLIMITED */
	uint64_t prewarm; /* bytes/s; 0: off; RATE_UNLIMITED: as rate */
	unsigned connections;
	uint64_t overhead;            /* millionths */
	uint64_t shares[CLASS_COUNT]; /* millionths; [CLASS_PULL] is 0 */
	uint64_t stall_ms;
	const char *timezone; /* IANA name; "UTC" */
	const struct zone *zone;
	struct config_window *windows;
	size_t n_windows;
	uint64_t quota_bytes; /* 0: none */
	unsigned quota_resets_on;
	uint64_t quota_reserve;
	const char *interface; /* NULL: any */
	const char *proxy;     /* URL; NULL: none */
};

enum endpoint_kind { ENDPOINT_HTTP, ENDPOINT_LAYOUT };

struct config_endpoint {
	enum endpoint_kind kind;
	const char *url;    /* HTTP: no trailing slash; else NULL */
	const char *layout; /* LAYOUT: folder or tar file; else NULL */
	const char *name;   /* host[:port] or the layout's path: for metrics */
	const char *ca;     /* PEM file; NULL: the system's */
	const struct config_link *link; /* NULL: not limited */
	unsigned segments;
};

struct config_auth {
	const char *docker_config; /* config.json; NULL: none */
	const char *username;      /* with password_file; NULL: none */
	const char *password_file;
};

enum visibility { VISIBILITY_PUBLIC, VISIBILITY_PRIVATE };

struct config_upstream {
	const char *name; /* lower case, without a default port */
	const char **aliases;
	size_t n_aliases;
	struct config_endpoint *endpoints;
	size_t n_endpoints;
	struct config_auth auth;
	enum visibility visibility;
	unsigned denied_status; /* what clients are told when denied */
	uint64_t ratelimit_floor;
	size_t index; /* place in config.upstreams */
};

struct config_tag_rule {
	const char *match; /* pattern over "repository:tag" */
	bool immutable;
	uint64_t ttl_s;
	uint64_t stale_s;
};

struct config_site_rule {
	const char *match; /* pattern over the site, or an address block */
	const char *ring;
};

struct config_gate {
	uint64_t max_lag_ms;
	uint64_t min_hit_ratio; /* millionths */
	uint64_t window_ms;
	uint64_t min_requests;
	uint64_t max_error_ratio; /* millionths */
	bool require_links;
};

struct config_log {
	enum log_level level;
	enum log_format format;
	bool access;
};

struct config {
	const char *path; /* the file it came from */
	const char *region;
	struct config_listen *listens;
	size_t n_listens;
	struct config_admin admin;
	unsigned serve_loops; /* 0: one per core */
	const char *store_path;
	uint64_t store_capacity; /* bytes */
	uint64_t store_min_free;
	struct config_limits limits;
	struct config_link *links;
	size_t n_links;
	const struct config_upstream *default_upstream; /* NULL: none */
	struct config_upstream *upstreams;
	size_t n_upstreams;
	struct config_tag_rule *tags;
	size_t n_tags;
	struct config_site_rule *sites;
	size_t n_sites;
	const char **rings; /* distinct rings of sites; rings[0] is "" */
	size_t n_rings;
	struct config_gate gate;
	const char *releases_folder; /* NULL: none */
	struct config_log log;
};

struct config *config_load(const char *path, struct err *err);
/* The same, and the files that it names (certificates, tokens, credentials)
 * must be there and readable: for `railhead check` and the start. */
struct config *config_load_checked(const char *path, struct err *err);
/* Of YAML text, for tests and fuzzers; PATH is named in messages. */
struct config *config_parse(const char *path, struct str yaml, struct err *err);
struct config *config_ref(struct config *); /* atomic count */
void config_unref(struct config *);         /* NULL is fine */

/* The snapshot in force, process-wide.  config_now() returns a reference; NULL
 * before the first config_set() and after config_set(NULL). */
struct config *config_now(void);
void config_set(struct config *); /* takes the caller's reference */

/* The upstream that a client names: by name or alias, lower-cased, default
 * ports (:443, :80) stripped.  NULL when unknown. */
const struct config_upstream *config_find_upstream(
    const struct config *, struct str name);
/* The first rule that matches "REPO:TAG"; where none does, the default one. */
struct config_tag_rule config_tag_rule(
    const struct config *, struct str repo, struct str tag);
/* Index into rings of the first rule that matches: a pattern the site's name
 * (empty: it has none), a block its address; 0 when none does. */
size_t config_ring(
    const struct config *, struct str site, const struct sockaddr *);

#endif
