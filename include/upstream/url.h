/*
 * url.h - whom a URL asks.  Pure; any thread.
 */
#ifndef UPSTREAM_URL_H
#define UPSTREAM_URL_H

#include <stdbool.h>

#include "common/str.h"

#define ORIGIN_MAX 300

/*
 * "https://host[:port]" of an http or https URL: lower case, a default port
 * left out, so that two URLs ask the same server exactly when these are equal.
 * -1 when it is another kind of URL, broken, or names a user.
 */
int url_origin(const char *url, char out[ORIGIN_MAX]);
bool origin_is_https(const char *origin);
const char *origin_host(const char *origin); /* "host[:port]", points into it */

#endif
