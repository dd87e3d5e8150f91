# make check   formatting, vet, staticcheck, and the arrows between packages
# make test    all tests under the race detector, with a real Redis, stopped at failpoints;
#              then the bounds in time without it
# make soak    the long random run with faults, for SOAK, from SEED (0: another one each time)
# make fuzz    each fuzz target for FUZZTIME
# make bench   the benchmarks that match BENCH
# make comparison   those beside other libraries, into docs/comparison.md

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
SOAK ?= 10m
SEED ?= 0
FUZZTIME ?= 10s
BENCH ?= .

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := check
.PHONY: check test soak fuzz bench comparison go tools

check: go
	@unformatted=$$(gofmt -l .)
	if [ -n "$$unformatted" ]; then
		printf 'gofmt would change:\n%s\n' "$$unformatted" >&2
		exit 1
	fi
	set -x
	go vet ./...
	go vet -tags failpoint ./...
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags failpoint ./...
	(cd bench && go run $(STATICCHECK) ./...)
	go test ./internal/arrows

test: go tools
	@set -x
	go test -race -tags failpoint -timeout 9m ./...
	# The bounds in time are those of a build without the race detector.
	go test -count 1 -v -run '^TestD(01|55|62)_' ./internal/faults
	# Alone: a busy machine hides what comes late.
	go test -race -count 1 -v -timeout 5m -run '^TestSoak$$' ./internal/soak -soak.for 1m
	if [ -f bench/go.mod ]; then
		cd bench
		go vet ./...
		go test ./...
	fi

soak: go tools
	@set -x
	go test -race -count 1 -v -timeout 0 -run '^TestSoak$$' ./internal/soak -soak.for $(SOAK) -soak.seed $(SEED)

fuzz: go
	@grep -rHo --include='*_test.go' --exclude-dir=bench '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file func; do
		(set -x; go test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$${file%/*}" </dev/null)
	done

bench: go tools
	@set -x
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	if [ -f bench/go.mod ]; then
		cd bench
		go test -run '^$$' -bench '$(BENCH)' -benchmem ./...
	fi

comparison: go tools
	@set -x
	cd bench
	trap 'rm -f results.new' EXIT
	rm -f results.new
	BENCH_RESULTS="$$PWD/results.new" go test -run '^$$' -bench '^Benchmark(SessionRatios|Saves|Memory|Logout|Revalidate)$$' -timeout 20m .
	mv results.new results.json
	go run ./comparison results.json ../docs/comparison.md ../docs/logout.md

# go fails early where there is no Go that go.mod is content with.
go:
	@if ! command -v go >/dev/null || ! go list -m >/dev/null; then
		echo "make: need Go $$(sed -n 's/^go //p' go.mod) or newer on the PATH" >&2
		exit 1
	fi

# tools installs what the tests need and is not there: Redis, and for the race
# detector a C compiler.
tools:
	@redis() { redis-server --version 2>/dev/null | grep -Eq 'v=([7-9]|[1-9][0-9]+)\.'; }
	compiler() { echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; }
	missing=()
	redis || missing+=(redis-server)
	compiler || missing+=(gcc libc6-dev)
	if [ $${#missing[@]} -eq 0 ]; then
		exit 0
	fi
	root=()
	if [ "$$(id -u)" -ne 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "make: need $${missing[*]}, and neither root nor sudo to install them" >&2
			exit 1
		fi
		root=(sudo)
	fi
	if ! command -v apt-get >/dev/null; then
		echo "make: need $${missing[*]}, and no apt-get to install them" >&2
		exit 1
	fi
	"$${root[@]}" apt-get update -qq </dev/null
	"$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" </dev/null
	if ! redis; then
		echo "make: need redis-server 7 or newer on the PATH, and apt-get has only: $$(redis-server --version 2>&1)" >&2
		exit 1
	fi
	if ! compiler; then
		echo "make: need a C compiler for the race detector, and gcc does not work" >&2
		exit 1
	fi
