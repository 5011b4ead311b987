"""Two processes on two cores against one, each with one thread."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from benchmarks.rows import Row, Settings, above
from benchmarks.timing import Ratio, Times, ratio
from unlearn_gym.agents.training.vector import Factory

ID = "unlearn_gym/SISS-Digits-v0"
STEPS = 10


def processes(count: int) -> VecEnv:
    """Return spawned environments, already reset."""
    envs = SubprocVecEnv([Factory(ID, {"horizon": 10**6}, alone=True)] * count, start_method="spawn")
    envs.reset()
    return envs


def rounds(envs: VecEnv) -> float:
    """Return environment steps a second."""
    start = time.perf_counter()
    for _ in range(STEPS):
        envs.step(np.full((envs.num_envs, 1), 0.5, dtype=np.float32))
    return STEPS * envs.num_envs / (time.perf_counter() - start)


def gain(repetitions: int) -> Ratio:
    """Return two processes' speed over one's, taken in turns."""
    one, two = processes(1), processes(2)
    pairs = [(rounds(two), rounds(one)) for _ in range(repetitions)]
    one.close()
    two.close()
    return ratio(Times([a for a, _ in pairs]), Times([b for _, b in pairs]))


def run(settings: Settings) -> list[Row]:
    """Measure as it is, and with a busy core."""
    repetitions = max(4, settings.repetitions // 6)
    idle = gain(repetitions)
    busy_core = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        busy = gain(repetitions)
    finally:
        busy_core.kill()
        busy_core.wait()
    where = f"8x8 digits, {os.cpu_count()} cores"
    return [
        above("2 processes over 1 (SubprocVecEnv, spawn)", where, idle.middle, 1.8, f"{idle} x"),
        above("the same beside a process that keeps a core busy", where, busy.middle, 1.0, f"{busy} x"),
    ]
