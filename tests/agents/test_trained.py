"""What a policy says of its training, and policies that come with the package; two generations stand in for one."""

import gymnasium as gym
import numpy as np
import pytest

from docs import policy_cards
from tools.ship_policy import ship
from unlearn_gym import agents
from unlearn_gym.agents.common import saving, serialization, specs
from unlearn_gym.agents.trained import shipped
from unlearn_gym.agents.trained.origin import Origin, origin_of
from unlearn_gym.agents.training import TrainConfig, train
from unlearn_gym.cli import main
from unlearn_gym.errors import UserError

SMALL = {"population": 2, "episodes": 1, "elites": 1}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two generations; treat it as read-only."""
    config = TrainConfig(
        env="Quadratic-v0",
        agent="cem",
        total_timesteps=12,
        seed=3,
        output=str(tmp_path_factory.mktemp("runs") / "cem"),
        env_kwargs={"horizon": 3},
        hyperparameters=SMALL,
        progress_bar=False,
    )
    return train(config)


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0", horizon=3)


@pytest.fixture
def policies(tmp_path, monkeypatch):
    """The folder of shipped policies, empty."""
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "policies")
    return tmp_path / "policies"


def without_origin(run, folder):
    """Write the agent as early versions did, and return the folder."""
    record = serialization.load(run / "agent", saving.FILE)
    del record[saving.TRAINED]
    folder.mkdir(parents=True)
    serialization.save(folder, saving.FILE, record)
    return folder


def test_an_agent_says_where_it_was_trained(run):
    found = Origin("unlearn_gym/Quadratic-v0", {"horizon": 3}, total_timesteps=12, seed=3)
    assert origin_of(run) == origin_of(run / "agent") == found
    told = Origin.of_config(TrainConfig(env_kwargs={"model": "/home/me/net", "state": "lagged"}))
    assert told.env_kwargs == {"model": None, "state": "lagged"}  # no path of anybody's


def test_what_is_loaded_and_saved_again_still_says_it(run, env, tmp_path):
    agents.load(run, env).save(tmp_path / "again")
    assert origin_of(tmp_path / "again") == origin_of(run)


def test_of_an_early_agent_the_run_folder_says_it(run, tmp_path):
    alone = without_origin(run, tmp_path / "alone")
    assert origin_of(alone) is None and origin_of(tmp_path / "nowhere") is None
    agent = without_origin(run, tmp_path / "run" / "agent")
    (tmp_path / "run" / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    assert origin_of(tmp_path / "run") == origin_of(agent) == origin_of(run)


def test_what_decides_is_as_given_as_registered_or_by_default():
    found = Origin("unlearn_gym/Weighted-Requests-v0", {"state": "lagged", "horizon": 7}).keywords()
    assert found == {
        "objective": "weighted",
        "objective_kwargs": None,
        "observation": "state",
        "state": "lagged",
        "grad_norms": True,
        "time": "discrete",
        "action": "lambda",
        "control": ("lambda",),
        "lambda_range": (0.01, 0.9),
    }


def test_a_range_that_suits_the_objective_is_that_of_the_training():
    found = Origin("unlearn_gym/SISS-Requests-v0", {"objective": "npo"}).keywords()
    made = gym.make("unlearn_gym/SISS-Requests-v0", objective="npo").unwrapped.encoding
    assert found["lambda_range"] == pytest.approx((made.low, made.high)) == (0.0, 0.3)


@pytest.mark.parametrize(
    ("env_id", "kind"),
    [("Weighted-Requests-v0", "SISS-v0"), ("SISS-Trousers-v0", "SISS-v0"), ("EMSE-Requests-v0", "EMSE-v0")],
)
def test_a_policy_fits_the_family_that_it_was_trained_in(env_id, kind):
    origin = Origin(f"unlearn_gym/{env_id}")
    assert [origin.fits(f"unlearn_gym/{other}") for other in ("SISS-v0", "EMSE-v0")] == [
        kind == "SISS-v0",
        kind == "EMSE-v0",
    ]


@pytest.mark.parametrize(
    ("env_id", "given", "budgets"),
    [
        ("Posterior-Requests-v0", {}, {"horizon": (12, 48), "learning_rate": (3e-4, 1.2e-3)}),
        (
            "Posterior-Requests-v0",
            {"split": "test", "horizon": 9},
            {"horizon": (9, 9), "learning_rate": (2.5e-4, 1e-3)},
        ),
        ("Posterior-Requests-v0", {"requests": {"family": "intruders", "train": []}}, {}),
        ("Posterior-Requests-v0", {"requests": None}, {}),  # of a file of one's own
        ("SISS-v0", {"learning_rate": "auto"}, {"horizon": (200, 200)}),
    ],
)
def test_the_budgets_of_a_training(env_id, given, budgets):
    assert Origin(f"unlearn_gym/{env_id}", given).budgets() == budgets


def test_a_shipped_policy_is_the_agent_of_its_run(run, env, policies, capsys):
    assert ship(run, "two-generations") == policies / "two-generations" and shipped.names() == [
        "two-generations"
    ]
    assert origin_of(policies / "two-generations") == origin_of(run)
    own, observation = agents.load(run, env), env.reset(seed=0)[0]
    word = "shipped:two-generations"
    assert specs.parse(word).kind == "learned"
    for found in (agents.load(word, env), agents.resolve(word, env), specs.parse(word).make(env)):
        assert np.array_equal(found.predict(observation)[0], own.predict(observation)[0])
    assert (
        main(["list"]) == 0
        and f"Trained policies (--agents, --policy):\n  {word}\n" in capsys.readouterr().out
    )
    ship(run, "two-generations")  # again, over the old one
    file = policies / "two-generations" / "agent.json"
    file.write_text(file.read_text().replace('"seed": 3', '"seed": 4'))
    with pytest.raises(UserError, match=r"agent\.json: not as in manifest\.json"):
        agents.load(word, env)


def test_a_run_of_an_early_version_can_be_shipped(run, tmp_path, policies):
    without_origin(run, tmp_path / "run" / "agent")
    (tmp_path / "run" / "config.yaml").write_bytes((run / "config.yaml").read_bytes())
    assert origin_of(ship(tmp_path / "run", "early")) == origin_of(run)


def test_a_card_says_what_it_is_and_how_it_is_made_again(run, policies):
    assert policy_cards.page() == ""
    ship(run, "two-generations")
    page = policy_cards.page()
    for said in (
        "## two-generations",
        "`unlearn_gym/Quadratic-v0`, for 12 updates, seed 3",
        "--total-timesteps 12 --seed 3 --env-kwargs.horizon '3'`",
        "action=lambda",
    ):
        assert said in page
    assert str(policies) not in page


def test_what_cannot_be_shipped_or_found_is_one_sentence(run, tmp_path, policies):
    with pytest.raises(
        UserError, match="No policy 'x' comes with the package; there is none in this version"
    ):
        specs.parse("shipped:x")
    ship(run, "some")
    with pytest.raises(UserError, match="choose one of some"):
        specs.parse("shipped:../some")
    with pytest.raises(UserError, match=r"cannot be called '\.\./x'"):
        ship(run, "../x")
    with pytest.raises(UserError, match="holds no agent that says where it was trained"):
        ship(without_origin(run, tmp_path / "alone"), "y")
    own = without_origin(run, tmp_path / "own")
    record = serialization.load(own, saving.FILE)
    trained = Origin("unlearn_gym/SISS-v0", {"model": None}).as_record()
    serialization.save(own, saving.FILE, {**record, saving.TRAINED: trained})
    with pytest.raises(UserError, match=r"files of somebody's own \(model\)"):
        ship(own, "z")
