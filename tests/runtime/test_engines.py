import importlib.util

import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.runtime.engines import Local, as_engine, make_engine


def test_a_number_stands_for_processes():
    assert as_engine(3) == Local(3)
    assert as_engine(Local(2)) == Local(2)
    assert (Local(1).alone, Local(2).alone) == (True, False)


def test_one_job_is_the_default_of_this_machine():
    assert make_engine("local") == Local(1)
    assert make_engine("local", 4) == Local(4)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"name": "slurm"}, "engine='slurm' is not known; choose local or ray"),
        ({"name": "local", "jobs": 0}, "jobs=0 was given; give at least 1"),
        ({"name": "local", "address": "auto"}, "belong to --engine ray"),
        ({"name": "local", "gpus": 0.5}, "belong to --engine ray"),
    ],
)
def test_what_is_no_engine_gets_a_sentence(words, sentence):
    with pytest.raises(UserError, match=sentence):
        make_engine(**words)


def test_without_ray_the_extra_is_named(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "unlearn_gym.runtime.on_ray.find_spec", lambda name: None if name == "ray" else found(name)
    )
    with pytest.raises(UserError, match=r"pip install 'unlearn-gym\[ray\]'"):
        make_engine("ray")
