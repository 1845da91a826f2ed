/*
 * reply.c - the head of a reply.
 */
#include "reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define STATUS_LINE_MIN 12 /* HTTP/1.1 200 */

static int64_t
length_in(const char *line, const char *end)
{
	static const char name[] = "content-length:";

	if ((size_t)(end - line) <= sizeof(name) ||
	    strncasecmp(line, name, sizeof(name) - 1) != 0)
		return -1;
	return strtoll(line + sizeof(name) - 1, NULL, 10);
}

int
reply_parse(const char *head, size_t n, struct reply *r)
{
	const char *end = memmem(head, n, "\r\n\r\n", 4);
	const char *line, *next;
	int64_t length;

	if (end == NULL)
		return 0;
	if (n < STATUS_LINE_MIN || memcmp(head, "HTTP/1.1 ", 9) != 0)
		return -1;
	r->status = (int)strtol(head + 9, NULL, 10);
	r->head_n = (size_t)(end - head) + 4;
	r->length = -1;
	for (line = head; line < end && r->length < 0; line = next + 2) {
		next = memmem(line, (size_t)(end + 2 - line), "\r\n", 2);
		length = length_in(line, next);
		if (length >= 0)
			r->length = length;
	}
	return 1;
}
