#!/bin/sh
# layers.sh - fail when a file includes a header of a folder its own folder may
# not see, or of a foreign library that lives elsewhere.
#
# The two tables are the architecture: change them only on purpose.
. "$(dirname "$0")/files.sh"

allowed() {
	case $1 in
	common)        echo "common" ;;
	loop|oci|link) echo "$1 common" ;;
	http|store)    echo "$1 loop common" ;;
	upstream)      echo "upstream link loop oci common" ;;
	cache)         echo "cache store upstream link loop oci common" ;;
	release|site)  echo "$1 cache store link oci loop common" ;;
	api)           echo "api release site cache store upstream link http oci loop common" ;;
	*)             echo "cli api release site cache store upstream link http oci loop common" ;; # cli, main.c
	esac
}

# header (as in <...>)   paths that may include it
libraries='
event2/    ^(mirror/(loop|http)/|include/loop/(timer|watch)\.h$)
curl/      ^mirror/(upstream|cli)/
lmdb\.h    ^mirror/store/index[^/]*\.c$
jansson\.h ^mirror/(oci|release|api|cli)/
openssl/   ^(common/digest\.c|mirror/http/tls[^/]*\.c)$
yaml\.h    ^common/yaml\.c$
'

folder_of() {
	case $1 in
	common/*) echo common ;;
	*) echo "$1" | sed -E 's,^(include|mirror)/([^/]+)/.*,\2,' ;;
	esac
}

bad=0
sources=$(files '^(common|include|mirror)/.*\.[ch]$')
for f in $sources; do
	folder=$(folder_of "$f")
	for seen in $(sed -nE 's,^#include "([a-z.]+)/.*,\1,p' "$f"); do
		case " $(allowed "$folder") tbl " in
		*" $seen "*) ;;
		*) echo "$f: $folder/ may not include $seen/"; bad=1 ;;
		esac
	done
done
while read -r header where; do
	[ -n "$header" ] || continue
	for f in $(echo "$sources" | grep -vE "$where"); do
		grep -nE "^# *include [<\"]$header" "$f" | sed "s,^,$f:," | grep . && bad=1
	done
done <<END
$libraries
END
exit $bad
