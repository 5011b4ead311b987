"""The plain step makes the environment's numbers at the same draws, and runs on somebody's own folders."""

import os
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.utils import seeding

import unlearn_gym  # noqa: F401 (registers the ids)
from examples.plain_siss import batches, siss_step
from tests.envs.small import user_model
from unlearn_gym.models.diffusion.model import DiffusionModel

FILE = Path(__file__).parents[2] / "examples" / "plain_siss.py"
LAMBDAS = (0.5, 0.02, 0.98, 0.1)


@pytest.fixture
def own(tmp_path):
    """A checkpoint without classes and two folders of images, as somebody brings them."""
    rng = np.random.default_rng(0)
    for name in ("keep", "forget"):
        np.save(tmp_path / f"{name}.npy", rng.uniform(-1, 1, (20, 1, 8, 8)).astype(np.float32))
    return [str(path) for path in (user_model(tmp_path), tmp_path / "keep.npy", tmp_path / "forget.npy")]


# of two pairs none may be a forget latent, or both; without labels both sides always have weight
@pytest.mark.parametrize("kind, pairs", [("digits", 8), ("digits", 2), ("own", 4)])
def test_it_makes_the_environments_numbers(kind, pairs, own):
    settings = {"state": "lagged", "batch_size": 2 * pairs, "dtype": "float64"}
    if kind == "digits":
        env = gym.make("unlearn_gym/SISS-Digits-v0", **settings)
        original = env.unwrapped.task.original()
    else:
        env = gym.make(
            "unlearn_gym/SISS-v0", model=own[0], retain_data=own[1], forget_data=own[2], **settings
        )
        original = DiffusionModel.of(own[0])
    process, unet = env.unwrapped.process, torch.nn.Module.to(original.unet, dtype=torch.float64)
    env.reset(seed=3)
    seed = int(seeding.np_random(3)[0].integers(2**63))
    drawn = batches(process.data, pairs, 1000, torch.Generator().manual_seed(seed))
    one_side = False
    optimizer = torch.optim.Adam(unet.parameters(), lr=2e-4)
    for lam, batch in zip(LAMBDAS, drawn, strict=False):
        batch = [part.to(unet.dtype) if part.is_floating_point() else part for part in batch]
        *losses, keep_norm, forget_norm = siss_step(unet, original.scheduler, optimizer, batch, lam)
        one_side |= 0 in (keep_norm, forget_norm)
        update, seen = process.update(lam), process.observe()
        assert [*losses, keep_norm, forget_norm] == pytest.approx(list(vars(seen).values()), rel=1e-9)
        scale = 0.1 * keep_norm / forget_norm if forget_norm else 0.0
        assert update.loss == pytest.approx(losses[0] - scale * losses[1], rel=1e-9)
        for mine, its in zip(unet.parameters(), process.model.parameters(), strict=True):
            torch.testing.assert_close(mine, its, rtol=1e-7, atol=1e-10)
    assert one_side or pairs > 2


def test_its_command_line_saves_a_pipeline(own, tmp_path):
    def run(*words):
        command = [sys.executable, str(FILE), "--own", *own, "--updates", "2", *words]
        variables = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, capture_output=True, text=True, env=variables)

    done = run("--output", str(tmp_path / "new"))
    assert done.returncode == 0, done.stderr
    saved, original = (DiffusionModel.of(folder).unet for folder in (tmp_path / "new", own[0]))
    assert not saved.conv_in.weight.equal(original.conv_in.weight)
    assert "give a new folder" in run("--output", str(tmp_path / "new")).stderr


def test_it_stays_short():
    assert len(FILE.read_text(encoding="utf-8").splitlines()) < 100
