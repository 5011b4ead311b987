"""A request under a trained policy: the environment is as in its training, or the policy is refused."""

import csv
import json
import warnings

import pytest

from tests.applying.test_applying import QUICK
from unlearn_gym import apply
from unlearn_gym.agents.common import saving, serialization
from unlearn_gym.agents.trained import shipped
from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.applying import settings
from unlearn_gym.applying.policy import chosen_policy
from unlearn_gym.applying.settings import CONSTANT, Default, Settings
from unlearn_gym.errors import UserError

EPISODES = {"population": 2, "episodes": 1, "elites": 1}
BUDGET = {"horizon": 2, "reward": "progress", "batch_size": 8}
DIFFUSION = ("diffusion", "unlearn_gym/SISS-v0")


def trained(folder, env, **env_kwargs):
    """Two generations of CEM."""
    config = TrainConfig(
        env=env,
        agent="cem",
        total_timesteps=8,
        output=str(folder),
        env_kwargs={**BUDGET, **env_kwargs},
        hyperparameters=EPISODES,
        progress_bar=False,
    )
    return train(config)


@pytest.fixture(scope="module")
def weighted(tmp_path_factory):
    """A policy of six numbers, trained on requests without a cap."""
    place = tmp_path_factory.mktemp("weighted") / "cem"
    return trained(place, "Weighted-Requests-v0", state="lagged", objective_kwargs={"forget_cap": 1.0})


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """A policy that sees the budget and sets the learning rate as well."""
    more = {"observation": "relative", "action": "logit", "control": ["lambda", "learning_rate"]}
    return trained(tmp_path_factory.mktemp("both") / "cem", "Posterior-Requests-v0", **more)


def retold(run, folder, **changes):
    """Copy an agent that tells otherwise of its training; None leaves it out."""
    record = serialization.load(run / "agent", saving.FILE)
    told = {**record.pop(saving.TRAINED), **changes}
    folder.mkdir()
    serialization.save(
        folder, saving.FILE, record if None in changes.values() else {**record, saving.TRAINED: told}
    )
    return str(folder)


def test_the_environment_is_as_in_the_training(made, weighted, tmp_path):
    where = [made / name for name in ("plain", "keep", "forget")]
    with pytest.warns(UserWarning, match="was never tried"):
        applied = apply(*where, tmp_path / "out", **QUICK, policy=str(weighted))
    request = applied.results["request"]
    assert request["objective"] == "weighted" and request["objective_kwargs"] == {"forget_cap": 1.0}
    assert request["state"] == "lagged" and request["lambda_range"] == [0.01, 0.9]
    assert request["trained_in"] == "unlearn_gym/Weighted-Requests-v0"
    rows = list(csv.DictReader(applied.log.open()))
    assert (
        float(rows[0]["retain_loss"]) == 0.0 < float(rows[1]["retain_loss"])
    )  # lagged: nothing is known at first
    page = (tmp_path / "out" / "report.md").read_text()
    assert "trained on another model, in unlearn_gym/Weighted-Requests-v0" in page
    assert "had 2 updates (here" in page and "0.0003 to 0.0012 as the learning rate" in page
    assert (
        apply(*where, tmp_path / "out", **QUICK, policy=str(weighted)).results == applied.results
    )  # it is done


def test_the_log_names_what_the_policy_saw_and_set(made, both, tmp_path):
    where = [made / name for name in ("plain", "keep", "forget")]
    applied = apply(*where, tmp_path / "out", **QUICK, policy=str(both))
    rows = list(csv.DictReader(applied.log.open()))
    assert "log_forget_over_retain" in rows[0] and "retain_loss" not in rows[0]
    assert all(0.25e-4 <= float(row["learning_rate"]) <= 4e-4 for row in rows)


def test_a_classifier_finds_its_rate_however_actions_are_taken(made, tmp_path):
    more = {"action": "logit", "control": ["lambda", "learning_rate"]}
    where = made / "net.safetensors", made / "keep", made / "forget"
    applied = apply(*where, tmp_path / "out", factory=f"{made}/factory.py:build", steps=2, env_kwargs=more)
    assert applied.results["learning_rate"] in (1e-3, 3e-4, 1e-4, 3e-5, 1e-5)


