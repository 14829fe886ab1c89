#!/bin/sh
# report.sh RESULTS PAGE fills in PAGE: what stands between a line "<!-- benchstat ARGUMENTS -->" or "<!-- machine -->" and the next line
# "<!-- end -->" is replaced by benchstat's tables of RESULTS, or by where and when they were measured. All else stays as it is.
# BENCHSTAT is the command to use, COMMAND the one that the results came from. The tables are shown, too.
set -eu
results=$1 page=$2
new=$(mktemp)
trap 'rm -f "$new" "$new.table"' EXIT

machine() {
	echo "- Command: \`$COMMAND\`"
	echo "- Machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sort -u | head -n 1), $(getconf _NPROCESSORS_ONLN) processors," \
		"$(go env GOOS)/$(go env GOARCH), kernel $(uname -r)"
	echo "- Go: $(go env GOVERSION)"
	echo "- Date: $(date -u +%Y-%m-%d)"
}

exec 3>&1
skip=
while IFS= read -r line; do
	case $line in
	'<!-- end -->') skip= ;;
	esac
	[ -n "$skip" ] || printf '%s\n' "$line"
	case $line in
	'<!-- machine -->')
		skip=yes
		machine
		;;
	'<!-- benchstat '*' -->')
		skip=yes
		args=${line#'<!-- benchstat '}
		eval "$BENCHSTAT ${args%' -->'} \"\$results\"" >"$new.table"
		printf '```text\n'
		# What the list of the machine says is not repeated over every table.
		grep -Ev '^(goos|goarch|pkg|cpu): ' "$new.table" | sed 's/[ \t]*$//; /./,$!d' | tee /dev/fd/3
		printf '```\n'
		;;
	esac
done <"$page" >"$new"
cat "$new" >"$page"
