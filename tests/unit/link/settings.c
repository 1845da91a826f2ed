/*
 * settings.c - see settings.h.
 */
#include "settings.h"

#include <stdio.h>

#include "common/check.h"

static struct config *now, *before;

const struct config_link *
settings(const char *yaml)
{
	char text[2048];
	struct err err;

	(void)snprintf(text, sizeof(text),
	    "region: test\nlisten: [{address: \"127.0.0.1:0\"}]\n"
	    "store: {path: /tmp/x, capacity: 1GiB}\n"
	    "upstreams: {docker.io: }\nlinks:\n  wan: {%s}\n",
	    yaml);
	config_unref(before);
	before = now;
	now = config_parse("test.yaml", str_of(text), &err);
	if (now == NULL)
		(void)fprintf(stderr, "%s\n", err.text);
	check(now != NULL);
	return &now->links[0];
}

void
settings_done(void)
{
	config_unref(now);
	config_unref(before);
	now = before = NULL;
}

int64_t
utc(int year, int month, int day, int hour, int minute)
{
	return zone_days(year, month, day) * 86400 + hour * 3600 + minute * 60;
}
