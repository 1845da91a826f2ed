#!/bin/sh
# banned.sh - fail on what this tree does without: calls that overrun, block or
# guess, tests that wait for time to pass, unfinished work, names that say
# nothing.
. "$(dirname "$0")/files.sh"

bad=0

# refuse WHY REGEX FILE...: no line of the files may match.
refuse() {
	why=$1 regex=$2
	shift 2
	[ $# -gt 0 ] || return
	if grep -nHE -- "$regex" "$@"; then
		echo "^ $why"
		bad=1
	fi
}

c=$(files '\.[ch]$')
tests=$(files '^tests/.*\.(c|h|py|sh)$' | grep -v '^tests/lint/')
all=$(files '\.(c|h|py|sh|md|txt|yaml|yml|cmake|json)$' | grep -vE '^tests/(lint|fuzz/corpus)/')

refuse "banned function" \
	'(^|[^A-Za-z0-9_])(strcpy|strcat|sprintf|vsprintf|gets|strtok|atoi|atol|alloca|sleep|usleep|nanosleep) ?\(' $c
refuse "tests wait for events and counters, not for time" \
	'(time|asyncio)\.sleep|from time import .*sleep|^[[:space:]]*sleep ' $tests
refuse "unfinished work belongs in no commit" \
	'(^|[^A-Za-z])(TODO|FIXME|XXX)([^A-Za-z]|$)' $all
refuse "dead code" '^[[:space:]]*#[[:space:]]*if[[:space:]]+0' $c

vague=$(files '(^|/)((util|misc|helper)[^/]*|common)\.(c|h|py)$')
if [ -n "$vague" ]; then
	echo "$vague"
	echo "^ a file is named after what it holds"
	bad=1
fi
exit $bad
