# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
#
# What every script here starts with: strict mode, progress lines, the cache, running a
# child that Ctrl-C takes down with everything that it started.
# Standard output belongs to results (paths); all progress goes to standard error.

set -euo pipefail

ROOT=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd)
# A version manager's python3 may come first in PATH and lacks the Debian modules.
PYTHON=/usr/bin/python3
export ROOT PYTHON

# say TEXT...: one line of progress.
say() {
	printf '%s\n' "$*" >&2
}

# die TEXT...: each argument is one line; ends the script with status 1.
die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	shift
	[ $# -eq 0 ] || printf '  %s\n' "$@" >&2
	exit 1
}

# usage_error TEXT: a wrong command line, status 2.
usage_error() {
	printf '%s: %s; try --help\n' "${0##*/}" "$1" >&2
	exit 2
}

# help_and_exit: prints the comment at the head of the calling script.
help_and_exit() {
	awk 'NR <= 2 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"
	exit 0
}

# now_ms: milliseconds since the epoch; since_ms START prints "1.2 s".
now_ms() {
	local micros=${EPOCHREALTIME//[.,]/}
	echo $((micros / 1000))
}

since_ms() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# age_days FILE: days since FILE was touched.
age_days() {
	echo $((($(date +%s) - $(stat -c %Y "$1")) / 86400))
}

# cache_dir: where everything fetched or built outside the checkout lies; made when missing.
cache_dir() {
	local base=${XDG_CACHE_HOME:-}
	[ -n "$base" ] || base=${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache
	mkdir -p "$base/rpmsg-testbench" ||
		die "cannot make the cache $base/rpmsg-testbench" "point XDG_CACHE_HOME to a folder that can be written"
	echo "$base/rpmsg-testbench"
}

# with_lock NAME: waits for the cache's lock NAME and keeps it until this script ends.
# Holding it proves that no other run works on this part, so that what an interrupted one
# left in tmp.NAME.* may go.
with_lock() {
	local cache lock
	cache=$(cache_dir)
	exec {lock}>"$cache/lock.$1"
	if ! flock --nonblock "$lock"; then
		say "waiting for another run that prepares $1"
		flock "$lock"
	fi
	rm -rf "$cache/tmp.$1".*
}

# work_dir NAME: a new folder in the cache (so that mv from it is atomic); the caller
# removes it through cleanup_on_exit.
work_dir() {
	mktemp -d "$(cache_dir)/tmp.$1.XXXXXX"
}

CLEANUP=()
CHILD=
SLEEPER=
# A script that wants to be called while a child runs sets this, and defines tick.
TICK_SECONDS=

# cleanup_on_exit PATH: removes PATH however the script ends (short of SIGKILL).
cleanup_on_exit() {
	CLEANUP+=("$1")
}

# group_runs PGID: true while a process of the group runs. Zombies do not count: where process 1 is
# a plain program, as in many containers, nobody ever collects them.
group_runs() {
	local file line
	kill -0 -- "-$1" 2>/dev/null || return 1
	for file in /proc/[0-9]*/stat; do
		{ read -r line <"$file"; } 2>/dev/null || continue
		# After the command's name in brackets: state, parent, group.
		[[ ! ${line##*) } =~ ^[^ZX]' '[0-9]+' '"$1"' ' ]] || return 0
	done
	return 1
}

# stop_child: ends the group that run_group started, if anything of it still runs.
stop_child() {
	local tries
	[ -z "$SLEEPER" ] || kill "$SLEEPER" 2>/dev/null || true
	SLEEPER=
	[ -n "$CHILD" ] || return 0
	kill -TERM -- "-$CHILD" 2>/dev/null || true
	# Time enough for a conformance run to take down its guests.
	for ((tries = 0; tries < 150; tries++)); do
		group_runs "$CHILD" || break
		sleep 0.1
	done
	kill -KILL -- "-$CHILD" 2>/dev/null || true
	CHILD=
}

on_exit() {
	stop_child
	[ ${#CLEANUP[@]} -eq 0 ] || rm -rf "${CLEANUP[@]}"
}

trap on_exit EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# run_group COMMAND...: runs COMMAND in a process group of its own, so that a signal to this
# script ends it and all its children at once. Returns its status.
run_group() {
	local status=0 ended
	set -m
	"$@" </dev/null &
	CHILD=$!
	set +m
	if [ -z "$TICK_SECONDS" ]; then
		wait "$CHILD" || status=$?
	else
		while :; do
			sleep "$TICK_SECONDS" &
			SLEEPER=$!
			status=0
			wait -n -p ended "$CHILD" "$SLEEPER" || status=$?
			[ "${ended:-}" = "$SLEEPER" ] || break
			tick
		done
	fi
	# The group outlives its leader only if something was left running.
	stop_child
	return "$status"
}
