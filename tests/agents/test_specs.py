import pickle

import gymnasium as gym
import numpy as np
import pytest

from unlearn_gym import agents, configs
from unlearn_gym.agents.common import specs
from unlearn_gym.errors import UserError

SOURCE = """
from dataclasses import dataclass
import numpy as np

@dataclass
class Mine:
    env: object
    lam: float = 0.25

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.array([self.lam], np.float32), state

    def load(self, path):
        self.lam = float(open(path).read())

class Without:
    def __init__(self, env):
        pass
"""

BROKEN = {
    "broken.py": "1/0",
    "leaves.py": "raise SystemExit(3)",
    "worse.py": "class Worse(BaseException): pass\nraise Worse('stop')",
    "raises.py": """
class Mine:
    def __init__(self, env):
        raise SystemExit(4)

class Saved:
    def __init__(self, env):
        pass

    def load(self, path):
        raise KeyError(path)
""",
}


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    (tmp_path / "saved").write_text("0.75")
    return path


def test_a_word_is_parsed_into_what_it_depends_on(file, env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in (
        "runs/learned/agent",
        "static",
    ):  # a folder that is called like a name is not what the name means
        agents.make("static:0.4", env).save(folder)
    found = {
        word: (spec.kind, [path.name for path in spec.files], spec.run_folder and spec.run_folder.name)
        for word in ("static", "random", "runs/learned/", "mine.py:Mine", "mine.py:Mine:saved")
        for spec in [pickle.loads(pickle.dumps(specs.parse(word)))]
    }
    assert found == {
        "static": ("static", [], None),
        "random": ("other", [], None),
        "runs/learned/": ("learned", ["agent"], "learned"),
        "mine.py:Mine": ("other", ["mine.py"], None),
        "mine.py:Mine:saved": ("learned", ["mine.py", "saved"], None),
    }
    assert specs.parse("static").make(env).settings.lam != 0.4
    assert specs.parse("ppo").settings == configs.table("ppo")


def test_class_in_a_file(file, env):
    agent = agents.resolve(f"{file}:Mine", env)
    assert agent.env is env and agent.predict(np.zeros(6))[0] == [0.25]


def test_class_in_a_file_with_something_saved(file, env):
    assert agents.resolve(f"{file}:Mine:{file.parent / 'saved'}", env).lam == 0.75


def test_names_with_arguments_and_run_folders(tmp_path, env):
    assert agents.resolve("static:0.3", env).settings.lam == 0.3
    agents.make("static:0.4", env).save(tmp_path / "run" / "agent")
    assert agents.resolve(str(tmp_path / "run"), env).settings.lam == 0.4


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nothing", "give one of static, random"),
        ("{folder}", "holds no saved agent"),
        ("{folder}/other.py:Mine", "There is no file"),
        ("{folder}/mine.py:Yours", "defines no class 'Yours'"),
        ("{folder}/mine.py:Without", "has no predict"),
        ("{folder}/mine.py:Without:x", "has no load"),
        ("{folder}/broken.py:Mine", r"cannot be imported \(.*ZeroDivisionError"),
        ("{folder}/leaves.py:Mine", r"leaves\.py, line 1 cannot be imported \(SystemExit: 3\)"),
        ("{folder}/worse.py:Mine", r"worse\.py, line \d+ cannot be imported \(Worse: stop\)"),
        ("{folder}/raises.py:Mine", r"raises\.py, line 4, in __init__ raised SystemExit: 4"),
        ("{folder}/raises.py:Saved:x", r"raises\.py, line 11, in load raised KeyError: 'x'"),
        ("~nosuchuser/mine.py:Mine", "nosuchuser"),
        ("{folder}/mine.zip", "There is no file"),
        ("schedule:linear:0.1:0.9:7", "rate_start=7.0 is no factor of the learning rate"),
        ("schedule:cosine:0.1:0.9:0.5", "rate_start=0.5 needs an environment whose learning rate"),
        ("schedule:linear:0.1:0.9:1:1:1", "schedule:<shape>:<start>:<end>:<rate_start>:<rate_end>"),
        ("schedule:step:0.1:0.9:0.5:1:1:1", "<at>:<rate_start>"),
        ("schedule:step:0.1:0.9:7", "at:"),
        ("schedule:wavy", "shape: expected one of"),
        ("static:0.5:3", "rate=3.0 needs an environment whose learning rate"),
        ("static:0.5:1:1", "most there can be is static:<lam>:<rate>"),
        ("static:nan", "lam: expected a value of type float"),
        ("static:", "lam"),
        ("random:1", "most there can be is random"),
        ("ppo:1", "most there can be is ppo"),
    ],
)
def test_errors_say_what_to_give(spec, message, file, env):
    for name, source in BROKEN.items():
        (file.parent / name).write_text(source)
    with pytest.raises(UserError, match=message):
        agents.resolve(spec.format(folder=file.parent), env)


@pytest.mark.parametrize(
    ("name", "key", "default", "own"),
    [("adaptive_vi", "beta", 0.7, 0.2), ("primal_dual", "epsilon", 0.5, 0.25)],
)
def test_a_name_has_the_settings_of_its_configuration_file(
    name, key, default, own, env, monkeypatch, tmp_path
):
    packaged = configs.table(name)["default"]
    assert {k: getattr(agents.resolve(name, env).settings, k) for k in packaged} == packaged
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / f"{name}.yaml").write_text(
        f"default: {{{key}: {default}}}\nunlearn_gym/Other-v0: {{{key}: {own}}}"
    )
    monkeypatch.setattr(configs.resources, "files", lambda package: tmp_path)
    assert getattr(agents.resolve(name, env).settings, key) == default
    env.spec.id = "unlearn_gym/Other-v0"
    assert getattr(agents.resolve(name, env).settings, key) == own


def test_the_word_after_the_colon_wins_over_the_file(env):
    assert agents.resolve("primal_dual:0.3", env).settings.epsilon == 0.3


def test_the_place_of_a_step_is_refused_where_there_is_none(env):
    assert agents.resolve("schedule:step:0.1:0.9:0.25", env).settings.at == 0.25
    with pytest.raises(UserError, match="only used by the shape step"):
        agents.make("schedule:linear", env, at=0.25)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", None, True])
@pytest.mark.parametrize("name", ["static:0.5", "ppo", "adaptive_vi"])
def test_seeds_are_whole_numbers_that_numpy_takes(name, seed, env):
    with pytest.raises(UserError, match="is no seed of an agent"):
        agents.make(name, env, seed=seed)
    agents.make(name, env, seed=np.int64(3))


def test_objects_are_agents_where_they_have_predict(env):
    agent = agents.make("static:0.3", env)
    assert agents.resolve(agent, env) is agent
    with pytest.raises(UserError, match="A int has no predict"):
        agents.resolve(3, env)
