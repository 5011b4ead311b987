import pytest
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel

from unlearn_gym.data import LabelledSet
from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.diffusion.sampling import ddim, sample
from unlearn_gym.models.diffusion.tasks import get_task
from unlearn_gym.models.diffusion.training import DiffusionRecipe, _loss, train_ddpm
from unlearn_gym.models.mixed import PRECISIONS
from unlearn_gym.models.threads import one_thread, seeded_weights

TINY = DiffusionRecipe(widths=(8, 8), norm_groups=4, steps=3, batch_size=4)


@pytest.fixture(scope="module")
def model():
    with seeded_weights(0):
        return DiffusionModel(build_unet(8, 1, 3, (8, 8), norm_groups=4).eval(), default_scheduler())


def noise(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def same_weights(a, b):
    other = b.state_dict()
    return all(torch.equal(value, other[name]) for name, value in a.state_dict().items())


def data():
    return LabelledSet(noise(12, 1, 8, 8).clamp(-1, 1), torch.arange(12) % 3)


def test_save_is_a_diffusers_pipeline(model, tmp_path):
    model.save_pretrained(tmp_path / "m")
    assert same_weights(model.unet, UNet2DModel.from_pretrained(tmp_path / "m", subfolder="unet"))
    assert isinstance(DDPMPipeline.from_pretrained(tmp_path / "m"), DDPMPipeline)
    loaded = DiffusionModel.load(tmp_path / "m")
    assert same_weights(model.unet, loaded.unet)
    assert torch.equal(loaded.scheduler.betas, model.scheduler.betas)
    assert not loaded.unet.training
    assert not list(tmp_path.rglob("*.bin")) and len(list(tmp_path.iterdir())) == 1


def test_training_is_deterministic_from_its_seed(capfd, tmp_path):
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    path = tmp_path / "none.safetensors"  # so few steps are not saved
    first = train_ddpm(data(), 3, TINY, checkpoint=path)
    torch.randn(7)
    again = train_ddpm(data(), 3, TINY, checkpoint=path)
    other = train_ddpm(data(), 3, DiffusionRecipe(**{**vars(TINY), "seed": 1}), checkpoint=path)
    assert same_weights(first.unet, again.unet) and not same_weights(first.unet, other.unet)
    assert torch.get_num_threads() == threads
    torch.randn(7, generator=(reference := torch.Generator().set_state(state)))
    assert torch.equal(reference.get_state(), torch.get_rng_state())
    captured = capfd.readouterr()
    assert "training the diffusion model" in captured.err and not captured.out


def test_passes_in_bfloat16_train_float32_weights_by_nearly_the_same_loss(model, tmp_path):
    losses = [
        _loss(model, data().inputs, data().labels, torch.Generator().manual_seed(0), precision).item()
        for precision in PRECISIONS
    ]
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.01)
    path = tmp_path / "none.safetensors"
    full, mixed = (train_ddpm(data(), 3, TINY, checkpoint=path, precision=each) for each in PRECISIONS)
    assert not same_weights(full.unet, mixed.unet)
    assert {weight.dtype for weight in mixed.unet.parameters()} == {torch.float32}


def test_training_without_classes(tmp_path):
    trained = train_ddpm(data(), 0, TINY, checkpoint=tmp_path / "none.safetensors")
    assert trained.unet.config["num_class_embeds"] is None


def test_sampling_repeats_and_stays_in_range(model):
    labels = torch.tensor([0, 1, 2, 0, 1])
    with one_thread():
        images = sample(model.unet, model.scheduler, labels, noise(5, 1, 8, 8), steps=4)
        assert torch.equal(images, sample(model.unet, model.scheduler, labels, noise(5, 1, 8, 8), steps=4))
    assert images.shape == (5, 1, 8, 8) and not images.requires_grad
    assert images.min() >= -1 and images.max() <= 1


def test_sampling_in_chunks_changes_nothing(model, monkeypatch):
    labels = torch.tensor([0, 1, 2, 0, 1])
    whole = sample(model.unet, model.scheduler, labels, noise(5, 1, 8, 8), steps=3)
    monkeypatch.setattr("unlearn_gym.models.diffusion.sampling.CHUNK", 2)
    parts = sample(model.unet, model.scheduler, labels, noise(5, 1, 8, 8), steps=3)
    torch.testing.assert_close(whole, parts, atol=1e-4, rtol=0)


class Exact(torch.nn.Module):
    """The optimal noise predictor for a data set of one image."""

    def __init__(self, image, scheduler):
        super().__init__()
        self.image, self.scheduler = image, scheduler

    def forward(self, noisy, step, class_labels=None):
        alpha = self.scheduler.alphas_cumprod[step]
        return type("Output", (), {"sample": (noisy - alpha.sqrt() * self.image) / (1 - alpha).sqrt()})


def test_sampling_with_the_exact_predictor_returns_the_data():
    image = noise(1, 1, 8, 8).clamp(-1, 1)
    scheduler = default_scheduler()
    images = sample(Exact(image, scheduler), scheduler, None, noise(3, 1, 8, 8), steps=10)
    torch.testing.assert_close(images, image.expand(3, -1, -1, -1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("schedule", ["linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid", "laplace"])
def test_sampling_uses_the_betas_and_the_clipping_of_any_schedule(schedule):
    image = 3 * noise(1, 1, 8, 8)
    kwargs = {"num_train_timesteps": 20, "beta_schedule": schedule, "beta_end": 0.3, "clip_sample_range": 9.0}
    scheduler = DDPMScheduler(**kwargs)
    assert torch.equal(ddim(scheduler).alphas_cumprod, scheduler.alphas_cumprod)
    images = sample(Exact(image, scheduler), scheduler, None, noise(3, 1, 8, 8))  # 25 steps asked, 20 there
    torch.testing.assert_close(images, image.expand(3, -1, -1, -1).clamp(-1, 1), atol=2e-3, rtol=0)


def test_more_steps_are_no_worse():
    task, labels = get_task("digits"), torch.arange(10).repeat(4)
    retrained, classifier = task.retrained(), task.concepts()
    with torch.no_grad(), one_thread():
        few, many = (
            classifier(sample(retrained.unet, retrained.scheduler, labels, noise(40, 1, 8, 8), steps)).argmax(
                1
            )
            for steps in (25, 200)
        )
    assert (few == labels).float().mean() > 0.9 and (many == labels).float().mean() > 0.9


def test_sampling_is_what_diffusers_own_ddim_draws(model):
    labels = torch.tensor([0, 1, 2])
    theirs = DDIMScheduler.from_config(model.scheduler.config, timestep_spacing="trailing")
    theirs.set_timesteps(4)
    images = noise(3, 1, 8, 8)
    with torch.no_grad(), one_thread():
        for step in theirs.timesteps:
            predicted = model.unet(images, step, class_labels=labels).sample
            images = theirs.step(predicted, step, images, use_clipped_model_output=True).prev_sample
        ours = sample(model.unet, model.scheduler, labels, noise(3, 1, 8, 8), steps=4)
    assert torch.equal(ours, images.clamp(-1, 1))
