# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both install what they need into .venv, from the pinned requirements/.

PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
HUB5 := .venv-hub5
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Much of the time is waiting for browsers and servers, so more files at once than two cores.
AT_ONCE := -n 3 --dist loadfile
PYTEST := $(BIN)/python -m pytest
JLPM := cd labextension && PATH="$(abspath $(BIN)):$$PATH" jlpm
LAB := labextension/dist/package.json

.DEFAULT_GOAL := help
.PHONY: help demo docs test test-all test-lab test-labs test-oldest test-hub5 test-long test-server release-check bench lint pictures diagrams compatibility requirements clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(LAB)  ## JupyterLab with an identity provider and a local AWS (ARGS="--no-browser --port 8890")
	@case " $(ARGS) " in *" --hub "*) VENV="$(VENV)" .ci/need-hub-proxy;; esac
	@exec $(BIN)/jupyter wb-aws demo $(ARGS)

docs: $(STAMP)  ## build the documentation's site, into docs/_build/html
	@$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

# The domain is what the promises rest on: 95 % of its branches, or the tests have failed.
DOMAIN := identity roles role_sessions aws
COVERAGE := $(foreach package,$(DOMAIN),--cov=jupyter_wb_aws/$(package)) --cov-branch \
    --cov-report=term:skip-covered --cov-fail-under=95

test: $(LAB) lint test-lab  ## every check, and every test with today's versions
	@.ci/need-chromium
	@VENV="$(VENV)" .ci/need-peers
	@VENV="$(VENV)" .ci/need-hub-proxy
	@VENV="$(VENV)" .ci/need-clients
	$(PYTEST) $(AT_ONCE) -m "not long" $(COVERAGE) $(ARGS)

test-all: test-oldest test-hub5 test-labs test-long test  ## and the oldest versions of Jupyter we support, and what takes long

test-long: $(LAB)
	@.ci/need-chromium
	@VENV="$(VENV)" .ci/need-peers
	@VENV="$(VENV)" .ci/need-hub-proxy
	@VENV="$(VENV)" .ci/need-code-server
	@VENV="$(VENV)" .ci/need-clients --all
	$(PYTEST) $(AT_ONCE) -m long $(ARGS)

test-lab: $(LAB)  ## the unit tests of the JupyterLab extension
	$(JLPM) test

test-oldest: $(OLDEST)/.installed
	$(OLDEST)/bin/python -m pytest $(AT_ONCE) tests/aws tests/cli tests/handlers tests/identity tests/injection tests/role_sessions tests/roles \
	    tests/test_app.py -m "not long" $(ARGS)

# A hub of the oldest JupyterHub, its users' servers and its services; the tests run in $(VENV), as its proxy does.
test-hub5: $(STAMP) $(HUB5)/.installed
	@VENV="$(VENV)" .ci/need-hub-proxy
	WB_AWS_TESTED_VENV=$(HUB5) $(PYTEST) $(AT_ONCE) -m hub5 tests/hub $(ARGS)

# What a user has: the wheel, and the oldest and the newest JupyterLab and Notebook, in venvs of their own.
test-labs: $(LAB)
	@.ci/need-chromium
	@VENV="$(VENV)" .ci/need-labs
	WB_AWS_TESTED_VENV=.venv-labs/oldest $(PYTEST) $(AT_ONCE) -m labs tests/browser $(ARGS)
	WB_AWS_TESTED_VENV=.venv-labs/newest $(PYTEST) $(AT_ONCE) -m labs tests/browser $(ARGS)

# What a Mac can run: no browser, no server of npm's or others'.
test-server: $(LAB)
	$(PYTEST) $(AT_ONCE) -m "not long" --ignore=tests/browser --ignore=tests/clients --ignore=tests/hub --ignore=tests/peers $(ARGS)

