import json
import shutil

import gymnasium as gym
import numpy as np
import pytest
import torch

from unlearn_gym import agents
from unlearn_gym.agents.common import serialization
from unlearn_gym.agents.training import checkpoints
from unlearn_gym.agents.training.logs import CsvLog, Logbook
from unlearn_gym.errors import UserError
from unlearn_gym.storage import files
from unlearn_gym.storage.checksums import MANIFEST, checksums


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
    serialization.save(tmp_path, "state", state)
    back = serialization.load(tmp_path, "state")
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


def test_what_was_loaded_multiplies_as_what_was_saved(tmp_path):
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(64, 6, generator=generator)
    state = {str(rows): torch.randn(rows, 6, generator=generator) for rows in range(1, 9)}
    serialization.save(tmp_path, "state", {"odd": torch.zeros(1), **state, "array": state["2"].numpy()})
    back = serialization.load(tmp_path, "state")
    for key, value in (*state.items(), ("array", state["2"])):
        loaded = torch.as_tensor(back[key])
        assert loaded.data_ptr() % 64 == 0, key  # as torch allocates
        assert torch.equal(loaded @ weights.T, value @ weights.T), key


def test_objects_are_refused(tmp_path):
    with pytest.raises(TypeError, match="without pickle"):
        serialization.save(tmp_path, "state", {"a": object()})


@pytest.mark.parametrize("name", ["ppo", "sac", "recurrent_ppo"])
def test_policy_is_never_loaded_without_its_statistics(name, env, tmp_path):
    agents.make(name, env).save(tmp_path / "agent")
    record = serialization.load(tmp_path / "agent", "agent")
    assert len(record["state"]["normalizer"]["observations"]["mean"]) == 6
    del record["state"]["normalizer"]
    serialization.save(tmp_path / "agent", "agent", record)
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


def rewrite(folder, change, manifest):
    """Change ``agent.json``; the manifest with it, or not, or remove it."""
    file = folder / "agent.json"
    record = json.loads(file.read_text())
    record = change(record) or record
    file.write_text(json.dumps(record))
    if manifest == "right":
        (folder / MANIFEST).write_text(json.dumps({"sha256": checksums(folder)}))
    elif manifest == "missing":
        (folder / MANIFEST).unlink()


