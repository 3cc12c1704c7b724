# Everything a newcomer or a developer does, one word each. PYTHON may name another interpreter (3.11 or newer).

PYTHON ?= python3
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
JOBS ?= auto

.PHONY: demo demo-serve test trials lint types bench clean

# Installed once, and again only when what is to be installed has changed; after that no network is needed.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/paperround demo --dir demo-site

demo-serve: .venv/installed
	$(BIN)/paperround demo --dir demo-site --serve

test: .venv/installed
	$(PYTEST) -m 'not trial' -n $(JOBS) --dist loadgroup

trials: .venv/installed
	$(PYTEST) -m 'trial or thorough' --hypothesis-profile thorough --timeout 900

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed
	$(BIN)/mypy

bench: .venv/installed
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/render.py
	$(BIN)/python benchmarks/send.py --size 30000
	$(BIN)/python benchmarks/send.py --size 1000
	$(BIN)/python benchmarks/plan.py --mode broadcast
	$(BIN)/python benchmarks/plan.py --mode sequence
	$(BIN)/python benchmarks/subscribe.py
	$(BIN)/python benchmarks/importing.py

clean:
	rm -rf .venv demo-site dist build .mypy_cache .ruff_cache .pytest_cache
