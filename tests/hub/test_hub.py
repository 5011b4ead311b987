"""Agents and models go to a hub and come back the same; what is not whole, or no one's, is one sentence."""

import json
import runpy
from pathlib import Path

import gymnasium as gym
import pytest
import torch
import yaml
from huggingface_hub.errors import LocalTokenNotFoundError
from safetensors.torch import load_file, save_file

from tests.hub.folder_hub import FolderHub
from unlearn_gym import agents, apply, cli
from unlearn_gym.errors import UserError
from unlearn_gym.evaluation.report.sentences import number
from unlearn_gym.hub import client, from_hub, push_to_hub
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.threads import seeded_weights

REPOSITORY = "somebody/something"
EXAMPLES = Path(__file__).parents[2] / "examples"
PLACES = {"model": "checkpoint", "retain": "keep", "forget": "forget"}


@pytest.fixture
def hub(tmp_path):
    return FolderHub(tmp_path / "hub")


@pytest.fixture
def env():
    return gym.make("unlearn_gym/Quadratic-v0")


@pytest.fixture
def run(tmp_path, env):
    """The folder of an agent."""
    agents.make("cem", env, seed=3).save(tmp_path / "runs" / "mine" / "agent")
    return tmp_path / "runs" / "mine"


@pytest.fixture
def model(tmp_path):
    """An output folder of ``apply`` as far as a push looks at it."""
    folder = tmp_path / "applied"
    with seeded_weights(0):
        unet = build_unet(8, 1, 10, widths=(8, 16))
    DiffusionModel(unet, default_scheduler()).save_pretrained(folder / "model")
    results = {
        "model": "model",
        "kind": "diffusion",
        "numbers": {"forget_loss": {"before": 0.07, "after": 0.7, "change": 0.63}},
        "request": {"objective": "posterior", "steps": 200, "policy": str(tmp_path), "seed": 0},
        "learning_rate": 1e-4,
        "command": f"unlearn-gym apply --model {tmp_path}",
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "log.csv").write_text("update\n1\n")
    config = folder / "model" / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_name_or_path": str(tmp_path)}))
    return folder


def row(value, kind):
    numbers = {"values": [value, value], "mean": value, "std": 0.1, "ci95": [value - 0.2, value + 0.2]}
    return {"kind": kind, "metrics": {"return": {**numbers, "better": "higher"}}}


@pytest.fixture
def report(tmp_path):
    """The numbers of a report of ``evaluate``."""
    folder = tmp_path / "report"
    folder.mkdir()
    rows = {
        "static:0.5": row(0.25, "static"),
        "runs/mine": row(0.75, "learned"),
        "runs/other": row(9, "learned"),
    }
    content = {"env": "unlearn_gym/Quadratic-v0", "seeds": [1, 2], "agents": rows, "references": {}}
    (folder / "results.json").write_text(json.dumps(content))
    return folder


