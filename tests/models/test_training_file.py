"""A killed training goes on to the very weights that it would have reached; a damaged file starts over."""

import pytest
import torch

from unlearn_gym.data.split import LabelledSet
from unlearn_gym.models.diffusion import training as diffusion_training
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.diffusion.training import DiffusionRecipe, train_ddpm
from unlearn_gym.models.sfd import distillation
from unlearn_gym.models.sfd.distillation import DistillationRecipe, distil
from unlearn_gym.models.supervised import training as supervised_training
from unlearn_gym.models.supervised.training import SupervisedRecipe, train_classifier
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.models.training_file import TrainingFile
from unlearn_gym.models.vae import training as vae_training
from unlearn_gym.models.vae.training import VAERecipe, train_vae

DIFFUSION = DiffusionRecipe(widths=(8, 8), norm_groups=4, steps=7, batch_size=4)
CLASSIFIER = SupervisedRecipe("small_cnn", epochs=4, batch_size=8, pad=1, mirror=False)
CPU = torch.device("cpu")


def data():
    images = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)).clamp(-1, 1)
    return LabelledSet(images, torch.arange(20) % 3)


def diffusion(path):
    return train_ddpm(data(), 3, DIFFUSION, checkpoint=path).unet


def vae(path):
    recipe = VAERecipe(hidden=(8,), latent=2, steps=7, batch_size=4)
    return train_vae(data(), 3, recipe, checkpoint=path)


def classifier(path):
    return train_classifier(data(), 3, CLASSIFIER, checkpoint=path, device=CPU)


def mixed(path):
    return train_classifier(data(), 3, CLASSIFIER, checkpoint=path, device=CPU, precision="bfloat16")


def distilled(path):
    with seeded_weights(0):
        teacher = DiffusionModel(
            build_unet(8, 1, 3, widths=(8, 8), norm_groups=4).eval(), default_scheduler()
        )
    recipe = DistillationRecipe(steps=7, batch_size=4)
    made = distil(teacher, torch.tensor([2, 1, 1]), recipe, checkpoint=path)
    return torch.nn.ModuleList([made.generator, made.fake])


TRAININGS = {
    # the training, what makes a step, its steps in all, its saves, and the steps left after the second save
    "diffusion": (diffusion, (diffusion_training, "_loss"), 7, 3, 3),
    "vae": (vae, (vae_training, "elbo_error"), 7, 3, 3),
    "distillation": (distilled, (distillation, "_generator_losses"), 7, 3, 3),
    "classifier": (classifier, (supervised_training, "_step"), 12, 4, 6),
    "bfloat16": (mixed, (supervised_training, "_step"), 12, 4, 6),
}


@pytest.fixture(autouse=True)
def often(monkeypatch):
    for owner in (diffusion_training, vae_training, distillation):
        monkeypatch.setattr(owner, "SAVE_EVERY", 2)


@pytest.fixture(params=TRAININGS)
def training(request):
    return TRAININGS[request.param]


def same(first, second):
    other = second.state_dict()
    return all(torch.equal(value, other[name]) for name, value in first.state_dict().items())


def count(monkeypatch, owner, name):
    """Count the calls of a function."""
    calls, real = [], getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *given: (calls.append(1), real(*given))[1])
    return calls


@pytest.mark.parametrize("before_the_write", [True, False])
def test_a_killed_training_ends_in_the_same_weights(training, before_the_write, tmp_path, monkeypatch):
    train, step, steps, saves, left = training
    with monkeypatch.context() as patch:
        saved = count(patch, TrainingFile, "save")
        whole = train(tmp_path / "whole.safetensors")
        assert len(saved) == saves
    real, calls = TrainingFile.save, []

    def killed(file, done):
        calls.append(done)
        if not (before_the_write and len(calls) == 3):
            real(file, done)
        if len(calls) == (3 if before_the_write else 2):
            raise KeyboardInterrupt

    path = tmp_path / "broken.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(TrainingFile, "save", killed)
        with pytest.raises(KeyboardInterrupt):
            train(path)
    made = count(monkeypatch, *step)
    assert same(whole, train(path))
    assert len(made) == left < steps


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def nonsense(path):
    path.write_bytes(b"nonsense")


def empty(path):
    path.write_bytes(b"")


def flipped(path):
    """One bit of the last number: only the checksum can tell."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, nonsense, empty, flipped])
def test_a_damaged_file_starts_over(training, damage, tmp_path, monkeypatch):
    train, step, steps, _, _ = training
    path = tmp_path / "a.safetensors"
    whole = train(path)
    damage(path)
    made = count(monkeypatch, *step)
    assert same(whole, train(path)) and len(made) == steps


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.Adam(p, 0.1, fused=True),
        lambda p: torch.optim.AdamW(p, 0.1),
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        lambda p: torch.optim.SGD(p, 0.1),
    ],
)
def test_everything_that_changes_is_put_back(make, tmp_path):
    def fresh():
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            net = torch.nn.Linear(3, 2)
        generator = torch.Generator().manual_seed(1)
        file = TrainingFile(tmp_path / "a.safetensors", {"net": net}, make(net.parameters()), generator)

        def move():
            file.optimizer.zero_grad()
            net(torch.randn(4, 3, generator=generator)).square().mean().backward()
            file.optimizer.step()

        return file, net, move

    file, net, move = fresh()
    for _ in range(3):
        move()
    file.save(3)
    again, other, move_other = fresh()
    assert again.resume() == 3
    for _ in range(2):
        move()
        move_other()
        assert same(net, other)


def test_no_file_changes_nothing(tmp_path):
    net = torch.nn.Linear(3, 2)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    file = TrainingFile(
        tmp_path / "none.safetensors", {"net": net}, torch.optim.SGD(net.parameters(), 0.1), torch.Generator()
    )
    assert file.resume() == 0
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_mixed_passes_leave_weights_of_full_precision_near_the_others(tmp_path):
    full, half = classifier(tmp_path / "full.safetensors"), mixed(tmp_path / "half.safetensors")
    assert all(w.dtype == torch.float32 and w.is_contiguous() for w in half.parameters())
    one, other = (torch.cat([w.flatten() for w in m.parameters()]) for m in (full, half))
    assert not torch.equal(one, other) and (one - other).norm() < 0.2 * one.norm()
