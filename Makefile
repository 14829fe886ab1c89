# Everything a contributor or the CI runs. Go and make are enough; the other tools are pinned
# in .ci/tools/go.mod, and Go builds them when they are first used.

FUZZTIME ?= 10s
COVER_FLOOR ?= 95
COVER_FLOOR_PKGS ?= classify policy

# Every folder with a go.mod, the root first. Hidden folders are left out: .ci/tools has no code.
MODULES := $(shell find . -path './.?*' -prune -o -name go.mod -print | sed 's,/go.mod$$,,' | sort)

# Modules that hold ours against other people's programs, such as the collector: they take minutes to build once, so "make test"
# leaves them to "make check", which runs them without the race detector.
HEAVY := ./examples/tracing/conformance
TOOL := go tool -modfile='$(CURDIR)/.ci/tools/go.mod'

# Modules are built the way a user builds them, whatever workspace lies above the checkout.
export GOWORK := off

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help fmt fmt-check vet lint test test-heavy race fuzz bench cover tidy api api-check check

# $(call each,MODULES,COMMAND): the command in every module; fails at the end if one failed.
define each
failed=; for m in $(1); do \
	echo "== $$m: $(2)"; \
	(cd "$$m" && $(2)) || failed="$$failed $$m"; \
done; \
if [ -n "$$failed" ]; then echo "failed in:$$failed" >&2; exit 1; fi
endef

# Sets $race to -race, or says why it cannot: the race detector needs cgo and a C compiler with its headers.
define race-flag
race=-race; \
if [ "$$(go env CGO_ENABLED)" != 1 ] || ! printf '#include <stdlib.h>\nint main(void) { return 0; }\n' \
	| $$(go env CC) -x c -o /dev/null - >/dev/null 2>&1; then \
	race=; export CGO_ENABLED=0; \
	echo "No working C compiler, or CGO_ENABLED=0: testing WITHOUT the race detector." >&2; \
	echo "For the full test install gcc and the C headers (Debian: apt-get install gcc libc6-dev)." >&2; \
fi
endef

# Sets $root to the path of the root module and $pkgs to its packages that a user can import.
define public
root=$$(go list -m) && pkgs=$$(go list -f '{{if and .GoFiles (ne .Name "main")}}{{.ImportPath}}{{end}}' ./...) && \
pkgs=$$(echo "$$pkgs" | grep -Ev "^$$root/(examples|benchmarks)(/|\$$)|/internal(/|\$$)")
endef

