/*
 * cli_int.h - what the commands share beside their options.
 */
#ifndef CLI_CLI_INT_H
#define CLI_CLI_INT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"

/* ---- the control plane as its client sees it (client.c) ----------------- */

struct client;

struct client_spec {
	const char *url;         /* "http://127.0.0.1:5001" */
	const char *token_file;  /* NULL: none */
	const char *ca;          /* PEM file; NULL: the system's */
	const char *certificate; /* ours, PEM file; NULL: none */
	const char *key;         /* PEM file */
};

/* Reads the token.  Nothing is sent yet. */
struct client *client_new(const struct client_spec *, struct err *err);
void client_free(struct client *); /* NULL is fine */

/* SPEC's url, unless it has one: the admin address of the configuration at PATH
 * (NULL: of the usual one, if there is any); URL is its memory. */
#define CLI_DEFAULT_ADMIN "127.0.0.1:5001"
#define ADMIN_URL_MAX 512
int client_find_admin(struct client_spec *, const char *path,
    char url[ADMIN_URL_MAX], struct err *err);

/*
 * The JSON that PATH answers; NULL with err: ERR_UNAUTHORIZED, ERR_DENIED and
 * ERR_BAD_REQUEST when we asked wrongly (the server's own sentence),
 * ERR_UPSTREAM_DOWN when nobody or nobody of ours answered.
 */
json_t *client_get(struct client *, const char *path, struct err *err);
/* The same, of a PATCH with BODY. */
json_t *client_patch(
    struct client *, const char *path, const json_t *body, struct err *err);

/* ---- status for people (status_page.c) ---------------------------------- */

/* STATUS is the answer of /v1/status, UPSTREAMS a list as of /v1/upstreams. */
void status_page(
    FILE *to, const json_t *status, const json_t *upstreams, int64_t now_s);

#endif
