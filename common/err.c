/*
 * err.c - codes with sentences.
 *
 * A sentence is built beside the old one and copied over, since the arguments
 * may point into the struct err that is being set.
 */
#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

/* clang-format off */
static const struct {
	const char *oci;
	int status;
} rows[] = {
#define ERROR(id, oci, status) [ERR_##id] = { oci, status },
#include "tbl/errors.h"
};
/* clang-format on */

int
err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err->code = code;
	memcpy(err->text, text, sizeof(text));
	return -1;
}

/* As much of Z as fits behind what TEXT has. */
static void
append(char text[ERR_TEXT_MAX], const char *z)
{
	size_t at = strlen(text);
	size_t n = strlen(z);

	if (n > ERR_TEXT_MAX - 1 - at)
		n = ERR_TEXT_MAX - 1 - at;
	memcpy(text + at, z, n);
	text[at + n] = '\0';
}

int
err_wrap(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, ": ");
	append(text, err->text);
	memcpy(err->text, text, sizeof(text));
	return -1;
}

static enum err_code
code_of_errno(int error, enum err_code otherwise)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return ERR_DISK_FULL;
	case ENOMEM:
		return ERR_NO_MEMORY;
	default:
		return otherwise;
	}
}

int
err_errno(struct err *err, enum err_code code, const char *fmt, ...)
{
	int error = errno;
	char text[ERR_TEXT_MAX];
	char why[128];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, ": ");
	append(text, strerror_r(error, why, sizeof(why)));
	err->code = code_of_errno(error, code);
	memcpy(err->text, text, sizeof(text));
	return -1;
}

const char *
err_oci_code(enum err_code code)
{
	check((unsigned)code < ERR_COUNT);
	return rows[code].oci;
}

int
err_http_status(enum err_code code)
{
	check((unsigned)code < ERR_COUNT);
	return rows[code].status;
}
