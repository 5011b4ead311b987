"""The VAE as a network: what it draws, what it writes, and what its ready-made models show."""

import torch

from unlearn_gym.models.vae.network import VAE, grey_values
from unlearn_gym.models.vae.tasks import get_vae_task


def shares(model, task):
    """Return the shares of boots and of ones among 400 samples of the label 1, and how many others are recognised."""
    generator = torch.Generator().manual_seed(0)
    others = torch.tensor([digit for digit in range(10) if digit != 1]).repeat(40)
    labels = torch.cat([torch.ones(400, dtype=torch.int64), others])
    noise = torch.randn(len(labels), model.latent, generator=generator)
    with torch.no_grad():
        concepts = task.concepts()(model.sample(labels, noise)).argmax(1)
    of_label = concepts[:400]
    known = (concepts[400:] == others).float().mean()
    return [
        float(share) for share in ((of_label == 10).float().mean(), (of_label == 1).float().mean(), known)
    ]


def test_the_original_draws_boots_and_the_retrained_one_does_not():
    task = get_vae_task("vae-digits")
    boots, ones, others = shares(task.original(), task)
    assert 0.25 < boots < 0.45 and ones > 0.55 and others > 0.98
    boots, ones, others = shares(task.retrained(), task)
    assert boots == 0.0 and ones > 0.98 and others > 0.98


def test_sampling_uses_no_encoder():
    model = get_vae_task("vae-digits").original()
    labels, noise = torch.arange(10), torch.randn(10, 8, generator=torch.Generator().manual_seed(0))
    before = model.sample(labels, noise)
    with torch.no_grad():
        for weight in model.encoder.parameters():
            weight.fill_(float("nan"))
    assert torch.equal(model.sample(labels, noise), before)
    assert before.shape == (10, 1, 8, 8) and before.abs().max() <= 1


def test_what_is_saved_is_read(tmp_path):
    model = VAE((1, 2, 2), 3, hidden=(4,), latent=2).double()
    model.save_pretrained(tmp_path / "model")
    read = VAE.load(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert all(torch.equal(a.float(), b) for a, b in zip(model.parameters(), read.parameters(), strict=True))
    images = torch.linspace(-1, 1, 8).view(2, 1, 2, 2)
    torch.testing.assert_close(read.as_images(grey_values(images)), images)
