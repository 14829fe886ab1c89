#!/bin/sh
# report.sh RESULTS PAGE fills in PAGE: what stands between a line "<!-- benchstat ARGUMENTS -->" or "<!-- machine -->" and the next line
# "<!-- end -->" is replaced by benchstat's tables of RESULTS, or by where and when they were measured. All else stays as it is.
# BENCHSTAT is the command to use, COMMAND the one that the results came from. The tables are shown, too.
# If anything fails, or there is nothing to put into a table, PAGE stays as it is.
set -eu
results=$1 page=$2
new=$(mktemp)
trap 'rm -f "$new" "$new.table" "$page.new"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
	echo "report.sh: $1" >&2
	exit 1
}

machine() {
	echo "- Command: \`$COMMAND\`"
	echo "- Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sort -u | head -n 1), $(getconf _NPROCESSORS_ONLN) processors," \
		"$(go env GOOS)/$(go env GOARCH), kernel $(uname -r)"
	echo "- Go: $(go env GOVERSION)"
	echo "- Date: $(date -u +%Y-%m-%d)"
}

exec 3>&1
skip=
while IFS= read -r line || [ -n "$line" ]; do
	case $line in
	'<!-- end -->') skip= ;;
	'<!-- machine -->' | '<!-- benchstat '*' -->') [ -z "$skip" ] || fail "no end of $skip" ;;
	esac
	[ -n "$skip" ] || printf '%s\n' "$line"
	case $line in
	'<!-- machine -->')
		skip=$line
		machine
		;;
	'<!-- benchstat '*' -->')
		skip=$line
		args=${line#'<!-- benchstat '}
		eval "$BENCHSTAT ${args%' -->'} \"\$results\"" >"$new.table"
		# What the list of the machine says is not repeated over every table.
		table=$(grep -Ev '^(goos|goarch|pkg|cpu): ' "$new.table" | sed 's/[ \t]*$//; /./,$!d')
		[ -n "$table" ] || fail "nothing was measured for $line"
		printf '```text\n%s\n```\n' "$table"
		printf '%s\n' "$table" >&3
		;;
	esac
done <"$page" >"$new"
[ -z "$skip" ] || fail "no end of $skip"
cp -p "$page" "$page.new" # for its mode
cat "$new" >"$page.new"
mv "$page.new" "$page"
