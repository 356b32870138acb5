# Every target sets up .venv when it must; once that is done it costs nothing.
PYTHON ?= python3
ARGS   ?= experiment=quickstart
N      ?= 200
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help train test test-slow results results-all chaos chaos-ddp cluster exports test-exports docs docs-serve pages pictures cookbook lint format tensorboard clean

help:  ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo 'example: make train ARGS="model=resnet18 data=cifar10"'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Trainyard needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 train")'
	@echo "Setting up $(VENV): a few minutes the first time, about 6 GB with torch's GPU libraries ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

train: $(READY)  ## train:  make train ARGS="model=resnet18 data=cifar10"
	@$(BIN)/python train.py $(ARGS)

test: $(READY)  ## run the tests, but for the slow ones
	@$(BIN)/python -m pytest -m "not results and not slow and not exports" -n 2 --dist worksteal

test-slow: $(READY)  ## run the slow tests: further kinds of resumed runs, sweeps in databases, the wheel
	@$(BIN)/python -m pytest -m slow -n 2 --dist worksteal

results: $(READY)  ## check the stated results again: minutes; those on real data need TRAINYARD_DATA
	@$(BIN)/python -m pytest -m results

results-all: $(READY)  ## train what docs/results.md lacks, hours of it, and write the page; ROWS="bow gru": only these; continues where it stopped
	@$(BIN)/python docs/results.py $(ROWS)

chaos: $(READY)  ## kill N=200 runs at random instants, resume them, and count how many end bit for bit identical
	@$(BIN)/python tests/durability/chaos.py $(N)

chaos-ddp: $(READY)  ## the same with N=200 kills and signals of runs of two processes
	@$(BIN)/python tests/distributed/chaos_ddp.py $(N)

cluster: $(READY)  ## two nodes on this machine under torchrun, Slurm and Ray; needs root: sudo make cluster
	@$(BIN)/python tests/cluster/run.py

exports: $(READY)  ## export every architecture to ONNX and pt2, and print how far each is from its network: minutes
	@$(BIN)/python benchmarks/export_differences.py

test-exports: $(READY)  ## run the tests of exported files: every architecture and format, a quarter of an hour
	@$(BIN)/python -m pytest -m exports -n 2 --dist worksteal

lint: $(READY) docs  ## check style, types, and that the site of docs/ builds
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

docs: export NO_MKDOCS_2_WARNING = 1
docs: $(READY)  ## build the site of docs/ into build/site; a warning is an error
	@$(BIN)/python -m mkdocs build --strict

pages: $(READY)  ## write docs/configuration.md, docs/errors.md and docs/notebook.ipynb again
	@$(BIN)/python docs/reference.py
	@$(BIN)/python docs/messages.py
	@$(BIN)/python docs/notebook.py

pictures: $(READY)  ## draw docs/images/perceptron.png and quantum.png again: two minutes
	@$(BIN)/python docs/perceptron.py
	@$(BIN)/python benchmarks/quantum.py --plot docs/images/quantum.png

cookbook: $(READY)  ## write docs/cookbook/ again: six networks, half an hour; needs TRAINYARD_DATA
	@$(BIN)/python docs/cookbook.py

docs-serve: $(READY)  ## show the site in the browser while you write
	@$(BIN)/python -m mkdocs serve

format: $(READY)  ## put the code into its usual form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

tensorboard: $(READY)  ## show every run in the browser
	@$(BIN)/tensorboard --logdir outputs

clean:  ## remove .venv and caches; runs under outputs/ stay
	rm -rf $(VENV) .pytest_cache .ruff_cache dist build
