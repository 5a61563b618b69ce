# The only task runner: CI and hooks call nothing else. `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PARALLEL ?= --numprocesses 4 --dist loadfile
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(PYTHON_FUZZ) $(RUST_FUZZ)
PYTHON_FUZZ := answers classify forms har mitm record redact rows toml
RUST_FUZZ := cards members normalize parse peek sanitize scan warm
RUST_SOURCES := $(shell find rust/src -name '*.rs')

.PHONY: help setup run test test-rust test-python test-quick lint audit format bench bench-smoke soak fuzz miri asan instructions docs image lock wheel clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(VENV)/.built ## build everything into .venv

run: setup ## set up and run the main job; make run ARGS="--for 30s"
	@exec $(BIN)/m26 run $(ARGS)

test: test-rust test-python ## set up and run all tests but the soaks

test-rust: $(VENV)/.tools
	cargo test --locked

test-python: setup
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

test-quick: test-rust setup ## within a minute: what needs no server, and the Rust tests
	$(BIN)/python -m pytest tests/unit tests/property tests/native $(PARALLEL) $(ARGS)

lint: setup ## every check that runs nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/mypy --config-file= --strict --cache-dir=.mypy_cache/public tests/typing/public_api.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m mypy.stubtest m26._native --allowlist tests/typing/stubtest.txt --ignore-unused-allowlist
	cargo fmt --check
	cargo clippy --locked --all-targets --features python -- -D warnings
	$(BIN)/squawk --config .squawk.toml python/m26/store/migrations/*.sql
	$(BIN)/hadolint Dockerfile
	$(BIN)/typos
	$(BIN)/python -m tests.prose
	$(BIN)/python -m tests.audit --offline
	$(BIN)/zizmor --quiet --offline --pedantic --collect=all --strict-collection .github .pre-commit-config.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[0-9]*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml

# What cannot be installed or reached is told, and is no finding.
audit: setup ## licences, bans, sources and known flaws of what m26 is built of
	@cargo deny --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-deny@0.20.2 || true
	@[ -x $(VENV)/audit/bin/pip-audit ] || { "$(PYTHON)" -m venv $(VENV)/audit && \
	  $(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1; } || true
	@$(BIN)/python -m tests.audit

format: setup ## rewrite sources in the house style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	cargo fmt

bench: setup ## all benchmarks; writes docs/BENCHMARKS.md
	$(BIN)/python -m benches
	cargo bench --locked --quiet --bench core

bench-smoke: setup ## each benchmark once, and the ratio gates
	$(BIN)/python -m benches --smoke

soak: setup ## long fault and soak runs (two hours or so)
	$(BIN)/python -m pytest -m soak $(ARGS)

instructions: $(VENV)/.tools ## gate on instruction counts of the core; ACCEPT=1 takes new ones
	@cargo bench --locked --quiet --bench instructions -- $(if $(ACCEPT),--accept)

fuzz: $(if $(filter $(PYTHON_FUZZ),$(FUZZ_TARGETS)),setup) $(if $(filter $(RUST_FUZZ),$(FUZZ_TARGETS)),$(VENV)/.nightly) ## FUZZ_TARGETS, each for FUZZ_SECONDS
	@unknown="$(filter-out $(PYTHON_FUZZ) $(RUST_FUZZ),$(FUZZ_TARGETS))"; \
	  [ -z "$$unknown" ] || { \
	  echo "no such target: $$unknown; there are: $(PYTHON_FUZZ) $(RUST_FUZZ)" >&2; exit 1; }
	@for target in $(filter $(PYTHON_FUZZ),$(FUZZ_TARGETS)); do \
	  $(BIN)/python -m tests.fuzz $$target --seconds $(FUZZ_SECONDS); \
	done
	@rust="$(filter $(RUST_FUZZ),$(FUZZ_TARGETS))"; [ -n "$$rust" ] || exit 0; \
	cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz; \
	cargo +nightly run --quiet --manifest-path rust/fuzz/Cargo.toml --example seeds rust/fuzz/corpus; \
	for target in $$rust; do \
	  echo "== $$target"; \
	  cargo +nightly fuzz run --fuzz-dir rust/fuzz $$target -- -dict=rust/fuzz/json.dict \
	    -max_len=16384 -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024; \
	done

# Miri is some thousand times slower: the tests of unsafe code, and some that read and encode a batch.
miri: $(VENV)/.nightly ## Rust tests under Miri, which finds undefined behaviour
	@rustup component add --toolchain nightly miri rust-src
	cargo +nightly miri test --locked --lib json::scan::
	cargo +nightly miri test --locked --test copy --test delta --test sanitize

asan: $(VENV)/.nightly ## the Rust suite with AddressSanitizer
	RUSTFLAGS=-Zsanitizer=address cargo +nightly test --locked --tests \
	  --target $$(rustc -vV | sed -n 's/^host: //p') --target-dir target/asan

docs: setup ## check that the documentation's commands and claims hold
	$(BIN)/python -m pytest tests/docs
	cargo doc --locked --no-deps

image: ## build the container image (needs a Docker engine)
	docker build --tag m26:latest .

lock: setup ## resolve dependencies anew into requirements/ and Cargo.lock
	$(BIN)/python -m pip install --quiet uv
	for part in "runtime" "dev --extra dev --extra bench"; do \
	  set -- $$part; name=$$1; shift; \
	  $(BIN)/uv pip compile pyproject.toml "$$@" --universal --generate-hashes --upgrade --quiet \
	    --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	    --output-file requirements/$$name.txt; \
	done
	cargo update

wheel: setup ## build a wheel into dist/, for machines without a Rust toolchain
	rm -f dist/m26-*.whl
	$(BIN)/maturin build --release --locked --out dist

clean: ## remove what was built
	rm -rf $(VENV) target dist python/m26/*.so

# The tools that a bare machine must have, and how to get them.
$(VENV)/.tools:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "$(PYTHON) is missing. Install Python 3.11 or newer (Debian: apt install python3 python3-venv)," >&2; \
	  echo "or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$$("$(PYTHON)" --version) is too old. m26 needs Python 3.11 or newer; name one: make PYTHON=python3.11" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module (Debian: apt install python3-venv)" >&2; exit 1; }
	@command -v cargo >/dev/null || { \
	  echo "cargo is missing. Install Rust 1.90 or newer with rustup (https://rustup.rs), then run this again." >&2; \
	  exit 1; }
	@[[ ! $$PWD =~ " " || ! $$PWD =~ [\"\$$\`\\] ]] || { \
	  echo "this folder's name has a space and one of \" \$$ \` \\ in it, with which pip's scripts do not start:" \
	    "rename it, then run this again" >&2; exit 1; }
	@mkdir -p $(VENV) && touch $@

# What fuzzers, Miri and sanitizers need beside that.
$(VENV)/.nightly: $(VENV)/.tools
	@command -v rustup >/dev/null || { \
	  echo "rustup is missing: this target needs a nightly toolchain, which rustup installs (https://rustup.rs)." >&2; \
	  exit 1; }
	@rustup toolchain list | grep -q ^nightly || rustup toolchain install --profile minimal nightly
	@touch $@

$(VENV)/.installed: requirements/dev.txt | $(VENV)/.tools
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.built: $(VENV)/.installed Cargo.toml Cargo.lock rust/Cargo.toml pyproject.toml $(RUST_SOURCES)
	@echo "building the Rust extension (log: $(VENV)/build.log)"
	@VIRTUAL_ENV="$$PWD/$(VENV)" $(BIN)/maturin develop --release --locked \
	  >$(VENV)/build.log 2>&1 || { cat $(VENV)/build.log >&2; exit 1; }
	@touch $@
