# The two commands of the README: `make demo` and `make test`. Everything runs in .venv, made on first use.
PYTHON ?= python3
BIN := .venv/bin
REPORT := reports/demo
RUNS := runs/demo
# One thread a process: with a second busy process, two threads on small convolutions are many times slower.
ONE_THREAD := OMP_NUM_THREADS=1

.PHONY: demo test test-slow test-rllib lint bench clean
.PRECIOUS: $(RUNS)/%/trained

demo: .venv/installed
	$(MAKE) --no-print-directory -j2 $(RUNS)/ppo/trained $(RUNS)/sac/trained
	$(BIN)/python evaluate.py --experiment demo --output $(REPORT)

# Each agent trains on one core; a killed run goes on where it was.
$(RUNS)/%/trained: .venv/installed
	$(ONE_THREAD) $(BIN)/python train_agent.py $(if $(wildcard $(@D)/config.yaml),--resume $(@D),--config configs/experiments/demo_$*.yaml --output $(@D))
	touch $@

test: .venv/installed lint
	$(ONE_THREAD) $(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/installed
	$(ONE_THREAD) $(BIN)/python -m pytest -m slow

# RLlib pins an older Gymnasium, so it lives apart; the tests of environments run on that version too.
test-rllib: .venv-rllib/installed
	$(ONE_THREAD) .venv-rllib/bin/python -m pytest -m slow tests/envs/test_rllib.py
	$(ONE_THREAD) .venv-rllib/bin/python -m pytest tests/envs

.venv-rllib/installed: setup.cfg
	$(PYTHON) -m venv .venv-rllib
	.venv-rllib/bin/python -m pip install --quiet --upgrade pip setuptools
	.venv-rllib/bin/python -m pip install --quiet --no-build-isolation -e '.[dev,rllib]'
	touch $@

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p unlearn_gym

bench: .venv/installed
	$(BIN)/python -m benchmarks

.venv/installed: setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

clean:
	rm -rf .venv .venv-rllib build dist src/*.egg-info

# Random kills, wrong inputs, cache races and injected faults, from a printed seed; STRESS="--seed 7 --scale 0.1".
.PHONY: stress
stress: .venv/installed
	$(ONE_THREAD) $(BIN)/python -m tests.stress $(STRESS)
