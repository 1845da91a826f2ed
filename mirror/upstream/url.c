/*
 * url.c - the front of a URL, as libcurl understands it, so that what is
 * compared is what will be dialled.
 */
#include "upstream/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

/* One part of URL into OUT, in lower case; -1 when it has none, or bytes in it
 * that cannot be shown to people as they are. */
static int
part(CURLU *url, CURLUPart which, char *out, size_t cap)
{
	char *text = NULL;
	bool is_fine;
	size_t n;

	if (curl_url_get(url, which, &text, CURLU_NO_DEFAULT_PORT) != CURLUE_OK)
		return -1;
	n = strlen(text);
	is_fine = n < cap;
	for (size_t i = 0; i < n && is_fine; i++) {
		is_fine = text[i] > ' ' && text[i] <= '~';
		out[i] = (char)tolower((unsigned char)text[i]);
	}
	if (is_fine)
		out[n] = '\0';
	curl_free(text);
	return is_fine ? 0 : -1;
}

static int
origin_of(CURLU *url, char out[ORIGIN_MAX])
{
	char scheme[8], host[ORIGIN_MAX - 20], port[8] = "";

	if (part(url, CURLUPART_SCHEME, scheme, sizeof(scheme)) != 0 ||
	    part(url, CURLUPART_HOST, host, sizeof(host)) != 0)
		return -1;
	if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		return -1;
	(void)part(url, CURLUPART_PORT, port, sizeof(port));
	(void)snprintf(out, ORIGIN_MAX, "%s://%s%s%s", scheme, host,
	    port[0] == '\0' ? "" : ":", port);
	return 0;
}

int
url_origin(const char *text, char out[ORIGIN_MAX])
{
	CURLU *url = curl_url();
	int rc = -1;

	if (url != NULL &&
	    curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) == 0)
		rc = origin_of(url, out);
	curl_url_cleanup(url);
	return rc;
}

bool
origin_is_https(const char *origin)
{
	return strncmp(origin, "https:", 6) == 0;
}

const char *
origin_host(const char *origin)
{
	const char *at = strstr(origin, "://");

	check(at != NULL);
	return at + 3;
}
