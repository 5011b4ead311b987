import copy
import json

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from unlearn_gym.data import LabelledSet
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


@pytest.mark.parametrize("made", [_array, _network, _examples, _pair])
def test_another_content_is_another_text_and_a_copy_is_none(made):
    one, other = made()
    assert text(one) == text(copy.deepcopy(one)) != text(other)


def test_tensors_differ_by_shape_and_type_too():
    zeros = torch.zeros(4)
    texts = {text(each) for each in (zeros, zeros.view(2, 2), zeros.int(), zeros.numpy(), zeros.double())}
    assert len(texts) == 5
