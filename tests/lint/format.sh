#!/bin/sh
# format.sh - fail when clang-format would change a file.  Tables (include/tbl)
# are laid out by hand.
. "$(dirname "$0")/files.sh"

command -v clang-format >/dev/null || exit 77
sources=$(files '\.[ch]$' | grep -v '^include/tbl/')
[ -z "$sources" ] || clang-format --dry-run -Werror $sources
