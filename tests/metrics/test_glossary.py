import pytest

from unlearn_gym.errors import UserError
from unlearn_gym.metrics.glossary import GLOSSARY, look_up


def test_every_metric_says_what_it_is():
    for metric in GLOSSARY.values():
        assert metric.better in ("higher", "lower")
        assert metric.unit and metric.definition.endswith(".")


def test_order_is_the_glossarys():
    assert list(look_up(["seconds_per_update", "return"])) == ["return", "seconds_per_update"]


def test_unknown_names_list_the_known():
    with pytest.raises(UserError, match=r"'fud'.*fid_forget"):
        look_up(["fud"])
