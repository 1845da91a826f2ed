/*
 * cli_int.h - what the commands share beside their options.
 */
#ifndef CLI_CLI_INT_H
#define CLI_CLI_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/amount.h"
#include "common/config.h"
#include "common/err.h"
#include "common/str.h"

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
/* Before several threads make clients. */
void client_library_start(void);

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

/* The same of any METHOD with a body of TYPE (NULL: there is none); a PUT may
 * have made something new. */
json_t *client_send(struct client *, const char *method, const char *path,
    const char *type, struct str body, struct err *err);
/* What was answered last, if it was JSON: all errors of a refusal.  Borrowed,
 * until something else is asked. */
const json_t *client_said(const struct client *);
/* How long an answer may take; 0: for ever. */
void client_set_patience(struct client *, long ms);
/*
 * Server-sent events, until FN says false or the stream ends (0 both), or
 * something goes wrong (-1), a long silence among it.  DATA is borrowed.
 */
typedef bool client_event_fn(void *arg, const char *event, const json_t *data);
err_checked int client_listen(struct client *, const char *path,
    client_event_fn *fn, void *arg, struct err *err);

/* Options of every command that asks a control plane. */
/* clang-format off */
#define CLIENT_OPTIONS(client, config, as_json)                                                                                                                               \
	{ "admin",       OPTION_TEXT, &(client).url,         "URL",  "the control plane (default: the configuration's, else http://" CLI_DEFAULT_ADMIN ")" },                   \
	{ "config",      OPTION_TEXT, &(config),             "FILE", "the configuration to take the address from (default: " CONFIG_DEFAULT_PATH ")" },                         \
	{ "token-file",  OPTION_TEXT, &(client).token_file,  "FILE", "a file with a token" },                                                                                   \
	{ "ca",          OPTION_TEXT, &(client).ca,          "FILE", "CA certificates to trust (default: the system's)" },                                                      \
	{ "certificate", OPTION_TEXT, &(client).certificate, "FILE", "our certificate, where the control plane wants one" },                                                    \
	{ "key",         OPTION_TEXT, &(client).key,         "FILE", "its private key" },                                                                                       \
	{ "json",        OPTION_FLAG, &(as_json),            NULL,   "print the answers of the control plane" }
/* clang-format on */

/* What a command exits with when asking failed, having said so. */
int client_exit(const char *command, const struct err *err);
/* The control plane of these options; NULL: it was said why not. */
struct client *client_open(const char *command, struct client_spec *,
    const char *config, char url[ADMIN_URL_MAX]);
void client_print(const json_t *); /* indented, on stdout */

/* ---- what is in an answer (answer.c) ------------------------------------ */

/* KEY may lead down, "store.used_bytes".  What a server does not send is
 * nothing: NULL, 0, NONE. */
const json_t *answer_get(const json_t *, const char *key);
uint64_t answer_number(const json_t *, const char *key);
/* As it came; borrowed. */
const char *answer_text(const json_t *, const char *key, const char *none);
/* For a terminal, which what came over a wire does not command: into OUT, which
 * is returned. */
#define SHOWN_MAX 256
const char *answer_show(
    const json_t *, const char *key, const char *none, char out[SHOWN_MAX]);
/* "311 MiB"; the same. */
const char *answer_bytes(
    const json_t *, const char *key, char out[AMOUNT_TEXT_MAX]);

/* ---- releases (release_path.c, list_file.c, watch.c) -------------------- */

#define RELEASE_PATH_MAX 2048

/* "/v1/releases/NAME" and TAIL; -1: the name is too long. */
int release_path(
    const char *name, const char *tail, char path[RELEASE_PATH_MAX]);

/* A list as warm and plan send it. */
struct list_file {
	const char *path; /* "-": standard input; NULL: none was named */
	const char *platforms, *published_at, *not_before, *deadline;
	const char *pin_until, *priority, *catch_up;
	bool referrers, resolve_tags, platforms_optional;
};
/* clang-format off */
#define LIST_OPTIONS(f)                                                                                                                          \
	{ "f",                  OPTION_TEXT, &(f).path,               "FILE",       "the list: JSON, YAML, or one reference a line; - is standard input" },    \
	{ "platforms",          OPTION_TEXT, &(f).platforms,          "LIST",       "linux/amd64,linux/arm64 (default: all that an index has)" },      \
	{ "platforms-optional", OPTION_FLAG, &(f).platforms_optional, NULL,         "a platform that an index lacks is no error" },                    \
	{ "referrers",          OPTION_FLAG, &(f).referrers,          NULL,         "bring in signatures and the like, too" },                         \
	{ "resolve-tags",       OPTION_FLAG, &(f).resolve_tags,       NULL,         "take tags, and pin them to the digests of now" },                 \
	{ "published-at",       OPTION_TEXT, &(f).published_at,       "TIME",       "when it was published: lag counts from then" },                   \
	{ "not-before",         OPTION_TEXT, &(f).not_before,         "TIME",       "begin then" },                                                    \
	{ "deadline",           OPTION_TEXT, &(f).deadline,           "TIME",       "when it has to be here" },                                        \
	{ "pin-until",          OPTION_TEXT, &(f).pin_until,          "TIME",       "keep it until then (default: until it is deleted)" },             \
	{ "priority",           OPTION_TEXT, &(f).priority,           "0-9",        "9 goes first (default: 5)" },                                     \
	{ "catch-up",           OPTION_TEXT, &(f).catch_up,           "immediate|window|hold", "when the window was missed (default: immediate)" }
/* clang-format on */
/* PUTs it; MORE is put before the options in the query ("dry_run=true" or "").
 * NULL: it was told, all that is wrong too, and *status is what to exit
 * with. */
json_t *list_file_put(const struct list_file *, struct client *,
    const char *command, const char *name, const char *more, int *status);

/* Tells how the release comes in, until it is ready or failed; what to exit
 * with. */
int watch_release(const struct client_spec *, const char *name, bool as_json);

/* ---- status for people (status_page.c) ---------------------------------- */

/* STATUS is the answer of /v1/status, UPSTREAMS a list as of /v1/upstreams. */
void status_page(
    FILE *to, const json_t *status, const json_t *upstreams, int64_t now_s);

#endif
