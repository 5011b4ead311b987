"""Words that mean rules: names, numbers, a user's file, and what is wrong with them."""

import numpy as np
import pytest
import torch

from unlearn_gym.errors import UserError
from unlearn_gym.methods import METHODS, load_method, make_method, read_loss

GOOD = """
import torch.nn.functional as F

class UnlearningMethod:
    def __init__(self):
        self.forget_weight = 0.01

    def unlearn_step(self, model, retain_batch, forget_batch, optimizer, step, epoch):
        images, labels = retain_batch
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"loss": loss.item(), "step": step}
"""


def write(folder, text):
    path = folder / "custom_unlearning.py"
    path.write_text(text)
    return path


def test_a_benchmark_file_runs_unchanged(tmp_path, model, batches):
    method = make_method(str(write(tmp_path, GOOD)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    result = method.unlearn_step(model, *batches, optimizer, 0, 0)
    assert read_loss(result, "mine") == result["loss"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "no class UnlearningMethod"),
        ("class UnlearningMethod:\n    pass\n", "no unlearn_step"),
        ("class UnlearningMethod:\n    unlearn_step = 3\n", "no unlearn_step"),
        (
            "class UnlearningMethod:\n    def __init__(self, a): pass\n    def unlearn_step(self): pass\n",
            "without arguments",
        ),
        ("class UnlearningMethod:\n    def unlearn_step(self, model): pass\n", "six arguments"),
        ("import nowhere_to_be_found\n", "cannot be imported"),
    ],
)
def test_bad_files_are_named_with_the_contract(tmp_path, text, says):
    with pytest.raises(UserError, match=says) as error:
        load_method(write(tmp_path, text))
    assert "\n" not in str(error.value)
    if "imported" not in says:
        assert "unlearn_step(self, model, retain_batch" in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="no file"):
        make_method(str(tmp_path / "none.py"))


def test_unknown_names_list_the_known():
    with pytest.raises(UserError) as error:
        make_method("amnesia")
    assert all(name in str(error.value) for name in METHODS)


@pytest.mark.parametrize(
    "spec", ["emse:much", "emse:0.1:0.2", "retain_finetune:1", "emse:nan", "salun:7", "scrub:0.01:0.99:0"]
)
def test_bad_numbers(spec):
    with pytest.raises(UserError, match=spec.split(":")[0]):
        make_method(spec)


@pytest.mark.parametrize("value", [1.5, 2, np.float32(0.5), torch.tensor(0.25), float("nan")])
def test_losses_that_are_numbers(value):
    assert isinstance(read_loss({"loss": value}, "mine"), float)


@pytest.mark.parametrize(
    "result",
    [None, 1.0, {}, {"Loss": 1.0}, {"loss": None}, {"loss": "low"}, {"loss": torch.ones(2)}, {"loss": [1.0]}],
)
def test_results_that_are_not(result):
    with pytest.raises(UserError, match=r"'mine'.*unlearn_step.*loss"):
        read_loss(result, "mine")