def card_of(hub):
    return (hub.root / REPOSITORY / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("part", ["", "agent"])
def test_an_agent_comes_back_the_same(part, run, env, hub, tmp_path):
    assert push_to_hub(run / part, REPOSITORY, hub=hub) == f"folder://{REPOSITORY}"
    assert hub.private == {REPOSITORY: True} and hub.commits == ["agent, by unlearn-gym"]
    there = {file.name for file in (hub.root / REPOSITORY).iterdir()}
    assert there == {"agent.json", "agent.safetensors", "manifest.json", "README.md"}
    for fetched in (from_hub(REPOSITORY, hub=hub), from_hub(REPOSITORY, tmp_path / "fetched", hub=hub)):
        own, back = (agents.load(folder, env) for folder in (run, fetched))
        state = env.reset(seed=0)[0]
        own.begin(0), back.begin(0)
        assert (own.predict(state)[0] == back.predict(state)[0]).all()
        assert (own.mean == back.mean).all()


def test_the_card_has_the_numbers_of_the_report_and_can_be_read(run, report, hub):
    push_to_hub(run, REPOSITORY, report=report, hub=hub)
    head, text = card_of(hub).split("---\n")[1:]
    assert yaml.safe_load(head)["tags"] == [
        "machine-unlearning",
        "unlearn-gym",
        "reinforcement-learning",
        "cem",
    ]
    assert "| **this agent** | 0.75 ± 0.20 |" in text
    assert "| static:0.5 | 0.25 ± 0.20 |" in text
    assert "runs/" not in text and "2 seeds of `unlearn_gym/Quadratic-v0`" in text
    assert "| population | `" in text


def test_the_code_of_the_card_runs(run, hub, monkeypatch):
    push_to_hub(run, REPOSITORY, hub=hub)
    monkeypatch.setattr("unlearn_gym.hub.default_hub", lambda: hub)
    code = card_of(hub).split("```python\n")[1].split("```")[0].replace("SISS-Digits-v0", "Quadratic-v0")
    names: dict = {}
    exec(code, names)
    assert 0.1 <= float(names["lam"][0]) <= 0.9


def test_a_diffusion_model_comes_back_with_the_numbers_of_its_request(model, hub, tmp_path):
    push_to_hub(model, REPOSITORY, private=False, hub=hub)
    assert hub.private == {REPOSITORY: False}
    fetched = from_hub(REPOSITORY, tmp_path / "fetched", hub=hub)
    own, back = (DiffusionModel.load(folder).unet.state_dict() for folder in (model / "model", fetched))
    assert all(torch.equal(own[name], back[name]) for name in own)
    assert not (fetched / "log.csv").exists() and not (fetched / "results.json").exists()
    text = card_of(hub)
    assert "| forget_loss | 0.070 | 0.700 |" in text and "| objective | `posterior` |" in text
    assert not any(str(tmp_path) in f.read_text("utf-8", "ignore") for f in fetched.rglob("*") if f.is_file())


@pytest.mark.slow
def test_what_apply_writes_is_pushed_without_a_path(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_request = runpy.run_path(str(EXAMPLES / "deletion_request.py"))["write_request"]
    write_request(tmp_path / "request")
    places = {name: tmp_path / "request" / part for name, part in PLACES.items()}
    quick = {"steps": 4, "samples": 4, "sampling_steps": 2, "learning_rate": 1e-4}
    applied = apply(**places, output=tmp_path / "out", **quick)
    push_to_hub(applied.folder, REPOSITORY, hub=hub)
    assert f"| forget_loss | {number(applied.numbers['forget_loss']['before'])} |" in card_of(hub)
    there = [file for file in (hub.root / REPOSITORY).rglob("*") if file.is_file()]
    assert not any(str(tmp_path).encode() in file.read_bytes() for file in there)
    DiffusionModel.load(from_hub(REPOSITORY, hub=hub))


def test_a_classifier_comes_back(hub, tmp_path):
    weights = {"weight": torch.arange(4.0)}
    save_file(weights, tmp_path / "net.safetensors")
    push_to_hub(tmp_path / "net.safetensors", REPOSITORY, hub=hub)
    assert torch.equal(
        load_file(from_hub(REPOSITORY, hub=hub) / "model.safetensors")["weight"], weights["weight"]
    )
    assert "nothing is said of it" in card_of(hub)


def test_a_push_replaces_weights_and_leaves_other_files(model, run, hub):
    push_to_hub(model, REPOSITORY, hub=hub)
    (hub.root / REPOSITORY / "notes.txt").write_text("mine")
    push_to_hub(run, REPOSITORY, hub=hub)
    there = {file.name for file in (hub.root / REPOSITORY).rglob("*") if file.is_file()}
    assert there == {"agent.json", "agent.safetensors", "manifest.json", "README.md", "notes.txt"}


def test_paths_of_the_training_stay_here(run, hub, env, monkeypatch):
    stored = {"env": "unlearn_gym/SISS-v0", "env_kwargs": {"model": "/home/me/secret", "horizon": 7}}
    (run / "config.yaml").write_text("")
    monkeypatch.setattr(
        "unlearn_gym.hub.contents.stored_config", lambda _: {**stored, "total_timesteps": 5, "seed": 0}
    )
    push_to_hub(run, REPOSITORY, hub=hub)
    assert "secret" not in card_of(hub) and 'gym.make("unlearn_gym/SISS-v0", horizon=7)' in card_of(hub)


def test_what_is_no_agent_or_model_is_not_sent(tmp_path, run, report, model, hub):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    wrong = {
        "is neither an agent nor a model": (tmp_path / "empty", {}),
        "is neither an agent nor": (tmp_path / "nowhere", {}),
        "cannot be read": (tmp_path / "broken.safetensors", {}),
        "has no row 'x'; choose one of static:0.5": (run, {"report": report, "row": "x"}),
        "is called as the folder 'agent'": (run / "agent", {"report": report}),
        "results.json cannot be read": (run, {"report": tmp_path / "empty"}),
        "no table of agents": (run, {"report": model}),
        "report= belongs to an agent": (model, {"report": report}),
    }
    for sentence, (path, keywords) in wrong.items():
        with pytest.raises(UserError, match=sentence):
            push_to_hub(path, REPOSITORY, hub=hub, **keywords)
    (run / "agent" / "agent.json").write_text("{}")
    with pytest.raises(UserError, match="agent"):
        push_to_hub(run, REPOSITORY, hub=hub)
    assert not hub.commits and not hub.root.exists()


def test_what_comes_damaged_or_from_elsewhere_is_refused(run, hub, tmp_path):
    push_to_hub(run, REPOSITORY, hub=hub)
    weights = hub.root / REPOSITORY / "agent.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    with pytest.raises(UserError, match=r"damaged: agent\.safetensors"):
        from_hub(REPOSITORY, tmp_path / "fetched", hub=hub)
    (hub.root / REPOSITORY / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"no manifest\.json"):
        from_hub(REPOSITORY, tmp_path / "fetched", hub=hub)
    assert not (tmp_path / "fetched").exists()


def test_a_manifest_cannot_name_files_outside(run, hub, tmp_path):
    push_to_hub(run, REPOSITORY, hub=hub)
    (tmp_path / "hub" / "outside.json").write_text("{}")
    manifest = hub.root / REPOSITORY / "manifest.json"
    content = json.loads(manifest.read_text())
    content["sha256"]["../../outside.json"] = "0" * 64
    manifest.write_text(json.dumps(content))
    with pytest.raises(UserError, match="damaged"):
        from_hub(REPOSITORY, tmp_path / "fetched", hub=hub)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (LocalTokenNotFoundError("no token\nat all"), "hf auth login"),
        (OSError("offline"), "that you are online"),
    ],
)
def test_failures_of_the_hub_are_one_sentence(error, advice, run, hub, monkeypatch):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(hub, "create_repo", fails)
    monkeypatch.setattr(hub, "snapshot_download", fails)
    for call, verb in ((lambda: push_to_hub(run, REPOSITORY, hub=hub), "pushed"), (
        lambda: from_hub(REPOSITORY, hub=hub), "fetched")):  # fmt: skip
        with pytest.raises(UserError, match=f"could not be {verb}") as said:
            call()
        assert advice in str(said.value) and "\n" not in str(said.value)


def test_a_wrong_name_is_one_sentence(run, hub):
    with pytest.raises(UserError, match="give it as USER/NAME"):
        push_to_hub(run, "a/b/c", hub=hub)


def test_the_commands(run, report, hub, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("unlearn_gym.hub.default_hub", lambda: hub)
    assert cli.main(["push", str(run), "--to", REPOSITORY, "--report", str(report), "--no-private"]) == 0
    assert capsys.readouterr().out == f"folder://{REPOSITORY}\n" and hub.private == {REPOSITORY: False}
    assert cli.main(["pull", REPOSITORY, "--output", str(tmp_path / "fetched")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'fetched'}\n"
    for words, sentence in ((["push", str(run)], "--to is missing"), (["pull"], "--repository is missing")):
        assert cli.main(words) == 2
        assert capsys.readouterr().err.startswith(f"error: {sentence}")


def test_the_default_hub_is_the_one_of_the_endpoint():
    assert client.default_hub().endpoint.startswith("http")
