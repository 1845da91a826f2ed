/*
 * settings.h - a link's configuration, as the file would give it.
 */
#ifndef TEST_SETTINGS_H
#define TEST_SETTINGS_H

#include "common/config.h"

/* YAML: what stands below the link, in braces.  The last one is kept until the
 * next but one. */
const struct config_link *settings(const char *yaml);
void settings_done(void);
/* Seconds since 1970 of a time in UTC. */
int64_t utc(int year, int month, int day, int hour, int minute);

#endif
