# Everything a checkout can do; `make help` lists it. Steps that are already done cost nothing the second time.
# BCC's Python half belongs to the distribution's own interpreter, so that one makes the environment too.
PYTHON ?= /usr/bin/python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check install
DEMO   := demo.ebt
WEB    := $(shell find report/web -type f -not -path "report/web/built/*" -not -name "*.pyc")

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev demo test test-unit test-kernel test-browser lint bench clean packages packages-dev

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 14

setup: $(VENV)/.ready  ## install what running needs: system packages and .venv with .venv/bin/ebtrace

setup-dev: $(VENV)/.ready-dev  ## the same and what testing needs

demo: setup  ## trace a real pipeline of programs and show what it did
	@rm -f $(DEMO)
	$(BIN)/ebtrace run -o $(DEMO) -- sh -c 'find /usr/lib/python3 -name "*.py" | xargs grep -l import | wc -l'
	$(BIN)/ebtrace stats $(DEMO)

test:  ## set up, then lint, unit tests, kernel tests and browser tests
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory test-unit
	@$(MAKE) --no-print-directory test-kernel
	@$(MAKE) --no-print-directory test-browser

test-unit: setup-dev  ## the tests that run anywhere, without root
	$(BIN)/python -m pytest tests/unit

# With root rights at hand a kernel test that cannot run is a failure, unless EBTRACE_REQUIRE_KERNEL=0 says
# otherwise; without them it is skipped and says why. Under sudo nothing owned by root is left in the checkout.
test-kernel: setup-dev  ## the tests that load BPF programs: as root, else through sudo
	@if [ "$$(id -u)" -eq 0 ]; then \
	    set -x; EBTRACE_REQUIRE_KERNEL="$${EBTRACE_REQUIRE_KERNEL:-1}" $(BIN)/python -m pytest tests/kernel; \
	elif sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then \
	    set -x; sudo EBTRACE_REQUIRE_KERNEL="$${EBTRACE_REQUIRE_KERNEL:-1}" PYTHONDONTWRITEBYTECODE=1 \
	        $(BIN)/python -m pytest -p no:cacheprovider tests/kernel; \
	else \
	    set -x; $(BIN)/python -m pytest tests/kernel; \
	fi

# Not every distribution has Chromium as a package: without it these are skipped, unless EBTRACE_REQUIRE_BROWSER=1 is set.
test-browser: setup-dev  ## the tests that open reports in a headless Chromium
	@PYTHON=$(PYTHON) .ci/packages browser || [ "$${EBTRACE_REQUIRE_BROWSER:-0}" != 1 ]
	$(BIN)/python -m pytest tests/browser

lint: setup-dev  ## ruff, strict mypy, strict tsc, and a syntax check of the shell scripts
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m report.web.bundle check
	@for script in .ci/run .ci/packages vagrant/provision.sh; do bash -n "$$script" || exit 1; done

bench: setup-dev  ## measure the budgets here: added time per call, events per second, start-up, memory
	$(BIN)/ebtrace bench

clean:  ## remove what make, the tests and the demo have made
	rm -rf $(VENV) build dist report/web/built ebtrace.egg-info $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find bpf report tests tracer -name __pycache__ -prune -exec rm -rf {} +

packages:
	@PYTHON=$(PYTHON) .ci/packages run

packages-dev:
	@PYTHON=$(PYTHON) .ci/packages run test

# A stamp is touched last, so that an interrupted step is done again. Checking the system packages is quick and
# done every time (hence order-only): they may have been removed since.
$(BIN)/pip: | packages
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) --upgrade 'pip>=25.3'  # the script that an older one makes loads Python's regular expressions first of all, for 8 ms
	$(BIN)/python -m pip --quiet uninstall --yes setuptools  # Python 3.11 puts it there, and its stand-in for distutils into each start, for 1 ms

$(VENV)/.ready: pyproject.toml $(WEB) $(BIN)/pip | packages
	$(PIP) --editable .
	@$(BIN)/python -m compileall -q tracer report
	@touch $@

$(VENV)/.ready-dev: pyproject.toml $(WEB) $(BIN)/pip | packages-dev
	$(PIP) --editable '.[dev]'
	@$(BIN)/python -m compileall -q tracer report
	@touch $@ $(VENV)/.ready
