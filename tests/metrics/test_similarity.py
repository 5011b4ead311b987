import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

from unlearn_gym.metrics.similarity import best_match_ssim


def random_images(n, seed, channels=1, size=(8, 8)):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, channels, *size, generator=generator) * 2 - 1


@pytest.mark.parametrize("size", [8, 28])
def test_ssim_finds_the_copy(size):
    references = random_images(5, 0, size=(size, size))
    assert best_match_ssim(references[[3, 1]], references) == pytest.approx(1.0, abs=1e-4)
    assert best_match_ssim(-references[:2], references) < 0.5


@pytest.mark.parametrize(("channels", "size"), [(1, (8, 8)), (1, (28, 28)), (3, (20, 32))])
def test_it_is_torchmetrics_ssim(channels, size):
    images, references = random_images(3, 1, channels, size), random_images(4, 2, channels, size)
    references[0] = (images[0] + references[0]) / 2
    sigma = min(1.5, min(size) / 16)
    best = [
        structural_similarity_index_measure(
            (image.expand_as(references) + 1) / 2,
            (references + 1) / 2,
            sigma=sigma,
            data_range=1.0,
            reduction="none",
        ).max()
        for image in images
    ]
    assert best_match_ssim(images, references) == pytest.approx(float(torch.stack(best).mean()), abs=1e-5)
