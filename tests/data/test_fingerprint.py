import copy
import json

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, UNet2DModel
from torch import nn

from unlearn_gym.data import LabelledSet, fingerprint
from unlearn_gym.data.fingerprint import content_of


def text(value) -> str:
    return json.dumps({"it": value}, sort_keys=True, default=content_of)


def _array():
    array = np.zeros(5000)  # NumPy's own text shows six of these
    changed = array.copy()
    changed[2500] = 1.0
    return array, changed


def _network():
    network = nn.Linear(2, 2)
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.bias[0] += 1.0
    return network, changed


def _examples():
    inputs = torch.zeros(4, 1, 2, 2)
    return LabelledSet(inputs, torch.arange(4)), LabelledSet(inputs, torch.tensor([0, 1, 2, 2]))


def _pair():
    network, _ = _network()
    return (network, DDPMScheduler(100)), (network, DDPMScheduler(200))


def _objects():
    return np.array(["a", None], dtype=object), np.array(["b", None], dtype=object)


class Own(nn.Module):
    """Of a file of the user's."""


@pytest.mark.parametrize("made", [_array, _network, _examples, _pair, _objects])
def test_another_content_is_another_text_and_a_copy_is_none(made):
    one, other = made()
    assert text(one) == text(copy.deepcopy(one)) != text(other)


def test_tensors_differ_by_shape_and_type_too():
    zeros = torch.zeros(4)
    texts = {text(each) for each in (zeros, zeros.view(2, 2), zeros.int(), zeros.numpy(), zeros.double())}
    assert len(texts) == 5


def test_a_network_is_known_by_the_source_of_its_own_classes(monkeypatch):
    before = text(Own())
    monkeypatch.setattr(fingerprint, "_source", lambda kind: "return x - 1")
    assert text(Own()) != before


def test_a_checkpoint_has_the_same_content_wherever_it_lies(tmp_path):
    network = UNet2DModel(8, 1, 1, block_out_channels=(8,), norm_num_groups=4, down_block_types=("DownBlock2D",),
                          up_block_types=("UpBlock2D",))  # fmt: skip
    for place in ("here", "there"):
        network.save_pretrained(tmp_path / place)
    read = [UNet2DModel.from_pretrained(tmp_path / place) for place in ("here", "there")]
    assert text(network) == text(read[0]) == text(read[1])


def test_what_cannot_be_told_apart_is_of_this_process_alone():
    one, other = object(), object()
    assert text(one) == text(one) != text(other) and fingerprint.PROCESS in text(one)


def test_contents_are_read_once(monkeypatch):
    read = []
    monkeypatch.setattr(fingerprint, "of_tensors", lambda named: read.append(named) or "x")
    content, tensor = fingerprint.Contents(), torch.zeros(3)
    for _ in range(4):
        assert json.dumps([tensor, {"again": tensor}], default=content) == '["x", {"again": "x"}]'
    assert len(read) == 1
