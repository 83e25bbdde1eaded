# Two commands do everything on a fresh machine: `make demo` and `make test`.
# Both install what they need into .venv, from the pinned requirements/.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-all bench lint requirements clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(STAMP)  ## JupyterLab with an identity provider and a local AWS (ARGS="--no-browser --port 8890")
	@exec $(BIN)/jupyter wb-aws demo $(ARGS)

test: $(STAMP) lint  ## every check and test that needs no old versions
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered $(ARGS)

bench: $(STAMP)  ## measure the figures: benchmarks/, about six minutes
	for figure in benchmarks/[a-z]*.py; do echo "== $$figure"; $(BIN)/python $$figure || exit; done

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(STAMP): requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@PYTHON="$(PYTHON)" VENV="$(VENV)" .ci/make-venv
	@touch $@

requirements:  ## compile the pinned requirements again
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --extra dev pyproject.toml -o requirements/dev.txt
	echo uv | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    - -o requirements/bootstrap.txt

clean:  ## remove what the other targets made
	rm -rf $(VENV) .demo build dist .coverage
