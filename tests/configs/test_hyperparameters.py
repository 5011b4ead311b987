import gymnasium as gym
import pytest

from unlearn_gym import agents, configs
from unlearn_gym.errors import UserError

TABLES = [name for name in agents.names() if configs.table(name)]


@pytest.mark.parametrize("name", TABLES)
def test_every_entry_makes_the_agent_and_every_id_exists(name):
    table = configs.table(name)
    assert "default" in table
    env = gym.make("unlearn_gym/Quadratic-v0")
    for env_id in table:
        assert env_id == "default" or env_id in gym.registry
        settings = configs.hyperparameters(name, env_id)
        agent = agents.make(name, env, **settings)
        for key, value in settings.items():
            assert getattr(agent.settings, key) == value


def test_entry_of_an_id_is_laid_over_the_default():
    plain = configs.hyperparameters("ppo", "unlearn_gym/SISS-Digits-v0")
    online = configs.hyperparameters("ppo", "unlearn_gym/SISS-Digits-Online-v0")
    assert "window" not in plain and online["window"] > online["n_steps"] == 200
    assert online["gamma"] == plain["gamma"] == 0.99 and plain["learning_rate"] == 3e-4
    assert configs.hyperparameters("ppo", "my_module:unlearn_gym/SISS-Digits-Online-v0") == online
    assert configs.hyperparameters("static", "any") == {}


def test_what_is_no_mapping_is_a_sentence():
    with pytest.raises(UserError, match=r"x.yaml is not a mapping"):
        configs.read("- a", "x.yaml")
    with pytest.raises(UserError, match=r"x.yaml is not YAML"):
        configs.read("a: [", "x.yaml")


def test_scientific_notation_is_a_number():
    assert configs.read("a: 3e-4\nb: 1.5e3\nc: -2E-1\nd: e3", "x") == {
        "a": 3e-4,
        "b": 1.5e3,
        "c": -0.2,
        "d": "e3",
    }
