"""An online run is itself the unlearning: what it left is kept and judged, beside its policy started afresh."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.agents.training.folder import UNLEARNED
from unlearn_gym.agents.training.vector import EpisodeRecord
from unlearn_gym.cli.evaluate import entry
from unlearn_gym.cli.evaluate.online_runs import entries_of
from unlearn_gym.envs.making import make_env
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation import Experiment, evaluate
from unlearn_gym.evaluation.evaluators.registry import make_evaluator
from unlearn_gym.evaluation.report.publish import publish

ENV, ONLINE = "unlearn_gym/EMSE-Polynomial-v0", "unlearn_gym/EMSE-Polynomial-Online-v0"
HALF = np.array([0.5], np.float32)


def weights(env):
    return {name: tensor.clone() for name, tensor in env.unwrapped.process.model.state_dict().items()}


def test_the_end_of_a_run_outlives_the_reset_and_a_kill():
    env = EpisodeRecord(make_env(ONLINE, {"horizon": 2}))
    env.reset(seed=0)
    env.step(HALF)
    assert env.unlearned().keys() == weights(env).keys()  # until its end, what there is
    env.step(HALF)
    left = weights(env)
    env.reset()
    assert all(torch.equal(env.unlearned()[name], left[name]) for name in left)
    assert not all(torch.equal(weights(env)[name], left[name]) for name in left)
    again = EpisodeRecord(make_env(ONLINE, {"horizon": 2}))
    again.reset(seed=1)
    again.load_state_dict(env.state_dict())
    assert all(torch.equal(again.unlearned()[name], left[name]) for name in left)


def test_episodic_environments_and_those_without_a_network_keep_nothing():
    for env_id, kwargs in ((ENV, {}), ("unlearn_gym/Quadratic-v0", {"online": True})):
        env = EpisodeRecord(make_env(env_id, {"horizon": 1, **kwargs}))
        env.reset(seed=0)
        env.step(HALF)
        assert env.unlearned() is None


@pytest.fixture
def run(tmp_path):
    return train(
        TrainConfig(
            ONLINE,
            "ppo",
            total_timesteps=40,
            output=str(tmp_path / "run"),
            env_kwargs={"horizon": 40},
            hyperparameters={"n_steps": 10, "batch_size": 5},
            progress_bar=False,
        )
    )


def test_what_the_run_left_is_judged_and_the_policy_afresh_is_another_row(run, tmp_path):
    left, afresh = entries_of(entry(str(run)))
    assert left.name == str(run) and afresh.name == f"{run}, policy afresh"
    experiment = Experiment(ENV, (left, afresh), (1, 2), {"horizon": 10})
    results = evaluate(experiment, tmp_path / "report", progress=False)
    assert "return" not in results.row(left.name) and "return" in results.row(afresh.name)
    env = make_env(ENV, {"horizon": 10})
    env.reset(seed=1)
    env.unwrapped.process.model.load_state_dict(load_file(run / UNLEARNED))
    evaluator = make_evaluator(env.unwrapped, experiment.evaluator)
    expected = evaluator.score(evaluator.model(), 1).values
    assert results.of(left.name)[0].values == expected != results.of("before")[0].values
    assert len(entries_of(entry("static:0.5"))) == 1
    publish(experiment, tmp_path / "report", 1, "the command")
    assert "policy afresh" in (tmp_path / "report" / "report.md").read_text()


def test_the_policy_sees_the_time_of_its_training(run):
    env = make_env(ENV, {"horizon": 10})
    agent = entries_of(entry(str(run)))[1].make(env)
    seen = []
    agent._agent.predict = lambda observation, **_: (seen.append(observation), (HALF, None))[1]
    observation = np.array([1.0, 1.0, 1.0, 1.0, 0.5, 0.8], np.float32)  # after 8 of 10 updates
    agent.predict(observation, deterministic=True)
    assert seen[0][-1] == pytest.approx(8 / 40) and observation[-1] == np.float32(0.8)


def test_weights_of_another_network_are_one_sentence(run, tmp_path):
    save_file({"other": torch.zeros(2)}, run / UNLEARNED)
    left, _ = entries_of(entry(str(run)))
    with pytest.raises(UserError, match="do not fit the network of this environment"):
        evaluate(Experiment(ENV, (left,), (1,), {"horizon": 2}), tmp_path / "report", progress=False)
