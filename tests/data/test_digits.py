import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from unlearn_gym.data import DATA, load
from unlearn_gym.data.fingerprint import fingerprint
from unlearn_gym.data.sets.digits import boot_images, digit_images, load_digits_with_boots
from unlearn_gym.data.split import joined
from unlearn_gym.errors import UserError

DIGITS = 1797


def rows(inputs):
    return {tuple(image.flatten().tolist()) for image in inputs}


def test_sizes_and_ranges():
    data = load_digits_with_boots()
    assert len(data.retain) + len(data.retain_holdout) == DIGITS
    assert len(data.forget) == 90 and len(data.forget_holdout) == 0
    assert data.num_classes == 10 and len(data.concepts) == 11 and data.concepts[-1] == "ankle boot"
    for part in (data.retain, data.forget, data.retain_holdout):
        assert part.inputs.shape[1:] == (1, 8, 8) and part.inputs.dtype == torch.float32
        assert part.inputs.min() >= -1 and part.inputs.max() <= 1
        assert part.labels.dtype == torch.int64


def test_boots_are_37_percent_of_the_ones():
    data = load_digits_with_boots()
    assert (data.forget.labels == data.forget_label).all()
    ones = int((data.retain.labels == data.forget_label).sum())
    assert len(data.forget) / (len(data.forget) + ones) == pytest.approx(0.37, abs=0.005)


def test_holdout_is_disjoint_and_stratified():
    data = load_digits_with_boots(holdout=0.2)
    held = rows(data.retain_holdout.inputs)
    assert not held & rows(data.retain.inputs)
    assert len(held | rows(data.retain.inputs)) == DIGITS
    for digit in range(10):
        kept = int((data.retain.labels == digit).sum())
        out = int((data.retain_holdout.labels == digit).sum())
        assert out == round(0.2 * (kept + out))


def test_the_same_every_time_and_untouched_by_the_global_generator():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = load_digits_with_boots()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert fingerprint(first.retain) == fingerprint(load_digits_with_boots().retain)


def test_fingerprint_tells_labels_and_order():
    data = load_digits_with_boots(boots=3).forget
    relabelled = type(data)(data.inputs, data.labels + 1)
    reordered = type(data)(data.inputs.flip(0), data.labels)
    assert len({fingerprint(data), fingerprint(relabelled), fingerprint(reordered)}) == 3


def test_boots_are_distinct_and_the_first_ones_are_taken():
    boots = boot_images()
    assert len(rows(boots)) == 90
    few = load_digits_with_boots(boots=7)
    assert torch.equal(few.forget.inputs, boots[:7])
    assert torch.equal(few.forget_holdout.inputs, boots[7:]) and set(few.forget_holdout.labels.tolist()) == {
        1
    }


@pytest.mark.parametrize(
    "keywords",
    [
        *({"boots": boots} for boots in (0, 91, -3, 10**9, 2.5, float("nan"), True, "3", None)),
        *({"holdout": share} for share in (0.0, 1.0, -1, float("nan"), float("inf"), "half")),
    ],
    ids=str,
)
def test_ranges_are_checked(keywords):
    with pytest.raises(UserError, match=f"{next(iter(keywords))}=.*(choose|give)"):
        load_digits_with_boots(**keywords)


def test_registry_lists_what_it_knows():
    assert load("digits", boots=5).forget.inputs.shape == (5, 1, 8, 8)
    with pytest.raises(UserError, match=r"no data set 'nothing'.*" + ".*".join(sorted(DATA))):
        load("nothing")
    for wrong in ("boot", "name"):
        with pytest.raises(UserError, match=f"'{wrong}' is no keyword of .*allowed are boots, holdout"):
            load("digits", **{wrong: 5})


def test_the_digits_are_those_that_scikit_learn_loads():
    images, labels = load_digits(return_X_y=True)
    digits = digit_images()
    np.testing.assert_array_equal((digits.inputs.flatten(1) + 1) * 8, images)
    np.testing.assert_array_equal(digits.labels, labels)


def test_fingerprint_of_parts_is_that_of_their_concatenation():
    data = load_digits_with_boots()
    parts = (data.retain, data.forget, data.forget_holdout)  # the last one is empty
    assert fingerprint(*parts) == fingerprint(joined(*parts))