# $(call write-api,DIR): one file for each public package.
define write-api
$(public) && for p in $$pkgs; do \
	go doc -all "$$p" >"$(1)/$$(echo "$${p#$$root/}" | tr / -).txt" || exit 1; \
done
endef

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

fmt: ## Format the code
	gofmt -s -w .

fmt-check:
	@files=$$(gofmt -s -l .) || exit 1; \
	[ -z "$$files" ] || { printf 'Not formatted, run "make fmt":\n%s\n' "$$files" >&2; exit 1; }

vet: ## Run go vet and staticcheck
	@$(call each,$(MODULES),go vet ./...)
	@$(call each,$(MODULES),$(TOOL) staticcheck ./...)

lint: ## Run golangci-lint with .golangci.yml
	@$(call each,$(MODULES),$(TOOL) golangci-lint run --config '$(CURDIR)/.golangci.yml' ./...)

test: ## Test every module but the heavy ones with the race detector
	@$(race-flag); $(call each,$(filter-out $(HEAVY),$(MODULES)),go test $$race ./...)

test-heavy: ## Test against a collector and a Prometheus; the first time takes minutes to build
	@$(call each,$(HEAVY),go test ./...)

race: ## Hunt for flaky tests: shuffled, uncached, COUNT=5 times over
	@$(race-flag); $(call each,$(MODULES),go test $$race -shuffle=on -count=$(or $(COUNT),5) ./...)

# go test fuzzes one target at a time, so the targets are listed first.
fuzz: ## Run every fuzz target for FUZZTIME=10s
	@failed=; for m in $(MODULES); do \
		list=$$(cd "$$m" && go test -list '^Fuzz' ./...) || { echo "$$list"; exit 1; }; \
		targets=$$(echo "$$list" | awk '/^Fuzz/ { names[n++] = $$1 } \
			/^ok/ { for (i = 0; i < n; i++) print $$2 ":" names[i]; n = 0 }'); \
		for t in $$targets; do \
			echo "== $$m: $${t##*:} in $${t%:*}"; \
			(cd "$$m" && go test -run '^$$' -fuzz "^$${t##*:}\$$" -fuzztime $(FUZZTIME) "$${t%:*}") || failed="$$failed $${t##*:}"; \
		done; \
	done; \
	if [ -n "$$failed" ]; then echo "failed:$$failed" >&2; exit 1; fi

# What is measured in turn with something else runs for longer, so that a percent shows.
BENCHES := ./benchmarks $(filter ./benchmarks/%,$(MODULES))
IN_TURN := Loopback|Overhead
FINE := Loopback/(call=(success|control)|goroutines)

ifdef BENCH
bench:
	@$(call each,$(BENCHES),go test -run '^$$' -bench '$(BENCH)' -benchmem -count=$(or $(COUNT),1) ./...)
else
bench: ## Measure, and write the tables into benchmarks/README.md; BENCH=pattern shows those benchmarks only
	@out=$$(mktemp) && trap 'rm -f "$$out"' EXIT && \
	for m in $(BENCHES); do \
		echo "== $$m: measuring"; \
		(cd "$$m" && go test -run '^$$' -bench . -skip '$(IN_TURN)' -benchtime 100ms -benchmem -count=$(or $(COUNT),6) . && \
			go test -run '^$$' -bench '$(IN_TURN)' -skip '$(FINE)' -benchtime 300ms -count=$(or $(COUNT),6) . && \
			go test -run '^$$' -bench '$(FINE)' -benchtime 2s -count=$(or $(COUNT),6) .) >>"$$out" || { cat "$$out"; exit 1; }; \
	done; \
	BENCHSTAT="$(TOOL) benchstat" COMMAND="make bench$(and $(COUNT), COUNT=$(COUNT))" benchmarks/report.sh "$$out" benchmarks/README.md
endif

# Also the one run without the race detector, under which allocations cannot be counted exactly.
cover: ## Test with coverage; classify and policy must reach COVER_FLOOR=95 %
	@$(public) || exit 1; \
	out=$$(go test -coverprofile=coverage.out $$pkgs); code=$$?; echo "$$out"; [ $$code = 0 ] || exit $$code; \
	echo "$$out" | awk -v root="$$root" -v want='$(COVER_FLOOR_PKGS)' -v floor='$(COVER_FLOOR)' ' \
		BEGIN { n = split(want, dirs, " ") } \
		match($$0, /coverage: [0-9.]+%/) { \
			got = substr($$0, RSTART + 10, RLENGTH - 11); \
			pkg = ($$1 == "ok") ? $$2 : $$1; \
			for (i = 1; i <= n; i++) \
				if (index(pkg "/", root "/" dirs[i] "/") == 1 && got + 0 < floor + 0) { \
					print pkg ": " got " % covered, below the floor of " floor " %"; \
					low = 1 \
				} \
		} \
		END { exit low }' >&2 || { echo "See what is not: go tool cover -html=coverage.out" >&2; exit 1; }

tidy: ## Check that every go.mod and go.sum is tidy
	@$(call each,$(MODULES) ./.ci/tools,go mod tidy -diff)

api: ## Write the public API to docs/api, to be committed
	@mkdir -p docs/api && rm -f docs/api/*.txt && $(call write-api,docs/api)

api-check: ## Check that docs/api is the public API
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && { $(call write-api,$$dir); } || exit 1; \
	diff -ruN docs/api "$$dir" || { \
		echo 'The public API is not what docs/api says. If that is meant: make api, and commit the result.' >&2; exit 1; }

check: fmt-check vet lint tidy api-check cover test test-heavy ## Run all checks and tests, as CI does
