# The one entry point. `make help` lists what there is.

CARGO    ?= cargo
PREFIX   ?= /usr/local
DESTDIR  ?=
# How long each fuzz target runs.
SECONDS  ?= 60
# What the troubles of the fault soak are drawn from; any if left out.
SEED     ?=
BINARIES := dom0-middleware domu-agent token-tool soft-card
# What an administrator installs; the soft card is for tests and the demo.
SHIPPED  := dom0-middleware domu-agent token-tool
# Those of them that systemd runs.
SERVICES := dom0-middleware domu-agent

.PHONY: help demo test check fuzz fuzz-all bench soak lab lab-shell doc deps install

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Install the Debian packages that are missing; check the Rust toolchain
	@scripts/deps test

.PHONY: build-deps
build-deps:
	@scripts/deps

demo: build-deps release ## A TLS session in a guest, made by a (software) card, with every step told
	$(CARGO) run --locked --release --quiet -p integration --example demo

test: deps ## Run all tests
	$(CARGO) build --locked --workspace --bins
	@scripts/test

check: build-deps ## Format, lints, documentation, licenses, example configurations
	@scripts/check

fuzz: fuzz-deps ## Fuzz one target: make fuzz TARGET=messages SECONDS=60
	@scripts/fuzz "$(TARGET)" $(SECONDS)

fuzz-all: fuzz-deps ## Fuzz every target for a minute
	@scripts/fuzz all $(SECONDS)

.PHONY: fuzz-deps
fuzz-deps:
	@scripts/deps fuzz

bench: bench-deps release ## Measure; prints a table, writes docs/benchmarks.md, its plots and target/bench.json
	$(CARGO) build --locked --release -p dom0-middleware --examples
	$(CARGO) run --locked --release --quiet -p integration --example bench

.PHONY: bench-deps
bench-deps:
	@scripts/deps bench

soak: deps release ## Ten minutes at load: does a program grow? Then an hour's sessions with all going wrong: SEED=7
	$(CARGO) run --locked --release --quiet -p integration --example soak -- 10
	$(CARGO) run --locked --release --quiet -p integration --example fault_soak -- $(SEED)

lab: lab-deps release ## Run the scenarios on a real Xen in QEMU (root): make lab SCENARIOS="first-light unbound"
	$(CARGO) build --locked --release -p xen-channel --example vchan_bench
	$(if $(SCENARIOS),,$(CARGO) test --locked --release -p integration --test kernel_tls --no-run)
	@integration/xen-lab/lab run $(SCENARIOS)

lab-shell: lab-deps release ## A prompt in dom0 of that Xen, with everything running
	@integration/xen-lab/lab shell

.PHONY: lab-deps
lab-deps:
	@scripts/deps lab

doc: build-deps ## Build the documentation of all crates
	$(CARGO) doc --locked --workspace --no-deps --document-private-items

install: build-deps release ## Install the release binaries and their systemd units below DESTDIR/PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/systemd/system
	install -m 0755 $(SHIPPED:%=target/release/%) $(DESTDIR)$(PREFIX)/bin
	for unit in $(SERVICES:%=%.service); do \
	    sed 's,@bindir@,$(PREFIX)/bin,' packaging/$$unit.in >$(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit; \
	done

# One package per call, so that no crate gets a TLS provider that only another one wants.
.PHONY: release
release:
	for package in $(BINARIES); do $(CARGO) build --locked --release -p $$package || exit 1; done
