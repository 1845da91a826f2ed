#!/bin/sh
# layers.sh - fail when a file includes a header of a folder its own folder may
# not see, or of a foreign library that lives elsewhere.
#
# The two tables are the architecture: change them only on purpose.
. "$(dirname "$0")/files.sh"

# Sets $allowed for the folder $1.
look_up() {
	case $1 in
	common)        allowed="common" ;;
	loop|oci|link) allowed="$1 common" ;;
	http|store)    allowed="$1 loop common" ;;
	upstream)      allowed="upstream link loop oci common" ;;
	cache)         allowed="cache store upstream link loop oci common" ;;
	release|site)  allowed="$1 cache store link oci loop common" ;;
	api)           allowed="api release site cache store upstream link http oci loop common" ;;
	*)             allowed="cli api release site cache store upstream link http oci loop common" ;; # cli, main.c
	esac
}

# header (as in <...>)   files that may include it (as in file:line:...)
libraries='
event2/    ^(mirror/(loop|http)/|include/loop/(timer|watch)\.h:)
curl/      ^mirror/(upstream|cli)/
lmdb\.h    ^mirror/store/index[^/]*\.c:
jansson\.h ^mirror/(oci|release|api|cli)/
openssl/   ^(common/digest\.c|mirror/http/tls[^/]*\.c):
yaml\.h    ^common/yaml\.c:
'

sources=$(files '^(common|include|mirror)/.*\.[ch]$')
[ -n "$sources" ] || exit 0

upward() {
	grep -HnE '^# *include "[^"]*/' $sources | while IFS=':"' read -r f line _ seen _; do
		case $f in
		common/*) folder=common ;;
		*/*/*)    folder=${f#*/} folder=${folder%%/*} ;;
		*)        folder=main ;;
		esac
		look_up "$folder"
		case " $allowed tbl " in
		*" ${seen%%/*} "*) ;;
		*) echo "$f:$line: $folder/ may not include $seen" ;;
		esac
	done
}

foreign() {
	printf "%s" "$libraries" | while read -r header where; do
		[ -z "$header" ] || grep -HnE "^# *include [<\"]$header" $sources | grep -vE "$where"
	done
}

! { upward; foreign; } | grep .
