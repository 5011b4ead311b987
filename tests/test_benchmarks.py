"""The benchmark's own arithmetic, and that its naive step returns the numbers of the environment."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the benchmarks are not installed
from benchmarks.plain import NaiveStep  # noqa: E402
from benchmarks.rows import Row, below, table  # noqa: E402
from benchmarks.timing import Times, ratio  # noqa: E402
from tests.processes.small import small_process  # noqa: E402
from unlearn_gym.processes.gradients.choice import GRADIENTS  # noqa: E402


def test_ratio_compares_round_by_round():
    found = ratio(Times([2.0, 20.0, 4.0, 6.0]), Times([1.0, 10.0, 2.0, 2.0]))
    assert (found.low, found.middle) == (2.0, 2.0) and found.high > 2.0


def test_misses_are_shown():
    lines = table([below("a", "b", 2.0, 1.7, "2 x"), Row("c", "d", "plot", "e.png")]).splitlines()
    assert lines[2].endswith("| <= 1.7 x bare | 2 x | no |") and lines[3].endswith("|  |")


@pytest.mark.parametrize("gradients", GRADIENTS)
def test_naive_step_returns_the_numbers_of_the_process(gradients):
    settings = {"labels": "none", "optimizer": "adam", "learning_rate": 1e-3}
    fast, other = small_process(**settings, gradients=gradients), small_process(**settings)
    first = fast.reset(np.random.default_rng(0))
    other.reset(np.random.default_rng(0))
    naive = NaiveStep(other, learning_rate=1e-3)
    assert naive.observe() == pytest.approx(tuple(vars(first).values()))
    for lam in (0.3, 0.5, 0.8):
        fast.update(lam)
        assert naive.step(lam) == pytest.approx(tuple(vars(fast.observe()).values()), rel=1e-6)


def test_command(tmp_path):
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--quick",
        "--only",
        "face",
        "many",
        "--output",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "not measured: needs --device cuda" in done.stdout
    assert (tmp_path / "table.md").read_text(encoding="utf-8").count("\n") == 4
