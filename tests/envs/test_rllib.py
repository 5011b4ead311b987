"""RLlib learns in an environment; it pins an older Gymnasium, so it has a virtual environment of its own."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "libraries" / "rllib_ppo.py"
ITERATIONS = 3


@pytest.mark.slow
def test_ppo_of_rllib_with_two_runners():
    pytest.importorskip("ray.rllib", reason="needs the extra rllib: make test-rllib")
    small = ("--iterations", str(ITERATIONS), "--horizon", "10", "--batch", "80")
    found = subprocess.run(
        [sys.executable, str(EXAMPLE), *small], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    said = re.findall(r"mean return (\S+) in episodes of (\d+) updates", found.stdout)
    assert len(said) == ITERATIONS
    assert all(math.isfinite(float(total)) and length == "10" for total, length in said)
