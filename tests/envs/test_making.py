"""Environments by name: module:id imports the module first, and what fails is one sentence."""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest

from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError

ROOT = Path(__file__).parent.parent.parent
MODULE = """
import gymnasium as gym
gym.register("mine/Quadratic-v0", "unlearn_gym.envs.quadratic:QuadraticEnv", kwargs={"horizon": 3})
gym.register("mine/Lost-v0", "no_such_module:Env")
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a user's module into the working folder, which is not on the path of a console command."""
    (tmp_path / "face_users_module.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "face_broken_module.py").write_text("1 / 0", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield "face_users_module"
    sys.modules.pop("face_users_module", None)
    for name in [name for name in gym.registry if name.startswith("mine/")]:
        del gym.registry[name]


def test_the_module_is_imported_first(module):
    assert make_env(f"{module}:mine/Quadratic-v0").unwrapped.horizon == 3
    assert make_env(f"{module}:unlearn_gym/Quadratic-v0", {"horizon": 5}).unwrapped.horizon == 5


def test_the_command_line_and_its_workers_import_it_too(module, tmp_path):
    words = ["--agent", "ppo", "--env", f"{module}:mine/Quadratic-v0", "--total_timesteps", "12"]
    words += ["--n_envs", "2", "--hyperparameters.n_steps", "4", "--output", "run"]
    found = subprocess.run(
        [sys.executable, str(ROOT / "train_agent.py"), *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert (tmp_path / "run" / "agent").is_dir()


@pytest.mark.parametrize(
    ("env_id", "said"),
    [
        ("no_such_module:mine/Quadratic-v0", "'no_such_module' cannot be imported"),
        ("face_broken_module:mine/Quadratic-v0", "ZeroDivisionError"),
        ("face_users_module:mine/Typo-v0", "'mine/Typo-v0' is not known"),
        ("face_users_module:mine/Lost-v0", "cannot be imported"),
        ("not an id", "is not known"),
    ],
)
def test_what_fails_is_one_sentence(module, env_id, said):
    with pytest.raises(UserError, match=said) as caught:
        make_env(env_id)
    assert "\n" not in str(caught.value)
