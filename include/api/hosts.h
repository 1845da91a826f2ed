/*
 * hosts.h - what clients are to be configured with to use this mirror.
 *
 * Three forms: containerd's certs.d (one hosts.toml for each upstream), the
 * registries.conf of CRI-O, Podman, Buildah and skopeo, and dockerd's
 * daemon.json.  Without a fallback nothing goes round the mirror: what the
 * last mirror does not have is not pulled.  An upstream that has only layouts
 * never has a fallback: clients can't reach a layout.
 *
 * Strings are borrowed.  Pure; any thread.
 */
#ifndef API_HOSTS_H
#define API_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/config.h"
#include "common/err.h"
#include "common/str.h"

#define HOSTS_MIRRORS_MAX 8
#define HOSTS_TEXT_MAX (1u << 20) /* bytes: ceiling for all texts together */

/* The first line of every TOML text of ours. */
#define HOSTS_MARK "# Written by `railhead hosts`; it will be overwritten."

/* What JSON has no room to say. */
#define HOSTS_DOCKER_NOTE                                                      \
	"dockerd uses mirrors for Docker Hub only, asks them without a name "  \
	"(default_upstream must be docker.io) and goes to Docker Hub by "      \
	"itself when a mirror fails."

enum hosts_format { HOSTS_CONTAINERD, HOSTS_REGISTRIES, HOSTS_DOCKER };
#define HOSTS_FORMATS "containerd|registries|docker" /* in this order */

struct hosts_spec {
	struct str mirrors[HOSTS_MIRRORS_MAX]; /* hosts_add_mirror() */
	size_t n_mirrors;
	struct str site; /* hosts_set_site(); empty: none */
	struct str ca;   /* hosts_set_ca(); empty: the system's */
	bool has_fallback;
};

/* "http://host[:port]" or "https://host[:port]"; tried in the order in which
 * they were added. */
err_checked int hosts_add_mirror(
    struct hosts_spec *, struct str url, struct err *err);
/* The value of X-Railhead-Site: a name as site/name.h has it. */
err_checked int hosts_set_site(
    struct hosts_spec *, struct str site, struct err *err);
/* A PEM file on the clients' machines. */
err_checked int hosts_set_ca(
    struct hosts_spec *, struct str path, struct err *err);

/* hosts.toml of one upstream. */
void hosts_containerd(
    struct buf *out, const struct hosts_spec *, const struct config_upstream *);
/* registries.conf of all. */
void hosts_registries(
    struct buf *out, const struct hosts_spec *, const struct config *);
/* daemon.json. */
void hosts_docker(struct buf *out, const struct hosts_spec *);

#endif
