/*
 * docker_config.h - Docker's config.json and what its credential helpers say.
 *
 * Sources: docker/cli's config file (`auths`, `credHelpers`, `credsStore`) and
 * the docker-credential-helpers protocol.  A helper of the host itself comes
 * first, then what the file holds, then the store for all hosts.  A host is
 * meant by a key with or without scheme and /v1/ or /v2/; Docker Hub's names
 * are one.  Pure; any thread.
 */
#ifndef OCI_DOCKER_CONFIG_H
#define OCI_DOCKER_CONFIG_H

#include "common/err.h"
#include "common/str.h"

/* All owned, all NULL when there is nothing for the host.  Secrets: never in a
 * log or a sentence. */
struct docker_login {
	char *username;
	char *password;
	char *auth;           /* base64 of "username:password" */
	char *identity_token; /* for grant_type=refresh_token */
	char *helper;         /* ask docker-credential-<helper> instead ... */
	char *server;         /* ... for this */
};

/* HOST: "registry.example.com" or "registry.example.com:5000". */
err_checked int docker_config_find(
    struct str json, struct str host, struct docker_login *, struct err *err);
/* What a helper's `get` printed. */
err_checked int docker_helper_parse(
    struct str json, struct docker_login *, struct err *err);
/* Wipes and frees the strings; may be called twice. */
void docker_login_done(struct docker_login *);

#endif
