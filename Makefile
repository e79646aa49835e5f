# Everything runs inside .venv, which each target sets up as far as it needs.
# Needs: Python 3.11 (PYTHON=/path/to/python3.11 to choose one), g++ with C++20, a Python package index.

PYTHON ?= $(shell for p in python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
VENV ?= .venv
PIP_FLAGS ?=
PYTEST_FLAGS ?= -n 2 --dist worksteal --durations=10
TESTS ?= tests
BENCHMARKS ?= $(sort $(basename $(notdir $(wildcard benchmarks/*.py))))
RESULTS ?= build/bench
EXTRAS ?= server,audit,outlines
FLAGS_law ?= --json $(RESULTS)/law.json
FLAGS_gpu ?= --json $(RESULTS)/gpu.json
FLAGS_batch ?= --out $(RESULTS)
FLAGS_masks ?= --out $(RESULTS)
FLAGS_sweeps ?= --out $(RESULTS)
FLAGS_faithful ?= --out $(RESULTS)
FLAGS_speculation ?= --out $(RESULTS)
SECONDS ?= 600
# Fuzz harnesses, all by default; rooms whose tests run the native core.
HARNESSES ?=
SANITIZED_TESTS ?= $(addprefix tests/,automaton matching fuzz grammar conformance decoding validity vocabulary)

PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install -q -c constraints.txt $(PIP_FLAGS)
STAMPS := $(VENV)/.stamps
NATIVE := $(wildcard gramspec/native/*.cpp gramspec/native/*.hpp gramspec/native/*.h)
INSTALL := $(PIP) --no-build-isolation

# A build of the native core in a folder of its own, and the variables by which Python finds that one.
other_build = PATH="$(abspath $(VENV))/bin:$$PATH" && cmake -S . -B $(1) -G Ninja $(2) -DCMAKE_BUILD_TYPE=Release \
	-DPython_EXECUTABLE="$(abspath $(PY))" >/dev/null && cmake --build $(1)
# Leaks are not looked for, as Python keeps what it has until it ends; `native_loop` asks the core alone. The C++
# library is loaded first too, as the sanitizer looks for its throw when it starts.
sanitized = GRAMSPEC_NATIVE_BUILD="$(abspath $(1))" PYTHONPATH="$(CURDIR)/tests/fuzz/sanitized:$(CURDIR)" \
	ASAN_OPTIONS=detect_leaks=0:halt_on_error=1:log_path="$(abspath $(1))/report" \
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:log_path="$(abspath $(1))/report" \
	LD_PRELOAD="$(foreach name,libasan.so libstdc++.so.6,$(shell g++ -print-file-name=$(name)))"

export TOKENIZERS_PARALLELISM ?= false
# One thread per test process: two of them share the cores.
test asan fuzz: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help env demo test docs fuzz asan ratchet lint lint-ruff lint-format lint-types lint-rooms lint-native fmt bench train build stubs clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMPS)/env-$(EXTRAS) ## set up .venv for the starts of docs/start.md (EXTRAS=server,audit,outlines)

demo: $(STAMPS)/env-demo $(STAMPS)/native ## run examples/demo.py
	$(PY) examples/demo.py

test: $(STAMPS)/env-test $(STAMPS)/native ## run the tests (TESTS=tests/grammar for one room)
	$(PY) -m pytest $(PYTEST_FLAGS) $(TESTS)

fuzz: $(STAMPS)/env-fuzz $(STAMPS)/native ## fuzz harnesses, random schemas, patterns and grammars against others (SECONDS=600 each)
	$(call other_build,build/fuzz/native,-DGRAMSPEC_COVERAGE=ON -DGRAMSPEC_SANITIZE=address)
	$(call sanitized,build/fuzz/native) $(PY) -m tests.fuzz.drive --seconds $(SECONDS) $(HARNESSES)
	$(PY) -m tests.conformance.fuzz --seconds $(SECONDS)
	$(PY) tests/grammar/regex_fuzz.py --seconds $(SECONDS)
	$(PY) -m tests.automaton.cfg_fuzz --seconds $(SECONDS)

asan: $(STAMPS)/env-fuzz $(STAMPS)/native ## tests of the native core under AddressSanitizer and UBSan, and a search for leaks
	$(call other_build,build/asan,-DGRAMSPEC_SANITIZE=address) --target all native_loop
	build/asan/native_loop
	$(call sanitized,build/asan) $(PY) -m pytest $(PYTEST_FLAGS) $(SANITIZED_TESTS)

# The environment of developers holds that of the documentation.
docs: $(if $(wildcard $(STAMPS)/env-dev),$(STAMPS)/env-dev,$(STAMPS)/env-docs) ## the documentation site in build/site; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

ratchet: $(STAMPS)/env-test $(STAMPS)/native ## judge the recorded schemas, raise tests/conformance/*.json
	$(PY) -m tests.conformance.update

lint: lint-ruff lint-format lint-types lint-rooms lint-native ## all checks of style and types (make -k lint: do not stop at the first)

lint-ruff: $(STAMPS)/env-dev
	$(PY) -m ruff check .

lint-format: $(STAMPS)/env-dev
	$(PY) -m ruff format --check .

lint-types: $(STAMPS)/env-dev $(STAMPS)/native
	$(PY) -m mypy

lint-rooms: $(STAMPS)/env-dev
	$(VENV)/bin/lint-imports

lint-native: $(STAMPS)/env-dev
	$(if $(NATIVE),$(VENV)/bin/clang-format --dry-run -Werror $(NATIVE))

fmt: $(STAMPS)/env-dev ## format Python and C++ in place
	$(PY) -m ruff check --fix-only .
	$(PY) -m ruff format .
	$(if $(NATIVE),$(VENV)/bin/clang-format -i $(NATIVE))

bench: $(STAMPS)/env-bench $(STAMPS)/native ## run benchmarks/ (BENCHMARKS=masks for one, RESULTS=folder)
	@mkdir -p $(RESULTS)
	@$(foreach name,$(BENCHMARKS),echo "== $(name)" && $(PY) -m benchmarks.$(name) $(FLAGS_$(name)) &&) true

train: $(STAMPS)/env-train $(STAMPS)/native ## train the embedded pair of models again
	$(PY) training/train_embedded.py

build: $(STAMPS)/tools ## compile the extension and install the package, without optional dependencies
	$(INSTALL) -e .
	@touch $(STAMPS)/native

stubs: $(STAMPS)/env-dev $(STAMPS)/native ## write the type stub of the extension
	$(PY) -m nanobind.stubgen -m gramspec._native -o gramspec/_native.pyi

clean: ## remove build products and caches, keep .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis $(STAMPS)/native
	find gramspec tests benchmarks examples training -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean ## remove .venv too
	rm -rf $(VENV)

# A virtual environment made by hand is used as it is.
$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 not found: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

# PyTorch by itself and first, so that the pinned build is the one that every later call finds.
$(STAMPS)/torch: $(STAMPS)/venv constraints.txt
	$(PIP) torch==$$(sed -n 's/^torch==//p' constraints.txt)
	@touch $@

$(STAMPS)/tools: $(STAMPS)/venv constraints.txt
	$(PIP) scikit-build-core nanobind cmake ninja
	@touch $@

$(STAMPS)/env-%: $(STAMPS)/tools $(STAMPS)/torch pyproject.toml
	$(INSTALL) -e ".[$*]"
	@touch $@ $(STAMPS)/native

$(STAMPS)/native: $(NATIVE) CMakeLists.txt pyproject.toml
	$(INSTALL) --no-deps -e .
	@touch $@

.PRECIOUS: $(STAMPS)/env-%
