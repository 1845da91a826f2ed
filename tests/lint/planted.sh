#!/bin/sh
# planted.sh - every lint must pass a small sound tree, and fail when something
# wrong is planted in it.
lint=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0

sound() {
	rm -rf "${tree:?}"/*
	cp "$lint/../../.clang-format" "$tree/"
	cd "$tree" || exit 1
	mkdir -p common include/store mirror/store tests
	{
		printf '/*\n * blob.h - a stored blob.\n */\n'
		printf '#ifndef STORE_BLOB_H\n#define STORE_BLOB_H\n\n'
		printf 'int blob_open(int at);\n\n#endif\n'
	} >include/store/blob.h
	{
		printf '#include "store/blob.h"\n\n'
		printf 'int\nblob_open(int at)\n{\n\treturn at;\n}\n'
	} >mirror/store/blob.c
}

# after LINT: what is in the tree now must make LINT fail.
after() {
	if "$lint/$1" >"$tree.out" 2>&1; then
		echo "$1 did not see: $2"
		bad=1
	fi
	rm -f "$tree.out"
	sound
}

repeat() { # N LINE
	i=0
	while [ $i -lt "$1" ]; do
		printf '%b\n' "$2"
		i=$((i + 1))
	done
}

sound
for each in layers.sh banned.sh size.py format.sh contracts.sh; do
	"$lint/$each" >/dev/null || { echo "$each refuses a sound tree"; bad=1; }
done

echo '#include "oci/name.h"' >>mirror/store/blob.c
after layers.sh "store/ includes oci/"
echo '#include "store/blob.h"' >>common/buf.c
after layers.sh "common/ includes store/"
echo '#include "../oci/oci_int.h"' >>mirror/store/blob.c
after layers.sh "a way round by .."
for each in event2/event.h curl/curl.h lmdb.h jansson.h openssl/evp.h yaml.h; do
	echo "#include <$each>" >>mirror/store/blob.c
	after layers.sh "store/blob.c includes $each"
done

for each in strcpy strcat sprintf gets strtok atoi alloca sleep usleep; do
	printf '\t%s(p);\n' "$each" >>mirror/store/blob.c
	after banned.sh "$each()"
done
echo '#if 0' >>mirror/store/blob.c
after banned.sh "#if 0"
echo '/* TODO */' >>mirror/store/blob.c
after banned.sh "TODO"
echo '    time.sleep(1)' >tests/wait.py
after banned.sh "time.sleep"
echo 'sleep 1' >tests/wait.sh
after banned.sh "sleep in a script"
for each in util.c misc.h helpers.py common.c; do
	: >"mirror/store/$each"
	after banned.sh "$each"
done

{ printf 'int\nlong_one(void)\n{\n'; repeat 58 '\treturn 0;'; echo '}'; } >mirror/store/long.c
after size.py "a function of 61 lines"
repeat 801 '/* line */' >mirror/store/long.c
after size.py "a file of 801 lines"
printf 'int\nwide(int a, int b, int c,\n    int d, int e, int f, int g)\n{\n}\n' >mirror/store/wide.c
after size.py "seven parameters"
printf 'int\ndeep(void)\n{\n\tif (1)\n\t\tif (1)\n\t\t\tif (1)\n\t\t\t\tif (1)\n\t\t\t\t\treturn;\n}\n' >mirror/store/deep.c
after size.py "four levels"

printf 'int  spaced;\n' >>mirror/store/blob.c
after format.sh "two spaces"

printf '#ifndef STORE_DRAFT_H\n#define STORE_DRAFT_H\n#endif\n' >include/store/draft.h
after contracts.sh "no opening comment"
sed -i 's/STORE_BLOB_H/BLOB_H/' include/store/blob.h
after contracts.sh "another guard"
exit $bad
