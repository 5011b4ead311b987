import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.storage.bundles import key_of, named, pack, show, unpack


@pytest.fixture
def agent(tmp_path):
    folder = tmp_path / "sender" / "agent"
    (folder / "deep").mkdir(parents=True)
    (folder / "agent.json").write_text("{}")
    (folder / "deep" / "weights").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("UNLEARN_GYM_CACHE", str(tmp_path / "cache"))


def put(source, place):
    contents = pack(source)
    show(contents, key_of(contents), place, single=source.is_file())


def test_a_folder_comes_out_as_it_went_in(agent, tmp_path):
    unpack(pack(agent), tmp_path / "copy")
    assert pack(tmp_path / "copy") == pack(agent)


def test_the_key_is_of_names_and_contents():
    keys = {key_of(each) for each in ({"a": b"12"}, {"a": b"1", "2": b""}, {"b": b"12"}, {"a": b"21"})}
    assert len(keys) == 4
    assert key_of({"a": b"1", "b": b"2"}) == key_of({"b": b"2", "a": b"1"})


def test_a_path_names_what_was_sent_and_later_what_was_sent_later(agent, tmp_path):
    place = tmp_path / "receiver" / "agents" / "mine"
    put(agent, place)
    assert pack(place) == pack(agent)
    (agent / "agent.json").write_text('{"trained": "again"}')
    put(agent, place)
    assert (place / "agent.json").read_text() == '{"trained": "again"}'


def test_a_file_keeps_its_name(agent, tmp_path):
    put(agent / "agent.json", tmp_path / "receiver" / "agent.json")
    assert (tmp_path / "receiver" / "agent.json").read_text() == "{}"


def test_what_belongs_to_the_receiver_is_not_touched(agent, tmp_path):
    own = tmp_path / "receiver" / "agent.json"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(UserError, match="is not the same here as on the machine that started this"):
        put(agent / "agent.json", own)
    assert own.read_text() == "mine"


def test_only_what_is_there_is_named(agent):
    words = {"model": str(agent), "task": "no such folder", "horizon": 3, "other": agent / "agent.json"}
    assert named(words) == [agent, agent / "agent.json"]