def test_a_shipped_policy_is_taken_by_its_name(weighted, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    record = serialization.load(weighted / "agent", saving.FILE)
    shipped.add(weighted / "agent", "two", record[saving.TRAINED])
    chosen = chosen_policy(Settings(policy="shipped:two"), *DIFFUSION)
    assert chosen.objective == "weighted" and chosen.keywords["lambda_range"] == (0.01, 0.9)


def test_a_default_policy_belongs_to_its_objective(monkeypatch):
    monkeypatch.setitem(settings.DEFAULTS, "diffusion", Default("weighted", "shipped:some"))
    assert Settings().of_kind("diffusion") == Default("weighted", "shipped:some")
    assert Settings(objective="siss").of_kind("diffusion") == Default("siss", CONSTANT)
    assert Settings(policy="random").of_kind("diffusion") == Default("weighted", "random")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"objective": "siss"}, "was trained with objective='weighted', and objective='siss' was given"),
        ({"env_kwargs": {"state": "fresh"}}, "was trained with state='lagged', and state='fresh' was given"),
        (
            {"env_kwargs": {"lambda_range": [0.1, 0.9]}},
            r"with lambda_range=\(0\.01, 0\.9\), and lambda_range=\[",
        ),
        ({"env_kwargs": {"objective_kwargs": {"forget_cap": 2}}}, "trained with objective_kwargs="),
    ],
)
def test_another_setting_than_that_of_the_training_is_refused(weighted, given, sentence):
    with pytest.raises(UserError, match=sentence):
        chosen_policy(Settings(policy=str(weighted), **given), *DIFFUSION)


def test_the_settings_of_the_training_may_be_given_as_well(weighted):
    same = Settings(
        policy=str(weighted),
        objective="weighted",
        env_kwargs={"state": "lagged", "lambda_range": [0.01, 0.9]},
    )
    assert chosen_policy(same, *DIFFUSION).objective == "weighted"


def test_policies_of_something_else_are_refused(weighted, tmp_path):
    with pytest.raises(
        UserError, match="was trained in unlearn_gym/Weighted-Requests-v0, and the model is a classi"
    ):
        chosen_policy(Settings(policy=str(weighted)), "classifier", "unlearn_gym/EMSE-v0")
    judged = retold(weighted, tmp_path / "judged", env_kwargs={"observation": "judged"})
    with pytest.raises(UserError, match="your own model has none: give a policy that sees the losses"):
        chosen_policy(Settings(policy=judged), *DIFFUSION)
    foreign = retold(weighted, tmp_path / "foreign", env="unlearn_gym/Nowhere-v0")
    with pytest.raises(UserError, match="The environment 'unlearn_gym/Nowhere-v0' is not known"):
        chosen_policy(Settings(policy=foreign), *DIFFUSION)
    with pytest.raises(UserError, match="The agent 'cem' has learned nothing yet"):
        chosen_policy(Settings(policy="cem"), *DIFFUSION)


def test_an_agent_that_does_not_say_where_it_was_trained_is_taken_with_a_warning(weighted, tmp_path):
    silent = retold(weighted, tmp_path / "silent", env=None)
    with pytest.warns(UserWarning, match="Nothing says where"):
        chosen = chosen_policy(Settings(policy=silent), *DIFFUSION)
    assert chosen.objective == "posterior" and json.dumps(chosen.record())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen_policy(Settings(), *DIFFUSION).record() == {
            "objective": "posterior",
            "policy": CONSTANT,
        }


def test_a_policy_that_fails_is_one_sentence(made, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "class Mine:\n    def __init__(self, env): ...\n    def predict(self, *a, **k): return 1 / 0\n"
    )
    where = [made / name for name in ("plain", "keep", "forget")]
    with pytest.raises(
        UserError, match=r"Unlearning failed: .*mine\.py, line 3, in predict raised ZeroDivisionError"
    ):
        apply(*where, tmp_path / "out", **QUICK, policy=f"{file}:Mine")
