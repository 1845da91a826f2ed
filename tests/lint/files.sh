# files.sh - which files the lints read; sourced by them.
#
# files REGEX: those of the source tree whose path matches; what git tracks in
# a checkout, what find sees elsewhere.
files() {
	if [ -e .git ] && git ls-files >/dev/null 2>&1; then
		git ls-files
	else
		find . -type f | sed 's,^\./,,' | grep -v '^build/'
	fi | grep -E "$1" | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
}
