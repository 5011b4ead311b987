import json
import shutil

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.agents import checkpoints, nested
from unlearn_gym.agents.logs import CsvLog
from unlearn_gym.errors import UserError


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


def test_nested_states_come_back_with_their_types(tmp_path):
    generator = np.random.RandomState(3)
    state = {
        "tensor": torch.arange(3.0),
        "scalar tensor": torch.tensor(2.5, dtype=torch.float64),
        "array": np.arange(6, dtype=np.uint32).reshape(2, 3),
        "empty": np.zeros((0, 4)),
        "number": np.float32(0.1),
        "bool": np.bool_(True),
        "tuple": (1, "a", (None, 2.0)),
        "keys": {0: {"step": torch.tensor(1.0)}, 7: []},
        "nan": [float("nan"), float("-inf")],
        "big": 2**127 + 1,
        "marked": {"$tensor": 1},
        "numpy": generator.get_state(legacy=False),
        "torch": torch.get_rng_state(),
        "nothing": {},
    }
    nested.save(tmp_path, "state", state)
    back = nested.load(tmp_path, "state")
    assert list(back) == list(state)
    for key in ("tensor", "scalar tensor", "torch"):
        assert back[key].equal(state[key]) and back[key].dtype == state[key].dtype
    for key in ("array", "empty", "number", "bool"):
        np.testing.assert_array_equal(back[key], state[key])
        assert back[key].dtype == state[key].dtype and type(back[key]) is type(state[key])
    for key in ("tuple", "big", "marked", "nothing"):
        assert back[key] == state[key]
    assert list(back["keys"]) == [0, 7] and np.isnan(back["nan"][0]) and back["nan"][1] == -np.inf
    other = np.random.RandomState()
    other.set_state(back["numpy"])
    assert other.rand() == generator.rand()


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="without pickle"):
        nested.save(tmp_path, "state", {"a": object()})


@pytest.mark.parametrize("name", ["ppo", "sac", "recurrent_ppo"])
def test_policy_is_never_loaded_without_its_statistics(name, env, tmp_path):
    agents.make(name, env).save(tmp_path / "agent")
    record = nested.load(tmp_path / "agent", "agent")
    assert len(record["state"]["normalizer"]["observations"]["mean"]) == 6
    del record["state"]["normalizer"]
    nested.save(tmp_path / "agent", "agent", record)
    with pytest.raises(UserError, match="without its normalisation statistics"):
        agents.load(tmp_path / "agent", env)


def test_statistics_are_those_of_training(env, tmp_path):
    agent = agents.make("ppo", env, n_steps=20, batch_size=20)
    agent.learn(60)
    agent.save(tmp_path / "agent")
    loaded = agents.load(tmp_path / "agent", env)
    for part in ("obs_rms", "ret_rms"):
        for key, value in vars(getattr(agent.normalizer, part)).items():
            np.testing.assert_array_equal(getattr(getattr(loaded.normalizer, part), key), value)


@pytest.mark.parametrize("lost", ["agent.json", "agent.safetensors"])
def test_half_an_agent_is_refused(lost, env, tmp_path):
    agents.make("ppo", env).save(tmp_path / "agent")
    (tmp_path / "agent" / lost).unlink()
    with pytest.raises(UserError):
        agents.resolve(str(tmp_path / "agent"), env)


def test_damaged_agents_are_a_sentence(env, tmp_path):
    agents.make("ppo", env).save(tmp_path / "whole")
    damages = {
        "truncated": lambda folder: (folder / "agent.safetensors").write_bytes(b"123"),
        "no json": lambda folder: (folder / "agent.json").write_text("{"),
        "other size": lambda folder: edit(folder, lambda record: record["settings"].update(hidden=[8])),
        "unknown setting": lambda folder: edit(folder, lambda record: record["settings"].update(eval="x")),
        "old": lambda folder: edit(folder, lambda record: record.update(format=0)),
        "other agent": lambda folder: edit(folder, lambda record: record.update(agent="os.system")),
    }

    def edit(folder, change):
        record = json.loads((folder / "agent.json").read_text())
        change(record)
        (folder / "agent.json").write_text(json.dumps(record))

    for name, damage in damages.items():
        shutil.copytree(tmp_path / "whole", tmp_path / name)
        damage(tmp_path / name)
        with pytest.raises(UserError):
            agents.load(tmp_path / name, env)


def test_last_whole_checkpoint_is_found(tmp_path):
    assert checkpoints.latest(tmp_path) is None
    checkpoints.write(tmp_path, 90, {"timesteps": 90})
    checkpoints.write(tmp_path, 1200, {"timesteps": 1200})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000001200"]
    (tmp_path / "checkpoints" / ".000000001300.tmp-x").mkdir()  # killed while writing
    assert checkpoints.latest(tmp_path) == {"timesteps": 1200}
    (tmp_path / "checkpoints" / "000000000900").mkdir()  # killed while deleting
    assert checkpoints.latest(tmp_path) == {"timesteps": 1200}


def test_csv_grows_by_columns_and_forgets_rows_after_a_checkpoint(tmp_path):
    path = tmp_path / "progress.csv"
    log = CsvLog(path)
    log.write({"b": 1, "a": 2}, {"b": ("",), "a": ("",)})
    saved = log.state_dict()
    log.write({"a": 3, "c": "x,y"}, {"a": ("",), "c": ("",)})
    assert path.read_text().splitlines() == ["a,b,c", "2,1,", '3,,"x,y"']
    with path.open("a") as file:
        file.write("4,5")  # killed while writing
    log = CsvLog(path, **saved)
    assert path.read_text().splitlines() == ["a,b", "2,1"]
    log.write({"a": 7, "b": 8}, {"a": ("",), "b": ("",)})
    assert path.read_text().splitlines() == ["a,b", "2,1", "7,8"]