FIRST = "mlp_extractor.policy_net.0.weight"
CHANGES = {
    "other size": lambda record: record["settings"].update(hidden=[8]),
    "unknown setting": lambda record: record["settings"].update(eval="x"),
    "no setting": lambda record: record["settings"].update(device="abacus"),
    "infinite setting": lambda record: record["settings"].update(learning_rate=float("inf")),
    "settings of another type": lambda record: record.update(settings=[1]),
    "old": lambda record: record.update(format=0),
    "other agent": lambda record: record.update(agent="os.system"),
    "agent of another type": lambda record: record.update(agent=None),
    "a missing key": lambda record: record.pop("state"),
    "state of another type": lambda record: record.update(state=[]),
    "list": lambda record: [1],
    "null": lambda record: "null",
    "text": lambda record: "agent",
    "tensor that is not there": lambda record: record["state"]["policy"].update(x={"$tensor": "999"}),
    "tensor of another type": lambda record: record["state"]["policy"].update(x={"$tensor": []}),
    "missing weights": lambda record: record["state"]["policy"].pop(FIRST),
    "weights of another type": lambda record: record["state"]["policy"].update({FIRST: "x"}),
    "weights of another shape": lambda record: record["state"]["policy"].update({FIRST: {"$tensor": "1"}}),
    "not finite": lambda record: record["state"]["policy"].update(x={"$float": "nan"}),
    "statistics of another type": lambda record: record["state"].update(normalizer=[1]),
    "missing statistics": lambda record: record["state"]["normalizer"]["observations"].pop("mean"),
    "surplus statistics": lambda record: record["state"]["normalizer"]["observations"].update(x=1),
    "statistics of another shape": lambda record: record["state"]["normalizer"]["observations"].update(
        mean=1.0
    ),
    "negative variance": lambda record: record["state"]["normalizer"]["returns"].update(var=-1.0),
    "other range": lambda record: record.update(lambda_range=["a"]),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agents") / "whole"
    agents.make("ppo", gym.make("unlearn_gym/Quadratic-v0")).save(folder)
    return folder


@pytest.mark.parametrize("manifest", ["right", "missing", "wrong"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.filterwarnings("ignore:.*has no manifest")
def test_damaged_agents_are_a_sentence_with_and_without_checksums(change, manifest, whole, env, tmp_path):
    shutil.copytree(whole, tmp_path / "agent")
    rewrite(tmp_path / "agent", change, manifest)
    with pytest.raises(UserError) as error:
        agents.load(tmp_path / "agent", env)
    assert str(tmp_path / "agent") in str(error.value) and "\n" not in str(error.value)
    assert manifest != "wrong" or "agent.json: not as in manifest.json" in str(error.value)


@pytest.mark.parametrize("name", ["agent.json", "agent.safetensors", "manifest.json"])
@pytest.mark.parametrize("damage", [b"", b"123", b"{", b"[]", b"null", b"{}", b"\xff\xfe", b"[" * 9999, 40])
def test_damaged_files_of_agents_are_a_sentence(name, damage, whole, env, tmp_path):
    shutil.copytree(whole, tmp_path / "agent")
    file = tmp_path / "agent" / name
    old = file.read_bytes()
    file.write_bytes(old[:damage] + bytes([old[damage] ^ 1]) + old[damage + 1 :] if damage == 40 else damage)
    with pytest.raises(UserError, match=r"whole agent\.json"):
        agents.load(tmp_path / "agent", env)


def test_agents_of_early_versions_have_no_manifest_and_load_with_a_warning(whole, env, tmp_path):
    shutil.copytree(whole, tmp_path / "agent")
    (tmp_path / "agent" / MANIFEST).unlink()
    with pytest.warns(UserWarning, match="no manifest"):
        agents.load(tmp_path / "agent", env)
    agents.load(whole, env).save(tmp_path / "agent")
    assert sorted(path.name for path in (tmp_path / "agent").iterdir()) == sorted(
        serialization.files("agent")
    )


def test_an_agent_that_diverged_is_not_saved(env, tmp_path):
    agent = agents.make("sac", env, hidden=[4])
    with torch.no_grad():
        next(agent.model.policy.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="is not finite, its training diverged"):
        agent.save(tmp_path / "agent")
    assert not list(tmp_path.iterdir())


def test_saving_over_an_agent_keeps_the_files_of_others(env, tmp_path):
    agents.make("static:0.3", env).save(tmp_path)
    agents.make("static:0.4", env).save(tmp_path)
    assert agents.load(tmp_path, env).settings.lam == 0.4
    (tmp_path / "notes.md").write_text("mine")
    with pytest.raises(UserError, match=r"holds notes\.md, no part of"):
        agents.make("static:0.5", env).save(tmp_path)
    assert agents.load(tmp_path, env).settings.lam == 0.4 and (tmp_path / "notes.md").exists()


def test_an_agent_whose_replacement_was_killed_is_loaded(env, tmp_path, monkeypatch):
    agents.make("static:0.3", env).save(tmp_path)

    def killed(folder):
        if (folder / files.PENDING).exists():
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "_move_pending", killed)
        with pytest.raises(KeyboardInterrupt):
            agents.make("static:0.4", env).save(tmp_path)
    assert agents.load(tmp_path, env).settings.lam == 0.4 and not (tmp_path / files.PENDING).exists()


def test_last_whole_checkpoint_is_found(tmp_path):
    assert checkpoints.latest(tmp_path) is None
    checkpoints.write(tmp_path, 90, {"timesteps": 90})
    checkpoints.write(tmp_path, 1200, {"timesteps": 1200})
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["000000001200"]
    (tmp_path / "checkpoints" / ".000000001300.tmp-x").mkdir()  # killed while writing
    assert checkpoints.latest(tmp_path) == {"timesteps": 1200}
    (tmp_path / "checkpoints" / "000000000900").mkdir()  # killed while deleting
    assert checkpoints.latest(tmp_path) == {"timesteps": 1200}


def test_csv_grows_by_columns_and_goes_on_from_a_checkpoint_whatever_became_of_it(tmp_path):
    path = tmp_path / "progress.csv"
    log = CsvLog(path)
    log.write({"b": 1, "a": 2}, {"b": ("",), "a": ("",)})
    saved = log.state_dict()
    log.write({"a": 3, "c": "x,y"}, {"a": ("",), "c": ("",)})
    assert path.read_text().splitlines() == ["a,b,c", "2,1,", '3,,"x,y"']
    for text in (path.read_text() + "4,5", "a,", ""):  # killed while writing; truncated
        path.write_text(text)
        log = CsvLog(path, **saved)
        assert path.read_text().splitlines() == ["a,b", "2,1"]
        log.write({"a": 7, "b": 8}, {"a": ("",), "b": ("",)})
        assert path.read_text().splitlines() == ["a,b", "2,1", "7,8"]


def test_logs_of_early_checkpoints_are_continued_and_lost_rows_are_said(tmp_path):
    state = {"last": 4, "csv": {"rows": 2, "columns": ["a", "b"]}, "values": {}, "counts": {}, "excluded": {}}
    path = tmp_path / "progress.csv"
    path.write_text("a,b,c\n1,2,3\n4,5,6\n7,8,9\n")
    Logbook(tmp_path, 1, state).close()
    assert path.read_text().splitlines() == ["a,b", "1,2", "4,5"]
    path.write_text("a,b\n1,2\n")
    with pytest.warns(UserWarning, match="has lost 1 rows"):
        Logbook(tmp_path, 1, state).close()
    assert path.read_text().splitlines() == ["a,b", "1,2"]
