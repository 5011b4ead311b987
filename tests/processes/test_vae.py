"""The process of a VAE: its gradients, what it trains, what the objectives make of it, and what it refuses."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import unlearn_gym  # noqa: F401
from unlearn_gym.errors import UserError
from unlearn_gym.models.vae.bounds import cross_entropy, elbo_error, entropy
from unlearn_gym.models.vae.network import grey_values
from unlearn_gym.objectives import VAE_OBJECTIVES
from unlearn_gym.objectives.siss import SISS

OBJECTIVES = sorted(VAE_OBJECTIVES)


def make(objective="weighted", **kwargs):
    settings = {"horizon": 20, "batch_size": 16, "dtype": "float64", **kwargs}
    env = gym.make("unlearn_gym/Weighted-VAE-Digits-v0", objective=objective, **settings).unwrapped
    env.reset(seed=0)
    return env


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()]).clone()


@pytest.mark.parametrize("trains", ["decoder", "all"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_fast_gradients_are_the_direct_ones(objective, trains):
    runs = [make(objective, trains=trains, gradients=way) for way in ("auto", "direct")]
    for lam in (0.3, 0.0, 0.9):
        fast, direct = (env.step([lam]) for env in runs)
        np.testing.assert_allclose(fast[0], direct[0], rtol=1e-5)
        assert fast[4]["loss"] == pytest.approx(direct[4]["loss"], rel=1e-9)
    moved = [weights(env.process.model) for env in runs]
    torch.testing.assert_close(*moved, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("trains", ["decoder", "all"])
@pytest.mark.parametrize("objective", ["weighted", "redirect", "npo"])
def test_gradients_are_slopes_of_the_errors(objective, trains):
    env = make(objective, trains=trains, gradients="direct", dtype="float64")
    process = env.process
    forget_rows = torch.arange(process.pairs, 2 * process.pairs)
    parameters = process.parameters
    loss = process.errors(forget_rows)[1].mean()
    slopes = torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters, materialize_grads=True)])
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        way = torch.randn(slopes.shape, generator=generator, dtype=torch.float64)
        found = []
        for side in (1e-6, -1e-6):
            with torch.no_grad():
                process._weights.add_(way, alpha=side)
                found.append(float(process.errors(forget_rows)[1].mean()))
                process._weights.add_(way, alpha=-side)
        assert (found[0] - found[1]) / 2e-6 == pytest.approx(float(slopes @ way), rel=1e-4, abs=1e-7)


def test_lambda_zero_is_fine_tuning():
    env, copied = make(optimizer="sgd", learning_rate=0.1), make().process.model
    optimizer = torch.optim.SGD(copied.decoder.parameters(), lr=0.1)
    for _ in range(5):
        batch, pairs = env.process._batch, env.process.pairs
        given = batch.images[:pairs], batch.labels[:pairs], batch.noise[:pairs]
        optimizer.zero_grad()
        loss = elbo_error(copied(*given), given[0]).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(copied.decoder.parameters(), 1.0)
        optimizer.step()
        info = env.step([0.0])[4]
        assert info["loss"] == pytest.approx(loss.item())
    torch.testing.assert_close(weights(env.process.model), weights(copied))


@pytest.mark.parametrize("objective", ["weighted", "redirect"])
def test_only_what_is_trained_moves(objective):
    for trains in ("decoder", "all"):
        env = make(objective, trains=trains)
        before = [weights(half) for half in (env.process.model.encoder, env.process.model.decoder)]
        for _ in range(3):
            env.step([0.5])
        encoder, decoder = (weights(half) for half in (env.process.model.encoder, env.process.model.decoder))
        assert torch.equal(encoder, before[0]) == (trains == "decoder")
        assert not torch.equal(decoder, before[1])


def test_a_ruined_encoder_earns_nothing():
    env = make(trains="all")
    process = env.process
    before = process.quality()
    with torch.no_grad():
        process.model.encoder[-1].bias.add_(3.0)
    process._side_gradients = None
    assert process.observe().forget_loss > 10 * before.forget_loss
    assert process.quality() == before


def test_a_pair_shares_its_noise_and_actions_change_no_draw():
    kept, other = make(), make("redirect")
    for lam in (0.1, 0.8):
        drawn, same = kept.process._drawn, other.process._drawn
        assert all(torch.equal(getattr(drawn, name), getattr(same, name)) for name in vars(drawn))
        noise = kept.process._batch.noise
        assert torch.equal(noise[: kept.process.pairs], noise[kept.process.pairs :])
        kept.step([lam])
        other.step([0.9 - lam])


@pytest.mark.parametrize("objective", ["weighted", "redirect", "npo"])
def test_a_kill_changes_nothing(objective):
    whole, later = make(objective, trains="all"), make(objective, trains="all")
    whole.step([0.5])
    later.reset(seed=7)
    later.load_state_dict(whole.state_dict())
    for lam in (0.2, 0.7):
        first, second = whole.step([lam]), later.step([lam])
        np.testing.assert_array_equal(first[0], second[0])
        assert first[1] == second[1]
    assert torch.equal(weights(whole.process.model), weights(later.process.model))


def test_redirection_decodes_the_original_codes_to_the_target():
    env = make("redirect", trains="all")
    for _ in range(3):
        env.step([0.5])
    process = env.process
    batch, rows = process._batch, torch.arange(process.pairs, 2 * process.pairs)
    with torch.no_grad():
        mean, log_variance = process.original_model.encode(batch.images, batch.labels)
        codes = mean + (log_variance / 2).exp() * batch.noise
        logits = process.model.decode(codes, batch.labels)[rows]
        target = batch.targets[rows]
        expected = (cross_entropy(logits, target) - entropy(target)) / 64
        torch.testing.assert_close(process.errors(rows)[1], expected)
        kept = torch.arange(process.pairs)
        own = elbo_error(
            process.model(batch.images[kept], batch.labels[kept], batch.noise[kept]), batch.images[kept]
        )
        torch.testing.assert_close(process.errors(kept)[0], own)


def test_npo_starts_as_ascent():
    plain, npo = make(gradients="direct"), make("npo", gradients="direct")
    rows = torch.arange(plain.process.pairs, 2 * plain.process.pairs)
    ascent, found = (
        torch.autograd.grad(env.process.errors(rows)[1].mean(), env.process.parameters)
        for env in (plain, npo)
    )
    for one, other in zip(ascent, found, strict=True):
        torch.testing.assert_close(one, -other)


def test_the_probe_is_half_of_the_forget_label():
    probe = make().process.probe
    assert (probe.labels[:128] == 1).float().mean() >= 0.5 and (probe.labels[128:] == 1).all()
    data = make().process.data
    boots = grey_values(data.forget.inputs).double()
    assert all(any(torch.equal(row, boot) for boot in boots) for row in probe.grey[128:][:5])


def test_a_mask_moves_its_share():
    env = make(mask="saliency:0.1")
    before = env.process._weights.clone()
    env.step([0.5])
    assert float((env.process._weights != before).double().mean()) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"objective": "siss"}, "objective='siss' is made of noised images, and a VAE has none; choose one of weight"),
        ({"objective": "posterior"}, "objective='posterior' is made of noised images"),
        ({"objective": SISS()}, "objective=SISS lives by with_sizes"),
        ({"objective_kwargs": {"retain_target": "teacher"}}, "of networks that predict noise"),
        ({"trains": "encoder"}, "trains='encoder' is not known; choose decoder or all"),
        ({"task": "digits"}, "There is no VAE task 'digits'; choose one of vae-digits, vae-trousers"),
        ({"lambda_range": (0.0, 1.5)}, r"must lie in \[0, 1\]"),
    ],
)  # fmt: skip
def test_what_is_refused_is_a_sentence(kwargs, sentence):
    with pytest.raises(UserError, match=sentence):
        gym.make("unlearn_gym/Weighted-VAE-Digits-v0", **kwargs)


def test_it_cannot_be_stacked_but_stepped_side_by_side():
    with pytest.raises(UserError, match="cannot stack VAEProcess; choose processes or loop"):
        gym.make_vec("unlearn_gym/Weighted-VAE-Digits-v0", num_envs=2, vectorization="stacked")
    envs = gym.make_vec("unlearn_gym/Weighted-VAE-Digits-v0", num_envs=2, vectorization="loop", horizon=3)
    envs.reset(seed=0)
    assert np.isfinite(envs.step(np.full((2, 1), 0.5, np.float32))[0]).all()
