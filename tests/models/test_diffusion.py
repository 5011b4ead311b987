import json

import pytest
import torch
from diffusers import DDPMPipeline, UNet2DModel

from unlearn_gym.data import LabelledSet
from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.diffusion_training import DiffusionRecipe, train_ddpm
from unlearn_gym.models.sampling import sample
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


def test_bare_unet_gets_the_default_schedule(model, tmp_path):
    model.unet.save_pretrained(tmp_path)
    scheduler = DiffusionModel.load(str(tmp_path)).scheduler
    assert len(scheduler.betas) == 1000
    assert scheduler.betas[0].item() == pytest.approx(1e-4)
    assert scheduler.betas[-1].item() == pytest.approx(0.02)


def saved(model, path):
    model.save_pretrained(path)
    return path


def edit_json(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_bad_checkpoints_are_sentences(model, tmp_path):
    with pytest.raises(UserError, match="There is no model folder"):
        DiffusionModel.load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no readable config\.json"):
        DiffusionModel.load(tmp_path / "empty")
    other = saved(model, tmp_path / "other")
    edit_json(other / "unet" / "config.json", _class_name="VQModel")
    with pytest.raises(UserError, match="holds a VQModel"):
        DiffusionModel.load(other)
    pickled = saved(model, tmp_path / "pickled")
    weights = pickled / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(UserError, match="safe_serialization=True"):
        DiffusionModel.load(pickled)
    cut = saved(model, tmp_path / "cut")
    weights = cut / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(UserError, match="cannot be read"):
        DiffusionModel.load(cut)


def test_only_noise_prediction_is_taken(model, tmp_path):
    path = saved(model, tmp_path / "v")
    edit_json(path / "scheduler" / "scheduler_config.json", prediction_type="v_prediction")
    with pytest.raises(UserError, match="predicts 'v_prediction'"):
        DiffusionModel.load(path)


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
    monkeypatch.setattr("unlearn_gym.models.sampling.CHUNK", 2)
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
