"""A record is never taken for one of other code."""

import shutil
import warnings
from pathlib import Path

import gymnasium as gym
import pytest

import unlearn_gym
from unlearn_gym.evaluation import Entry, Experiment
from unlearn_gym.evaluation import sources as of_code
from unlearn_gym.evaluation.sources import code_digest, sources

PACKAGE = Path(unlearn_gym.__file__).parent

LAYERS = {
    "registration": ("registration.py", '"horizon": 2000', '"horizon": 2001'),
    "runner": ("evaluation/runner.py", "class Runner", "EXTRA = 1\n\n\nclass Runner"),
    "run": ("evaluation/run.py", "dtype=bool", "dtype=np.bool_"),
    "protocol": ("evaluation/benchmark/protocol.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "evaluator": ("evaluation/evaluators/supervised.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "objective": ("objectives/siss.py", "0.0", "0.5"),
    "process": ("processes/common/step.py", "1e-6", "1e-5"),
    "metric": ("metrics/privacy.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "data": ("data/readers/pixels.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "model": ("models/diffusion/sampling.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "environment": ("envs/rewards.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "agent": ("agents/adaptive_vi.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
    "method": ("methods/published/scrub.py", "\n\n\n", "\n\n\nEXTRA = 1\n"),
}


@pytest.fixture(scope="module")
def copied(tmp_path_factory):
    target = tmp_path_factory.mktemp("copy") / "unlearn_gym"
    return Path(shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__", "shipped")))


def test_a_copy_has_the_same_digest(copied):
    assert code_digest(copied) == code_digest()


@pytest.mark.parametrize("layer", LAYERS)
def test_one_constant_in_a_layer_changes_it(layer, copied):
    name, old, new = LAYERS[layer]
    text = (copied / name).read_text()
    assert old in text
    (copied / name).write_text(text.replace(old, new, 1))
    try:
        code_digest.cache_clear()
        assert code_digest(copied) != code_digest()
    finally:
        (copied / name).write_text(text)
        code_digest.cache_clear()


def test_trainings_of_another_code_are_warned_of(tmp_path, monkeypatch):
    of_code.note_code([tmp_path / "cem"])
    (tmp_path / "cem").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        of_code.note_code([tmp_path / "cem", tmp_path / "ppo"])
        monkeypatch.setattr(of_code, "code_digest", lambda: "another")
        (tmp_path / "early").mkdir()  # of a version that did not write it
        of_code.note_code([tmp_path / "early"])
    with pytest.warns(UserWarning, match="cem was trained by another state"):
        of_code.note_code([tmp_path / "cem"])


def test_tables_and_pictures_are_no_part_of_it():
    assert not [name for name in sources(PACKAGE) if "report" in name.split(".") or "cli" in name.split(".")]


def test_the_keywords_an_id_is_registered_with_are_part_of_a_record(monkeypatch):
    experiment = Experiment("unlearn_gym/Quadratic-v0", (Entry("static:0.5", lambda env: None),), (0,))
    before = experiment.key("static:0.5", 0)
    monkeypatch.setitem(gym.spec("unlearn_gym/Quadratic-v0").kwargs, "horizon", 7)
    assert experiment.key("static:0.5", 0) != before
