import torch

from unlearn_gym.metrics.subsets import distinct, evenly_spaced


def test_evenly_spaced_rows():
    assert evenly_spaced(10, 5).tolist() == [0, 2, 4, 6, 8]
    assert evenly_spaced(3, 5).tolist() == [0, 1, 2]
    assert evenly_spaced(0, 5).tolist() == []
    rows = evenly_spaced(60_001, 10_000)
    assert len(rows.unique()) == 10_000 and rows.max() < 60_001


def test_each_different_image_once_in_order():
    images = torch.tensor([3.0, 1.0, 3.0, 2.0, 1.0, 0.0]).view(6, 1, 1, 1).expand(6, 1, 2, 2)
    assert distinct(images).tolist() == [0, 1, 3, 5]
    assert distinct(images[:1]).tolist() == [0]
