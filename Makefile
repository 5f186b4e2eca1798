# make run and make test do all their own set-up; see README.md. What is tested beside
# each other mostly waits: more of it than there are processors. lint does the vetting.

GO       ?= go
PKGS      = ./...
UNIT      = $$($(GO) list $(PKGS) | grep -v /e2e)
NOT_HERE  = '^Test(Measure|Soak)'
# One set of flags and no cgo but for the race detector: all share what they compiled.
export GOFLAGS     += -trimpath
export CGO_ENABLED  = 0
FUZZTIME ?= 20s

.PHONY: run build panel dev generate test unit e2e panel-test measure lint rooms format cross bench soak fuzz setup clean

## run: the studio with four demo cameras on the built-in mixer
run: build
	bin/obvan -demo

## build: the panel and one static binary, bin/obvan
build: panel
	$(GO) build -ldflags "-s -w -X main.version=$$(git describe --tags --always --dirty 2>/dev/null || echo dev) \
		-X main.commit=$$(git describe --always --exclude '*' --dirty=+dirty 2>/dev/null)" -o bin/obvan ./cmd/obvan

## panel: the web panel into web/dist, when its sources changed
panel: web/dist/index.html
web/dist/index.html: web/node_modules/.installed $(shell find web/src web/*.html web/*.ts web/public -type f 2>/dev/null)
	cd web && npm run --silent build
web/node_modules/.installed: web/package.json web/package-lock.json
	cd web && npm ci --silent --no-audit --no-fund
	@touch $@

## dev: the panel with hot reload on :5173, against a server on :8080
dev: web/node_modules/.installed
	cd web && npm run dev

## generate: the TypeScript types and docs/protocol.md from the Go tables
generate:
	$(GO) run ./control/tsgen

## test: everything that is right or wrong; installs what is missing
test: setup build lint rooms cross unit panel-test e2e
setup:
	scripts/setup
unit:
	CGO_ENABLED=1 $(GO) test -race -vet=off -skip $(NOT_HERE) -timeout 12m -parallel $$(($$(nproc) * 4)) $(UNIT)
panel-test: web/node_modules/.installed
	cd web && npm run --silent check && npm test --silent
# -count=1: the test cache does not know which server the tests start.
e2e: setup build
	CGO_ENABLED=1 OBVAN_E2E=1 $(GO) test -race -vet=off -count=1 -v -skip $(NOT_HERE) -timeout 35m -parallel 100 ./e2e/...

## measure: figures that a busy machine changes, beside their goals; run it on a quiet one
measure: setup build
	GO="$(GO)" scripts/measure

## lint: gofmt, prettier, go vet, staticcheck
lint: web/node_modules/.installed
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo "run gofmt -w on these"; exit 1; }
	@cd web && npm run --silent lint || { echo "run make format"; exit 1; }
	$(GO) vet $(PKGS)
	$(GO) tool -modfile=internal/tools/go.mod staticcheck $(PKGS)

## format: gofmt and prettier, in place
format: web/node_modules/.installed
	gofmt -w $$(git ls-files '*.go')
	cd web && npm run --silent format

## rooms: the rooms, what each imports, and that no import points up
rooms:
	@$(GO) run ./internal/layers/rooms

## cross: it compiles where operators run OBS
cross:
	GOOS=windows GOARCH=amd64 $(GO) build -o /dev/null ./cmd/obvan
	GOOS=darwin GOARCH=arm64 $(GO) build -o /dev/null ./cmd/obvan

## bench: the hot paths, with allocations, beside bare loops
bench:
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m ./hub ./media/... ./relay/... ./monitor/...

## soak: thirty minutes of a show with faults
soak: setup build
	OBVAN_E2E=1 OBVAN_SOAK=$${SOAK:-30m} $(GO) test -run TestSoak -v -timeout 60m ./e2e/...

## fuzz: each fuzz target for $(FUZZTIME), one after the other
fuzz:
	@GO="$(GO)" scripts/fuzz $(FUZZTIME) $(UNIT)

clean:
	rm -rf bin web/node_modules
	find web/dist -mindepth 1 ! -name .gitkeep -delete
