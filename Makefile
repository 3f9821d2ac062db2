# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
DEMO ?= runs/demo
export PYTHON

.PHONY: help install demo test test-all tools test-balrog test-inspect bench docs lint pins clean

help:
	@echo "make demo         install into .venv, let agents play, and write a page with films and tables"
	@echo "make test         install into .venv, run the tests but the slow ones"
	@echo "make test-all     all tests"
	@echo "make test-balrog  build a second environment with BALROG's NetHack and replay its public records"
	@echo "make test-inspect build an environment with inspect_ai and read an exported log with it"
	@echo "make bench        speed and memory: simulators, runs, models, planning, drawing, driving, a card, the whole stack"
	@echo "make docs         write the environment pages and pictures in docs/envs from the code"
	@echo "make lint         ruff and mypy"
	@echo "make pins         all extras resolve together, and what is installed fits together"

install: .venv/.installed

.venv/.installed: pyproject.toml requirements/tested.txt requirements/embedded-model.txt
.venv/.installed: scripts/make_venv.sh scripts/debian.sh
	scripts/make_venv.sh

demo: install
	$(BIN)/embodied demo --out $(DEMO)

test: tools
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-all: tools
	$(BIN)/python -m pytest -n auto --dist worksteal

tools: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	-scripts/debian.sh $(PYTHON) chromium  # without a browser the tests of the pages are skipped, and say so

test-balrog:
	scripts/make_balrog_venv.sh
	.venv-balrog/bin/python -m pytest tests/games/test_nethack_replay.py tests/games/test_minihack_replay.py

test-inspect:
	scripts/make_inspect_venv.sh
	.venv-inspect/bin/python -m pytest tests/exchange/test_formats.py -k inspect

bench: install
	$(BIN)/python benchmarks/games.py
	$(BIN)/python benchmarks/rollout.py
	$(BIN)/python benchmarks/channel.py
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/planning.py
	$(BIN)/python benchmarks/items.py
	$(BIN)/python benchmarks/render.py
	$(BIN)/python benchmarks/driving.py
	for part in training pictures rollouts bf16 larger; do $(BIN)/python benchmarks/gpu.py $$part || exit 1; done
	$(BIN)/python benchmarks/stack.py

docs: install
	$(BIN)/python docs/make.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pins: install
	scripts/check_pins.sh

clean:
	rm -rf .venv .venv-balrog .venv-inspect build dist *.egg-info
