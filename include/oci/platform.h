/*
 * platform.h - what a manifest runs on: "os/architecture[/variant]".
 *
 * As containerd has it: architectures go by one name (x86_64 is amd64, aarch64
 * is arm64), arm64 without a variant is v8, arm is v7.  Pure; any thread.
 */
#ifndef OCI_PLATFORM_H
#define OCI_PLATFORM_H

#include <stdbool.h>

#include "common/str.h"

/* Of the form, in letters that a platform may have. */
bool platform_is_valid(struct str);
/* Does what an index says of a child match what is WANTED?  A variant that
 * WANTED does not say may be any. */
bool platform_matches(struct str wanted, const char *os,
    const char *architecture, const char *variant);

#endif
