"""What importing the package and making an environment cost, each in a new interpreter."""

from __future__ import annotations

import statistics
import subprocess
import sys

from benchmarks.rows import Row, Settings, below

IMPORT = """
import time; start = time.perf_counter()
import unlearn_gym; seconds = time.perf_counter() - start
import sys; print(seconds, "torch" in sys.modules)
"""
MAKE = """
import time, torch, gymnasium, unlearn_gym
start = time.perf_counter(); env = gymnasium.make("unlearn_gym/SISS-Digits-v0")
print(time.perf_counter() - start)
"""


def fresh_interpreter(code: str) -> list[str]:
    """Run ``code`` and return the words that it printed last."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def run(settings: Settings) -> list[Row]:
    """Measure both; the models are in the cache after the first call."""
    fresh_interpreter(MAKE)
    runs = [fresh_interpreter(IMPORT) for _ in range(5)]
    imported = statistics.median(float(words[0]) for words in runs)
    with_torch = any(words[1] == "True" for words in runs)
    made = statistics.median(float(fresh_interpreter(MAKE)[0]) for _ in range(3))
    text = f"{imported:.2f} s, torch {'imported' if with_torch else 'not imported'}"
    return [
        below("import unlearn_gym", "new interpreter", imported + 9 * with_torch, 0.3, text, "s, no torch"),
        below("gym.make, warm cache", "8x8 digits, after torch", made, 3.0, f"{made:.2f} s", "s"),
    ]
