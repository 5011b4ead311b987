"""Other people's networks under EMSE: they work as they are, or one sentence says what is to be changed."""

from collections import namedtuple

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import unlearn_gym  # noqa: F401 (registers the ids)
from unlearn_gym.errors import UserError
from unlearn_gym.models.supervised.foreign import Adapted, itself

RNG = np.random.default_rng(0)
INPUTS = RNG.standard_normal((24, 5)).astype(np.float32)
LABELS = np.arange(24) % 3
Output = namedtuple("Output", "loss logits")


def linear(outputs=3, inputs=5, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return nn.Linear(inputs, outputs)


class Around(nn.Module):
    """A network whose outputs are changed by a function."""

    def __init__(self, inner, change):
        super().__init__()
        self.inner, self.change = inner, change

    def forward(self, inputs):
        return self.change(self.inner(inputs))


class Tokens(nn.Module):
    """Means of embeddings, as of a sequence of words; it takes whole numbers alone."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, words):
        return self.head(self.table(words).mean(1))


def make(model=None, retain=None, forget=None, **options):
    retain = (INPUTS[:16], LABELS[:16]) if retain is None else retain
    forget = (INPUTS[16:], LABELS[16:]) if forget is None else forget
    return gym.make(
        "unlearn_gym/EMSE-v0", model=model or linear(), retain_data=retain, forget_data=forget,
        **{"batch_size": 8, "horizon": 3, **options},
    ).unwrapped  # fmt: skip


def trace(env):
    """Return the observations of three updates."""
    observations = [env.reset(seed=0)[0]]
    observations += [env.step(np.array([0.5]))[0] for _ in range(3)]
    return np.array(observations)


@pytest.fixture(scope="module")
def plain():
    return trace(make(num_classes=3))


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda out: (out, None),
        lambda out: [out],
        lambda out: Output(None, out),
        lambda out: {"logits": out, "hidden": out + 1},
        lambda out: Output(out.sum(), out)._asdict(),
    ],
)
def test_outputs_that_hold_logits_are_logits(wrapped, plain):
    env = make(Around(linear(), wrapped))
    np.testing.assert_array_equal(trace(env), plain)
    assert isinstance(env.process.model, Adapted) and set(itself(env.process.model).state_dict()) == {
        "inner.weight", "inner.bias",
    }  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        {"model": linear().double()},
        {"model": nn.Sequential(linear(), nn.Dropout(0.5)).train()},
        {"retain": (INPUTS[:16].astype(np.float64), LABELS[:16])},
        {"retain": (INPUTS[:16].tolist(), LABELS[:16].tolist())},
        {"retain": (INPUTS[:16], LABELS[:16, None])},
        {"retain": (INPUTS[:16], LABELS[:16].astype(np.uint8))},
        {"retain": TensorDataset(torch.from_numpy(INPUTS[:16]), torch.from_numpy(LABELS[:16]))},
        {"retain": (INPUTS[:16], [["a", "b", "c"][label] for label in LABELS[:16]])},
        {"num_classes": 3},
    ],
)
def test_other_types_modes_and_a_forgotten_number_of_classes_change_nothing(options, plain):
    np.testing.assert_allclose(trace(make(**options)), plain, rtol=1e-3, atol=1e-6)


def test_the_users_model_is_left_alone_and_saved_under_its_own_names(tmp_path):
    model = Around(linear(), lambda out: (out,)).double().train()
    env = make(model)
    trace(env)
    assert model.training and model.inner.weight.dtype == torch.float64
    env.save(tmp_path / "a.safetensors")
    from safetensors.torch import load_file

    stored = load_file(tmp_path / "a.safetensors")
    assert set(stored) == set(model.state_dict()) and not torch.equal(
        stored["inner.weight"], model.inner.weight
    )


def test_whole_numbers_are_inputs_and_tokens():
    words = RNG.integers(0, 50, (24, 7))
    env = make(Tokens(), (words[:16], LABELS[:16]), (words[16:], LABELS[16:]))
    assert np.isfinite(trace(env)).all() and env.process.model.whole
    counts = make(linear(3, 7), (words[:16], LABELS[:16]), (words[16:], LABELS[16:]))
    assert isinstance(counts.process.model, nn.Linear)


@pytest.mark.parametrize("squeezed", [False, True])
def test_one_logit_for_two_classes_is_two_logits(squeezed):
    labels = LABELS % 2
    one = linear(1)
    two = linear(2)
    with torch.no_grad():
        two.weight[0], two.bias[0] = 0, 0
        two.weight[1], two.bias[1] = one.weight[0], one.bias[0]
    sets = {"retain": (INPUTS[:16], labels[:16]), "forget": (INPUTS[16:], labels[16:]), "num_classes": 2}
    model = Around(one, lambda out: out.squeeze(1)) if squeezed else one
    # at equal weights the errors are equal; the second logit's gradient is that of the only one
    first, second = trace(make(model, **sets))[0], trace(make(two, **sets))[0]
    np.testing.assert_allclose(first[:2], second[:2], rtol=1e-5)
    np.testing.assert_allclose(first[2:4], second[2:4] / 2**0.5, rtol=1e-4)


@pytest.mark.parametrize("squeezed", [False, True])
@pytest.mark.parametrize("column", [False, True])
def test_targets_and_outputs_of_a_regression_may_be_columns_or_not(squeezed, column):
    targets = INPUTS.sum(1)
    targets = targets[:, None] if column else targets
    model = Around(linear(1), lambda out: out.squeeze(1)) if squeezed else linear(1)
    env = make(model, (INPUTS[:16], targets[:16]), (INPUTS[16:], targets[16:]))
    expected = float(
        (linear(1)(torch.from_numpy(INPUTS[:16]))[:, 0] - torch.from_numpy(INPUTS[:16].sum(1)))
        .square()
        .mean()
    )
    assert env.process.quality().retain_loss == pytest.approx(expected, rel=1e-5)
    assert env.process.data.num_classes == 0 and np.isfinite(trace(env)).all()


def test_sequences_of_a_regression():
    series = RNG.standard_normal((24, 6, 5)).astype(np.float32)
    sets = [(series[part], series[part, :, :2]) for part in (slice(16), slice(16, 24))]
    assert np.isfinite(trace(make(linear(2), *sets))).all()


def frozen():
    model = linear()
    return model.requires_grad_(False)


def fails(inputs):
    raise KeyError("first\nsecond")


WHOLE = (INPUTS[:16], LABELS[:16] % 2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"model": frozen()}, "No weight of the model may change"),
        ({"model": nn.Flatten()}, "No weight of the model may change"),
        ({"model": linear().to("meta")}, "cannot be copied to the CPU"),
        ({"model": Around(linear(), fails)}, "cannot be applied"),
        ({"model": Around(linear(), torch.detach)}, "have no gradient"),
        ({"model": Around(linear(), lambda out: out * torch.nan)}, "not all finite"),
        ({"model": Around(linear(), lambda out: out.argmax(1))}, "int64 values"),
        ({"model": Around(linear(), lambda out: {"scores": out})}, "a dict without logits"),
        ({"model": Around(linear(), lambda out: None)}, "a NoneType without logits"),
        ({"model": nn.Sequential(linear(), nn.Softmax(1))}, "returns probabilities"),
        ({"model": nn.Sequential(linear(1), nn.Sigmoid()), "num_classes": 2, "retain": WHOLE, "forget": WHOLE},
         "ends in a Sigmoid"),
        ({"model": linear(1), "retain": WHOLE}, "give num_classes=2 .* or num_classes=0"),
        ({"retain": (INPUTS[:16], np.eye(3)[LABELS[:16]])}, "one-hot labels"),
        ({"retain": (INPUTS[:16], np.eye(3)[LABELS[:16]]), "num_classes": 3}, "one-hot rows"),
        ({"retain": (INPUTS[:16], LABELS[:16] * 1.0)}, "float64 labels and the model returns 3"),
        ({"retain": (INPUTS[:16], LABELS[:16] * 1.0), "num_classes": 3}, "float64 labels"),
        ({"retain": (INPUTS[:16], LABELS[:16] + 1)}, "labels from 1 to 3; the model knows 0 to 2"),
        ({"model": linear(4), "num_classes": 3}, r"to shape \(2, 4\); give one that returns \(2, 3\)"),
        ({"model": Around(linear(), torch.sum), "num_classes": 3}, r"to shape \(\)"),
        ({"forget": (INPUTS[16:, :4], LABELS[16:])}, "Forget inputs|forget inputs"),
        ({"num_classes": 1}, "num_classes=1"),
        ({"num_classes": -3}, "num_classes=-3"),
        ({"num_classes": 2.5}, "num_classes=2.5"),
        ({"class_names": ["a", "b"], "num_classes": 0}, "for a regression"),
        ({"image_shape": (3, 32)}, "image_shape="),
        ({"image_shape": "rgb"}, "image_shape="),
        ({"retain": INPUTS}, "no pair"),
        ({"retain": ({"a": 1}, LABELS)}, "no array of numbers"),
        ({"retain": (INPUTS[:16], None)}, "and no labels"),
        ({"task_kwargs": 5, "task": "digits"}, "task_kwargs=5"),
    ],
)  # fmt: skip
def test_what_cannot_be_unlearned_is_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence) as raised:
        make(**options)
    assert "\n" not in str(raised.value)


def test_class_names_are_shown():
    names = ["cat", "airplane", "bird"]
    words = [names[label] for label in LABELS]
    env = make(retain=(INPUTS[:16], words[:16]), forget=(INPUTS[16:], words[16:]), class_names=names)
    assert env.class_names == {0: "cat", 1: "airplane", 2: "bird"}
    assert env.process.data.retain.labels.tolist() == LABELS[:16].tolist()
    assert "0 cat, 1 airplane, 2 bird" in repr(env.process.data)


def test_a_network_of_the_transformers_library():
    transformers = pytest.importorskip(
        "transformers", reason="the transformers library is not installed; it is optional"
    )
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=8, patch_size=4,
        num_channels=1, num_labels=3,
    )  # fmt: skip
    images = RNG.uniform(-1, 1, (24, 1, 8, 8)).astype(np.float32)
    model = transformers.ViTForImageClassification(config)
    env = make(model, (images[:16], LABELS[:16]), (images[16:], LABELS[16:]), num_classes=None)
    assert np.isfinite(trace(env)).all() and env.process.data.num_classes == 3
    text = transformers.BertConfig(
        vocab_size=50,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=3,
    )
    words = RNG.integers(0, 50, (24, 7))
    env = make(
        transformers.BertForSequenceClassification(text), (words[:16], LABELS[:16]), (words[16:], LABELS[16:])
    )
    assert np.isfinite(trace(env)).all()
