#!/usr/bin/env bash
# Runs every check of this repository: format, vet, staticcheck, schema, tests
# with the race detector, a short fuzz of each decoder, and 200 runs of the
# simulator. It needs bash and Go and fetches the Go tools it uses, at pinned
# versions, itself; as root it also installs the Debian packages that are missing.
#
#   scripts/test.sh          everything (about 25 minutes on 2 cores)
#   FUZZTIME=1m scripts/test.sh     a minute of fuzzing for each decoder
#   SEEDS=5000 scripts/test.sh      more runs of the simulator
set -euo pipefail
cd "$(dirname "$0")/.."
# A number of runs and not a time: at the end of a time the go command sometimes
# takes its own deadline for a failure.
fuzztime=${FUZZTIME:-4000x}

step() { printf '\n== %s\n' "$*"; }

# need COMMAND PACKAGE: installs a Debian package whose command is missing, as
# root; without root the tests that want it are skipped and say so.
need() {
	command -v "$1" >/dev/null && return
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		apt-get -qq update && apt-get -qq install -y --no-install-recommends "$2" >/dev/null
	else
		echo "$1 is missing: install the package $2"
	fi
}

step tools
need gcc gcc         # the race detector links with it
need ip iproute2     # tests that need a network of their own
need mkfs.xfs xfsprogs   # simulated power cuts, as root
need mkfs.ext4 e2fsprogs # the same
need chromium chromium   # the page, in a browser
need dbus-daemon dbus-daemon # the tray, on a bus of its own
go version

step gofmt
unformatted=$(git ls-files '*.go' | xargs gofmt -l)
if [ -n "$unformatted" ]; then
	printf 'not formatted, run gofmt -w:\n%s\n' "$unformatted"
	exit 1
fi

step go vet
go vet ./...

step staticcheck
go tool -modfile=tools/go.mod staticcheck ./...

step schema
(cd api && go tool -modfile=../tools/go.mod buf lint)
go generate ./api
git diff --exit-code --stat -- api || {
	echo 'the generated code does not fit the schema: commit what go generate ./api wrote'
	exit 1
}

step models
scripts/models.sh

step builds without cgo
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /dev/null ./cmd/contactsctl
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /dev/null ./cmd/contactsd
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /dev/null ./cmd/contacts-tray

step "fuzz, $fuzztime each"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for package in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		printf '%s %s: ' "$package" "$target"
		if ! go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package" >"$log" 2>&1; then
			printf 'FAIL\n'
			cat "$log"
			exit 1
		fi
		grep elapsed "$log" | tail -n 1
	done
done

step simulator
go run ./internal/sim/simulate -seeds "${SEEDS:-200}"

tests() { go test -race -json -timeout 15m "$@"; }

step tests
crashed=$(mktemp)
trap 'rm -f "$log" "$crashed"' EXIT
codes=(0 0)
tests ./... | go run ./internal/testreport -crashed "$crashed" || codes=("${PIPESTATUS[@]}")
[ "${codes[1]}" = 0 ] || exit 1
if [ -s "$crashed" ]; then
	step "tests of packages in which the race detector crashed"
	mapfile -t again <"$crashed"
	tests "${again[@]}" | go run ./internal/testreport
else
	exit "${codes[0]}"
fi
