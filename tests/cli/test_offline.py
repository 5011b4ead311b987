"""Logging, learning from logs and estimating, as a user calls them."""

import pytest

from unlearn_gym import cli
from unlearn_gym.trajectories import datasets

pytest.importorskip("minari")


@pytest.fixture
def call(monkeypatch, tmp_path, capsys):
    """Run a command in a folder of its own; return its exit status, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))

    def inner(text):
        words = text.split()
        return cli.run(words[0], words[1:]), *capsys.readouterr()

    return inner


EVALUATE = "evaluate --env Quadratic-v0 --env_kwargs.horizon 3 --output out --metrics return"


def test_log_learn_and_estimate(call, tmp_path):
    log = f"{EVALUATE} --agents walk random_policy --seeds 6 --log-trajectories mine/walks"
    status, output, errors = call(log)
    assert status == 0, errors
    assert str(tmp_path / "minari" / "mine" / "walks-v0") in output
    assert len(datasets.read("mine/walks").episodes) == 12
    status, output, errors = call(log.replace("--seeds 6", "--seeds 7"))
    assert status == 2 and "mine/walks-v0 is there already and holds other runs" in errors

    train = "train --env Quadratic-v0 --agent iql --total-timesteps 5 --output iql --progress-bar false"
    status, _, errors = call(f"{train} --dataset mine/walks --env_kwargs.horizon 3")
    assert status == 0, errors
    status, output, errors = call(f"{EVALUATE} --agents iql --seeds 2")
    assert status == 0, errors

    status, output, errors = call("estimate mine/walks --agents walk adaptive_vi --estimators is wis")
    assert status == 2 and "effective sample size is" in errors  # of walks alone, under random policies too
    status, output, errors = call("estimate mine/walks --agents adaptive_vi")
    assert status == 2 and "adaptive_vi learns while it acts" in errors
    status, output, errors = call("estimate mine/walks --agents static:0.5")
    assert status == 2 and "draws λ from no Gaussian" in errors

    call(f"{EVALUATE} --agents walk --seeds 12 --log-trajectories mine/walk")
    status, output, errors = call("estimate mine/walk --agents walk static:0.5 --estimators is wis")
    assert status == 0, errors
    assert "12.0" in output and "draws λ from no Gaussian" in output
    status, output, errors = call("estimate mine/walk --agents walk --estimators magic")
    assert status == 2 and "magic" in errors
    assert call("estimate")[0] == 2
