#!/usr/bin/env bash
# Checks the models in docs/models with spin, exhaustively, and that each of their
# mutants is caught. It needs spin and gcc; as root it installs them if they are
# missing, otherwise it skips and says so.
#
#   scripts/models.sh             everything (about a minute on 2 idle cores)
#   scripts/models.sh trust       the runs whose name holds "trust"
set -euo pipefail
cd "$(dirname "$0")/../docs/models"
only=${1:-}

for command in spin gcc; do
	command -v "$command" >/dev/null && continue
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get -qq update && apt-get -qq install -y --no-install-recommends "$command" >/dev/null && continue
	fi
	echo "models: 0 passed, 0 failed, 1 skipped: $command is missing, install the package $command"
	exit 0
done

models=$PWD
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# explore FLAG MODEL DEFINITIONS...: the verifier's output. FLAG is for gcc: what
# ends at the first error is sooner compiled without optimizing.
explore() {
	local at
	at=$(mktemp -d "$dir/XXXXXX")
	cd "$at"
	spin -a "${@:3}" "$models/$2.pml" >spin.log || { cat spin.log; return; }
	gcc "$1" -w -DSAFETY -DNOFAIR -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c
	./pan -m300000 -w22 -n
	rm -rf "$at"
}

# holds MODEL DEFINITIONS...: every reachable state was seen and none is wrong
holds() {
	local out
	out=$(explore -O1 "$@" 2>&1)
	if grep -q 'errors: 0$' <<<"$out" && ! grep -q 'Search not completed\|max search depth' <<<"$out"; then
		printf 'ok     %-66s %s states\n' "$*" "$(awk '/states, stored/ {print $1}' <<<"$out")"
	else
		printf 'FAIL   %-66s %s\n' "$*" "$(grep -m 1 'pan:1:\|rror\|max search' <<<"$out")"
	fi
}

# caught WHAT MODEL DEFINITIONS...: without one of its rules the model breaks an
# assertion that names WHAT
caught() {
	local out what=$1
	shift
	out=$(explore -O0 "$@" 2>&1)
	if grep -q "pan:1: assertion violated.*$what" <<<"$out"; then
		printf 'ok     %-66s caught\n' "$*"
	else
		printf 'FAIL   %-66s not caught: %s\n' "$*" "$(grep -m 1 'pan:1:\|rror' <<<"$out")"
	fi
}

# run prints a line for each check below that is named, two at a time.
run() {
	local line
	while read -r line; do
		[[ -n $line && $line == *$only* ]] || continue
		while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
		($line) &
	done
	wait
}

run <<'CHECKS' | tee "$dir/report"
holds window -DSESSIONS=1 -DCODES=2
holds window -DSESSIONS=1 -DCODES=3 -DWINDOWS=1 -DCRASHES=0
holds window -DSESSIONS=1 -DCODES=1 -DWINDOWS=1 -DCRASHES=0 -DENTERERS=3
holds window -DSESSIONS=2 -DCODES=1 -DDAY_ROUNDS=2
caught spent window -DSESSIONS=1 -DCODES=2 -DMUTANT_NO_RENEWAL
caught paired window -DSESSIONS=1 -DCODES=2 -DCRASHES=0 -DMUTANT_USE_IN_TWO
caught debited window -DSESSIONS=1 -DCODES=2 -DMUTANT_CONFIRM_FIRST
caught looked window -DSESSIONS=1 -DCODES=2 -DMUTANT_LOOK_FIRST
caught looked window -DSESSIONS=1 -DCODES=2 -DMUTANT_COUNT_IN_MEMORY
caught looked window -DSESSIONS=1 -DCODES=2 -DMUTANT_DEBIT_IN_TWO -DWINDOW_ROUNDS=3 -DDAY_ROUNDS=1
caught lookedIn window -DSESSIONS=1 -DCODES=2 -DMUTANT_WINDOW_NOT_COUNTED
holds trust -DREMOVES=1
holds trust -DONE_EXCHANGE -DREMOVES=1 -DADDS=1
holds trust -DONE_EXCHANGE -DPAIRINGS=2 -DREMOVES=1
holds trust -DONE_EXCHANGE -DPARTS=1 -DADDS=1 -DRESTORES=1
holds trust -DONE_EXCHANGE -DPAIRINGS=2 -DRESTORES=1
holds trust -DONE_EXCHANGE -DRESTORES=2 -DREMOVES=1
holds trust -DONE_EXCHANGE -DRESTORES=1 -DREMOVES=1 -DCLOCK
caught one_sided trust -DONE_EXCHANGE -DREMOVES=1 -DMUTANT_OWN_WORD
caught one_sided trust -DONE_EXCHANGE -DPAIRINGS=2 -DRESTORES=1 -DMUTANT_BETWEEN_FOR_EVER
caught one_sided trust -DONE_EXCHANGE -DRESTORES=1 -DMUTANT_NO_OUTRUN
caught one_sided trust -DONE_EXCHANGE -DRESTORES=1 -DREMOVES=1 -DMUTANT_STRANGER_NOT_TOLD
caught one_sided trust -DONE_EXCHANGE -DPAIRINGS=2 -DRESTORES=1 -DMUTANT_STAGED_STRANGER_NOT_TOLD
caught one_sided trust -DONE_EXCHANGE -DREMOVES=1 -DMUTANT_NO_LAST_WORD -DMUTANT_STRANGER_NOT_TOLD
caught came_back trust -DONE_EXCHANGE -DRESTORES=1 -DREMOVES=1 -DMUTANT_NO_TAKE_OVER
caught came_back trust -DONE_EXCHANGE -DRESTORES=1 -DREMOVES=1 -DCLOCK -DMUTANT_COMMIT_UNSEEN
caught returned trust -DONE_EXCHANGE -DPAIRINGS=2 -DREMOVES=1 -DMUTANT_REMOVAL_KEEPS_STAGED
caught returned trust -DONE_EXCHANGE -DREMOVES=1 -DMUTANT_PEER_ADDS
caught entered trust -DONE_EXCHANGE -DMUTANT_S_COMMITS_AT_ONCE
caught entered trust -DONE_EXCHANGE -DMUTANT_ACK_BEFORE_COMMIT
CHECKS

passed=$(grep -c '^ok' "$dir/report" || true)
failed=$(grep -c '^FAIL' "$dir/report" || true)
echo "models: $passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
