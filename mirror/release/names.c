/*
 * names.c - the words of states, parts and catch_up, as people and machines
 * read them.
 */
#include "common/check.h"
#include "release/list.h"
#include "release/releases.h"

const char *
catch_up_name(enum catch_up c)
{
	static const char *const names[] = {
		[CATCH_UP_IMMEDIATE] = "immediate",
		[CATCH_UP_WINDOW] = "window",
		[CATCH_UP_HOLD] = "hold",
	};

	return names[c];
}

const char *
release_state_name(enum release_state s)
{
	static const char *const names[RELEASE_STATE_COUNT] = {
		[RELEASE_PENDING] = "pending",
		[RELEASE_WARMING] = "warming",
		[RELEASE_WAITING] = "waiting",
		[RELEASE_READY] = "ready",
		[RELEASE_FAILED] = "failed",
		[RELEASE_HELD] = "held",
	};

	check(s < RELEASE_STATE_COUNT);
	return names[s];
}

const char *
release_part_name(enum release_part p)
{
	static const char *const names[RELEASE_PART_COUNT] = {
		[RELEASE_INDEX] = "index",
		[RELEASE_MANIFEST] = "manifest",
		[RELEASE_CONFIG] = "config",
		[RELEASE_LAYER] = "layer",
		[RELEASE_REFERRER] = "referrer",
	};

	check(p < RELEASE_PART_COUNT);
	return names[p];
}
