#!/bin/sh
# contracts.sh - every header under include/ is a contract: it opens with
# "name.h - what it is" and is guarded by FOLDER_NAME_H.
. "$(dirname "$0")/files.sh"

bad=0
for f in $(files '^include/.*\.h$' | grep -v '^include/tbl/'); do
	name=$(basename "$f")
	guard=$(echo "${f#include/}" | tr 'a-z/.-' 'A-Z___')
	case $(head -n 2 "$f" | tr '\n' '|') in
	"/*| * $name - "?*) ;;
	*) echo "$f:1: a contract opens with \"/*\" and \" * $name - what it is\""; bad=1 ;;
	esac
	if ! grep -qx "#ifndef $guard" "$f" || ! grep -qx "#define $guard" "$f"; then
		echo "$f: its guard is $guard"
		bad=1
	fi
done
exit $bad
