# Hearthline: one place for every command. `make` alone lists them.
# Needs make and Python 3.11 or newer with venv, nothing else; GNU make 3.81 (macOS) is enough.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=

.PHONY: help run test check format system-deps bench soak fuzz venv clean

help: ## list the targets
	@echo "Hearthline"
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { sub("%", "NAME", $$1); printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo "  ARGS='...' is handed on to pytest, to a benchmark and to 'hearthline run --demo'."

run: $(VENV)/.installed-run ## set up, then run the engine with the demo (Ctrl-C ends it)
	@exec $(BIN)/hearthline run --demo $(ARGS)

test: $(VENV)/.installed-dev ## set up, then run every test
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-dev ## format, lint, strict types and import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev ## rewrite the sources in the house format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

system-deps: ## bring Asterisk 22, SIPp, PulseAudio, PortAudio, promtool (Debian, root)
	@.ci/system-deps

bench: $(VENV)/.installed-dev ## run every benchmark
	@found=; for file in tests/bench/*.py; do \
	    name=`basename "$$file" .py`; \
	    case "$$name" in soak*) continue;; esac; \
	    grep -q '^def main(' "$$file" 2>/dev/null || continue; \
	    found=yes; echo "== $$name"; $(BIN)/python -m tests.bench.$$name $(ARGS) || exit 1; \
	done; [ -n "$$found" ] || { echo "make: no benchmark in tests/bench" >&2; exit 1; }

bench-%: $(VENV)/.installed-dev ## run the benchmark tests/bench/NAME.py
	@[ -f tests/bench/$*.py ] || { echo "make: no benchmark tests/bench/$*.py" >&2; exit 1; }
	@$(BIN)/python -m tests.bench.$* $(ARGS)

soak: $(VENV)/.installed-dev ## run the long tests: a day in virtual time, half an hour of real calls
	@$(BIN)/python -m tests.bench.soak
	@$(BIN)/python -m tests.bench.soak_media $(ARGS)

fuzz: $(VENV)/.installed-dev ## feed mutated input, every tests/torture/fuzz_*.py
	@found=; for file in tests/torture/fuzz_*.py; do \
	    [ -f "$$file" ] || continue; \
	    found=yes; name=`basename "$$file" .py`; \
	    echo "== $$name"; $(BIN)/python -m tests.torture.$$name $(ARGS) || exit 1; \
	done; [ -n "$$found" ] || { echo "make: no fuzzer in tests/torture" >&2; exit 1; }

venv: $(VENV)/.installed-dev ## make the virtual environment with everything for work on the code

clean: ## remove the virtual environment and what tools leave behind (not var/)
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that a first `make run` does not wait for the developers' tools.
$(VENV)/.installed-run: pyproject.toml $(BIN)/python
	@echo "Installing Hearthline into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[softphone]'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(BIN)/python
	@echo "Installing Hearthline and the developers' tools into $(VENV) (about a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[softphone,dev]'
	@touch $(VENV)/.installed-run $@

# The interpreter is a link to the system's, older than any of our files: only its absence matters, so no prerequisites.
$(BIN)/python:
	@set -e; python=; \
	for candidate in $(PYTHON) python3.12 python3.11 python3 python3.13 python3.14; do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        python=$$candidate; break; \
	    fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "Hearthline needs Python 3.11 or newer, found `python3 --version 2>/dev/null || echo none`: apt-get install python3 python3-venv (Debian 12) or brew install python@3.12" >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	    echo "$$python comes without venv here: apt-get install python3-venv" >&2; \
	    exit 1; \
	fi; \
	echo "Making the virtual environment $(VENV) with `$$python --version`"; \
	"$$python" -m venv $(VENV)
