/*
 * plan.h - which requests to send, and what must come back.
 *
 * A file with a line for each:
 *
 *	METHOD TARGET STATUS LENGTH [NAME:VALUE]...
 *
 * LENGTH is the reply's Content-Length.  A line "-" ends a part: who reads a
 * plan in parts (pull) begins the next one when the last is done.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
	char *bytes; /* owned; as sent */
	size_t n;
	int status;
	int64_t length;
	bool is_head;
	bool is_part_end; /* the last of its part */
};

struct plan {
	struct request *requests;
	size_t n;
};

/* Ends the program with a sentence when the file cannot be used. */
struct plan plan_read(const char *path, const char *host, bool is_one_shot);
void plan_done(struct plan *);

#endif
