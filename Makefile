# The two commands of the README: `make demo` and `make test`. Everything runs in .venv, made on first use.
PYTHON ?= python3
BIN := .venv/bin
DEMO := reports/demo
# One thread a process: with a second busy process, two threads on small convolutions are many times slower.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: demo test test-slow test-ray test-rllib lint docs bench clean

# A policy learned on some deletion requests meets others; then one request is done. Killed, it goes on where it was.
demo: .venv/installed $(DEMO)/request
	$(ONE_THREAD) $(BIN)/unlearn-gym study requests_quick --output $(DEMO)/requests
	$(ONE_THREAD) $(BIN)/unlearn-gym apply --model $(DEMO)/request/checkpoint --retain $(DEMO)/request/keep \
		--forget $(DEMO)/request/forget --output $(DEMO)/applied

$(DEMO)/request: .venv/installed
	$(BIN)/python examples/deletion_request.py $@.unfinished
	mv $@.unfinished $@

test: .venv/installed lint
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/docs-installed .venv/examples
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow

# Ray alone, without RLlib, goes with this package's Gymnasium; it is large (240 MB), and only these tests need it.
test-ray: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev,ray]'
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow tests/cli/test_ray.py

# What notebooks and the examples for other libraries need beside.
.venv/examples: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev,notebooks,torchrl]'
	touch $@

# RLlib pins an older Gymnasium, so it lives apart; the tests of environments run on that version too.
test-rllib: .venv-rllib/installed
	$(ONE_THREAD) .venv-rllib/bin/python -m pytest -m slow tests/envs/test_rllib.py
	$(ONE_THREAD) .venv-rllib/bin/python -m pytest tests/envs

.venv-rllib/installed: setup.cfg
	$(PYTHON) -m venv .venv-rllib
	.venv-rllib/bin/python -m pip install --quiet --upgrade pip setuptools
	.venv-rllib/bin/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	.venv-rllib/bin/python -m pip install --quiet --no-build-isolation -e '.[dev,rllib]'
	touch $@

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p unlearn_gym

# The site, in site/; REPOSITORY_URL=https://… makes links to sources of it.
docs: .venv/docs-installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

.venv/docs-installed: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[docs]'
	touch $@

bench: .venv/installed
	$(BIN)/python -m benchmarks

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-rllib build dist site src/*.egg-info

# Random kills, wrong inputs, cache races and injected faults, from a printed seed; STRESS="--seed 7 --scale 0.1".
.PHONY: stress
stress: .venv/installed
	$(ONE_THREAD) $(BIN)/python -m tests.stress $(STRESS)
