"""Score forgetting distillation on tiny networks: losses, the order of the steps, and what an update leaves."""

import numpy as np
import pytest
import torch

from unlearn_gym.models.diffusion.model import DiffusionModel, build_unet, default_scheduler
from unlearn_gym.models.sfd import losses
from unlearn_gym.models.sfd.distillation import Distilled
from unlearn_gym.models.sfd.generator import Draw, Trio, generate, one_step
from unlearn_gym.models.sfd.schedule import Schedule
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.objectives.sfd import OVERRIDES
from unlearn_gym.processes.common.flat import joined
from unlearn_gym.processes.sfd.process import SFDProcess

COUNTS = torch.tensor([5, 3, 2])
FORGET = 1


def unet(seed):
    with seeded_weights(seed):
        return build_unet(4, 1, 3, widths=(4, 8), norm_groups=2).eval()


def judge():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4)).requires_grad_(False)


def process(override="fixed", counts=COUNTS, dtype=torch.float32, **settings):
    usual = {
        "forget_label": FORGET,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "fake_learning_rate": 1e-3,
        "fake_weight": 0.5,
        "sharpness": 1.2,
        "ema": 0.5,
        "device": torch.device("cpu"),
        "dtype": dtype,
    }
    if isinstance(override, str):
        override = OVERRIDES[override](**({"samples": 4} if override == "posterior" else {}))
    settings = {**usual, "override": override, **settings}
    with seeded_weights(9):
        return SFDProcess(
            DiffusionModel(unet(0), default_scheduler()),
            Distilled(unet(1), unet(2)),
            counts,
            judge(),
            **settings,
        )


def started(*args, seed=0, **settings):
    made = process(*args, **settings)
    made.reset(np.random.default_rng(seed))
    return made


def vectors(made):
    return [tensor.detach().clone() for tensor in made._tensors]


def draw_of(trio, labels, seed=0):
    drawn = Draw.of(torch.tensor(labels), (1, 4, 4), trio.schedule, torch.Generator().manual_seed(seed))
    return drawn.to(next(trio.generator.parameters()))


def trio(dtype=torch.float64):
    nets = [unet(seed).to(dtype) for seed in range(3)]
    return Trio(*nets, Schedule.of(default_scheduler(), next(nets[0].parameters())))


def test_the_schedule_finds_the_steps_of_the_released_code():
    found = Schedule.of(default_scheduler(), torch.zeros(()))
    assert (found.start, found.first, found.last) == (440, 38, 711)
    images, noise, steps = torch.randn(3, 1, 2, 2), torch.randn(3, 1, 2, 2), torch.tensor([0, 440, 999])
    latents = found.noised(images, noise, steps)
    assert torch.allclose(latents, default_scheduler().add_noise(images, noise, steps), atol=1e-6)
    assert torch.allclose(found.denoised(latents, noise, steps)[:2], images[:2], atol=1e-4)


def test_the_loss_in_numbers():
    teacher, fake, images = (torch.tensor([[[[value, 0.0]]]]) for value in (1.0, 0.5, 3.0))
    # ω = mean |1 − 3|, |0 − 0| = 1; Δ = ½: Δ·((1 − 3) − α·½)
    for alpha in (1.0, 1.2):
        assert float(losses.generator_losses(teacher, fake, images, alpha)) == pytest.approx(
            0.5 * (-2 - alpha / 2)
        )
    assert float(losses.divergences(teacher, fake, images)) == pytest.approx(0.25 / 2)
    assert float(losses.omega(teacher, teacher)) == pytest.approx(1e-5)
    assert float(losses.fake_losses(teacher, images)) == 4.0