# Leaves the sdist and the wheel that it checked in dist/. PYTHONS: the wheel is installed for each.
PYTHONS ?= $(PYTHON)
release-check: $(STAMP)  ## build a release into dist/, check it, start a role with it (PYTHONS="python3.11 python3.14")
	rm -rf dist && mkdir dist
	WB_AWS_DIST="$(abspath dist)" WB_AWS_PYTHONS="$(PYTHONS)" $(PYTEST) tests/test_release.py $(ARGS)

$(OLDEST)/.installed: requirements/bootstrap.txt requirements/oldest.txt pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(OLDEST)" REQUIREMENTS=requirements/oldest.txt .ci/make-venv
	@touch $@

$(HUB5)/.installed: requirements/bootstrap.txt requirements/hub-5.txt pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(HUB5)" REQUIREMENTS=requirements/hub-5.txt .ci/make-venv
	@touch $@

bench: $(LAB)  ## measure the figures: benchmarks/, about ten minutes
	for figure in benchmarks/[a-z]*.py; do echo "== $$figure"; $(BIN)/python $$figure || exit; done

# The pictures of the README are what the browser tests saw.
pictures: $(LAB)  ## take the README's pictures again
	$(PYTEST) tests/browser
	for picture in docs/pictures/*.png; do cp screenshots/$$(basename $$picture) $$picture; done

diagrams:  ## draw the diagrams of docs/architecture.md again
	$(PYTHON) docs/diagrams/draw.py

# As root: the clients look for AWS by its own names, see tests/clients/amazon.py.
compatibility: $(STAMP)  ## make the table of AWS clients in docs/clients.md again
	@VENV="$(VENV)" .ci/need-clients --all
	WB_AWS_COMPATIBILITY=1 $(PYTEST) tests/clients

lint: $(LAB)  ## every linter
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(JLPM) lint

$(STAMP): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" .ci/make-venv
	@touch $@

labextension/node_modules/.yarn-state.yml: labextension/package.json labextension/yarn.lock $(STAMP)
	@echo "Installing what the JupyterLab extension is built with (once; about a minute) ..." >&2
	@$(JLPM) install --immutable >$(abspath $(VENV))/jlpm.log 2>&1 || { cat $(abspath $(VENV))/jlpm.log >&2; exit 1; }
	@touch $@

# Linked, so that the next page load has what was built last.
$(LAB): labextension/node_modules/.yarn-state.yml jupyter_wb_aws/handlers/openapi.yaml jupyter_wb_aws/__init__.py \
    $(shell find labextension/src labextension/style labextension/schema -type f -not -name contract.ts -not -name version.ts) \
    labextension/tsconfig.json labextension/version.mjs
	@$(JLPM) build >$(abspath $(VENV))/jlpm.log 2>&1 || { cat $(abspath $(VENV))/jlpm.log >&2; exit 1; }
	@mkdir -p $(VENV)/share/jupyter/labextensions
	@rm -rf $(VENV)/share/jupyter/labextensions/jupyterlab-wb-aws
	@ln -s $(abspath labextension/dist) $(VENV)/share/jupyter/labextensions/jupyterlab-wb-aws

requirements:  ## compile the pinned requirements again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    requirements/clients.in -o requirements/clients.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    requirements/clients-few.in -o requirements/clients-few.txt
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    - -o requirements/bootstrap.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    requirements/oldest.in -o requirements/oldest.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra hub pyproject.toml requirements/hub-5.in -o requirements/hub-5.txt
	for lab in oldest newest; do $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	    --no-header --extra demo pyproject.toml requirements/lab-$$lab.in -o requirements/lab-$$lab.txt || exit; done

clean:  ## remove what the other targets made
	rm -rf $(VENV) $(OLDEST) $(HUB5) .venv-clients .venv-labs .demo .code-server build dist docs/_build .coverage \
	    tests/peers/oidc_provider/node_modules tests/hub/proxy/node_modules tests/clients/programs/node_modules \
	    labextension/node_modules labextension/lib labextension/dist labextension/src/contract.ts labextension/src/version.ts
