/*
 * version.h - which Railhead this is.  Any thread.
 */
#ifndef COMMON_VERSION_H
#define COMMON_VERSION_H

const char *version_number(void); /* "0.1.0" */
/* The commit it was built from, with "-dirty" when the tree had changes;
 * "unknown" when it was not built in a git tree. */
const char *version_commit(void);

#endif