def test_at_alpha_1_it_is_the_gap_times_the_error_of_the_fake_score():
    teacher, fake, images = (
        torch.randn(6, 2, 3, 3, generator=torch.Generator().manual_seed(k)) for k in range(3)
    )
    expected = ((teacher - fake) * (fake - images)).flatten(1).sum(1) / losses.omega(teacher, images)
    assert torch.allclose(losses.generator_losses(teacher, fake, images, 1.0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [1.0, 1.2])
def test_with_the_true_scores_of_two_gaussians_it_goes_to_the_teachers_mean(alpha):
    """x = θ + n with the teacher's N(2, 1): its gradient has the sign of θ − 2, whatever the sign of its value."""
    generator = torch.Generator().manual_seed(0)
    noise, epsilon = (torch.randn(20000, 1, 1, 1, generator=generator) for _ in range(2))
    gamma, sigma = 0.8, 0.6
    values = []
    for start in (-1.0, 2.0, 5.0):
        theta = torch.tensor(start, requires_grad=True)
        images = theta + noise
        latents = gamma * images + sigma * epsilon  # E[x | z] = m + γ(z − γm)/(γ² + σ²) for x ~ N(m, 1)
        taught, fake = (m + gamma * (latents - gamma * m) for m in (torch.tensor(2.0), theta.detach()))
        loss = losses.generator_losses(taught, fake, images, alpha).mean()
        (slope,) = torch.autograd.grad(loss, theta)
        assert slope.sign() == np.sign(start - 2.0)
        values.append(float(loss.detach()))
    if alpha > 1:
        assert values[0] < 0 and values[2] < 0  # the value is no divergence


def test_the_gradient_runs_through_image_and_latent():
    """Central differences of the loss with ω held fixed, along a random direction of θ."""
    three = trio()
    drawn, parameters = draw_of(three, [0, 1, 2]), list(three.generator.parameters())

    def parts():
        view = three.look(drawn)
        return three.taught(view, drawn, drawn.labels), view.fake, view.images

    weight = losses.omega(parts()[0], parts()[2])

    def loss(alpha=1.2):
        taught, fake, images = parts()
        gap = taught - fake
        return ((gap * (taught - images - alpha * gap)).flatten(1).sum(1) / weight).mean()

    slopes = torch.autograd.grad(losses.generator_losses(*parts(), 1.2).mean(), parameters)
    generator = torch.Generator().manual_seed(0)
    way = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    ends = []
    with torch.no_grad():
        for sign in (1, -1):
            torch._foreach_add_(parameters, way, alpha=sign * 1e-5)
            ends.append(float(loss()))
            torch._foreach_add_(parameters, way, alpha=-sign * 1e-5)
    expected = sum(float((slope * step).sum()) for slope, step in zip(slopes, way, strict=True))
    assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(expected, rel=1e-4)


def test_the_generator_is_one_pass_at_its_step():
    three = trio(torch.float32)
    start, labels = torch.randn(3, 1, 4, 4), torch.tensor([0, 1, 2])
    schedule = three.schedule
    sigma, gamma = schedule.sigma[440], schedule.gamma[440]
    predicted = three.generator(sigma * start, 440, class_labels=labels).sample
    expected = (sigma * start - sigma * predicted) / gamma
    assert torch.allclose(one_step(three.generator, schedule, labels, start), expected, atol=1e-6)
    assert torch.allclose(
        generate(three.generator, schedule, labels, start), expected.clamp(-1, 1), atol=1e-6
    )


def test_an_update_is_adam_on_the_weighted_sum_clipped_by_value():
    made = started()
    theta, psi, average = vectors(made)
    sides, lam = made._side_gradients, 0.3
    other = theta.clone().requires_grad_()
    adam = torch.optim.Adam([other], lr=1e-3, betas=(0.0, 0.999))
    other.grad = (sides.retain + lam * sides.forget).clamp(-1, 1)
    adam.step()
    update = made.update(lam)
    assert torch.allclose(made._weights, other, atol=1e-7) and not torch.equal(theta, made._weights)
    assert torch.allclose(joined(made.model.parameters()), (average + made._weights) / 2, atol=1e-7)
    assert not torch.equal(psi, made._fake)  # it has followed already
    kept, gone = float(sides.kept.mean()), float(sides.gone.mean())
    assert update.loss == pytest.approx(kept + lam * gone) and update.dloss_dlambda == pytest.approx(gone)
    assert update.retain_term >= 0 and update.forget_term >= 0


def test_the_two_gradients_are_those_of_the_two_written_out_terms():
    made = started("random")
    three, drawn, pairs = made.trio, made._draw, made.pairs
    for forget, side in ((False, made._side_gradients.retain), (True, made._side_gradients.forget)):
        rows = slice(pairs, None) if forget else slice(0, pairs)
        some = drawn[rows]
        images = one_step(three.generator, three.schedule, some.labels, some.start)
        latents = three.schedule.noised(images, some.noise, some.timesteps)
        labels = torch.tensor([0, 2])[(some.uniform * 2).long()] if forget else some.labels
        taught, fake = (
            three.schedule.denoised(
                latents, net(latents, some.timesteps, class_labels=c).sample, some.timesteps
            )
            for net, c in ((three.teacher, labels), (three.fake, some.labels))
        )
        loss = losses.generator_losses(taught, fake, images, 1.2).mean()
        expected = joined(torch.autograd.grad(loss, made._parameters, materialize_grads=True))
        assert torch.allclose(side, expected, rtol=1e-3, atol=1e-5)


def test_half_of_a_minibatch_is_the_forgotten_label_and_half_the_others_by_their_frequency():
    made = process(batch_size=8000)
    labels = made._drawn(torch.Generator().manual_seed(0), 4000).labels
    assert (labels[4000:] == FORGET).all()
    assert (labels[:4000].bincount(minlength=3) / 4000).tolist() == pytest.approx([5 / 7, 0, 2 / 7], abs=0.03)


def test_the_fake_score_learns_both_sides_with_its_weight():
    made = process(fake_weight=0.25, fake_learning_rate=1e-3)
    theta, psi, _ = vectors(made)
    made.generator.manual_seed(5)
    twin = torch.Generator().manual_seed(5)
    drawn = made._drawn(twin, made.pairs)
    each = made.trio.fake_losses(drawn)
    loss = each[: made.pairs].mean() + 0.25 * each[made.pairs :].mean()
    slope = joined(torch.autograd.grad(loss, made._fake_parameters, materialize_grads=True)).clamp(-1, 1)
    made._next_batch()
    moved = slope.abs() > 1e-6  # Adam's first step is the sign
    assert torch.allclose((psi - made._fake)[moved], 1e-3 * slope.sign()[moved], atol=1e-5)
    assert torch.equal(theta, made._weights)


def test_the_fake_weight_may_follow_lambda():
    def psi_after(weight, lam):
        made = started(fake_weight=weight)
        made.update(lam)
        return vectors(made)[1]

    start = started(fake_weight=0.5)  # λ₀
    assert torch.equal(vectors(start)[1], vectors(started(fake_weight="lambda"))[1])
    assert torch.equal(psi_after("lambda", 0.5), psi_after(0.5, 0.5))
    assert not torch.equal(psi_after("lambda", 0.9), psi_after(0.5, 0.9))


@pytest.mark.parametrize("override", ["random", "posterior", "classifier"])
def test_with_one_retained_class_every_override_is_sfd(override):
    alone = torch.tensor([4, 3, 0])
    first, other = started("fixed", alone), started(override, alone)
    for lam in (0.01, 1.0):
        assert first.update(lam) == other.update(lam)
    assert all(torch.allclose(a, b) for a, b in zip(vectors(first), vectors(other), strict=True))


def test_all_classes_weighed_are_the_mean_of_one_drawn():
    """The same side with each class in turn, weighed by hand."""
    made = started(override=OVERRIDES["posterior"](samples=4, form="sum"))
    forget = torch.arange(made.pairs, 2 * made.pairs)
    surrogate, divergence = made.errors(forget)
    drawn, view = made._draw[forget], made.trio.look(made._draw[forget])
    targets = made._targets(view, drawn)
    expected = torch.zeros(made.pairs)
    for label, weights in zip((0, 2), targets.weights, strict=True):
        alone = made.trio.taught(view, drawn, torch.full_like(drawn.labels, label))
        expected = expected + weights * losses.generator_losses(alone, view.fake, view.images, 1.2)
    assert torch.allclose(surrogate, expected, rtol=1e-4) and (divergence >= 0).all()
    assert torch.allclose(targets.weights.sum(0), torch.ones(made.pairs))


def test_a_gate_weighs_at_the_lambda_of_the_update():
    def gated():
        return started(override=OVERRIDES["posterior"](samples=4, gate=True, temperature=1.0))

    made, other = gated(), gated()
    shown = float(made._side_gradients.gone.mean())  # at λ₀
    other._lambda = 0.9
    expected = float(other._measure().gone.mean())
    assert abs(expected - shown) > 1e-3 * shown
    assert made.update(0.9).dloss_dlambda == pytest.approx(expected, rel=1e-5)


def test_draws_do_not_depend_on_the_actions():
    first, other = started(), started()
    for low, high in ((0.001, 1.0), (0.1, 0.5)):
        first.update(low)
        other.update(high)
    assert all(
        torch.equal(a, b) for a, b in zip(vars(first._draw).values(), vars(other._draw).values(), strict=True)
    )
    assert not torch.equal(first._weights, other._weights)


def test_undo_takes_back_all_three():
    made = started()
    before = vectors(made)
    made.update(0.5)
    made.undo()
    theta, psi, average = vectors(made)
    assert torch.equal(theta, before[0]) and torch.equal(psi, before[1]) and torch.equal(average, before[2])


def test_reset_restores_networks_and_moments():
    made = started()
    first = [made.update(0.2) for _ in range(2)]
    made.reset(np.random.default_rng(0))
    assert [made.update(0.2) for _ in range(2)] == first
    assert not any(p.requires_grad for p in made.trio.teacher.parameters())


def test_a_ruined_look_leaves_the_weights():
    made = started()
    before = vectors(made)
    errors = made.errors
    made.errors = lambda rows: tuple(each * float("nan") for each in errors(rows))
    made._side_gradients = None
    update = made.update(0.5)
    assert update.diverged and update.loss == 0.0
    assert torch.equal(before[0], made._weights) and torch.equal(before[2], made._tensors[2])


def test_quality_is_measured_on_the_same_probe():
    made = started()
    first = made.quality()
    assert made.quality() == first and first.retain_loss > 0
    steps = made.probe.timesteps
    assert steps[0] >= made.trio.schedule.first and steps.max() <= made.trio.schedule.last
    made.update(1.0)
    assert made.quality() != first
