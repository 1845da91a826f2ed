/*
 * version.c - the only file that CMake tells the version, so that a new commit
 * compiles one file.
 */
#include "common/version.h"

const char *
version_number(void)
{
	return RAILHEAD_VERSION;
}

const char *
version_commit(void)
{
	return RAILHEAD_COMMIT;
}
