"""The package's own optimizers against their formulas."""

import torch

from unlearn_gym.processes.common.optimizers import make_optimizer


def test_signadam_steps_by_the_sign_of_the_mean_gradient():
    theta = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimizer = make_optimizer("signadam", [theta], 0.01)
    gradients = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gradients[:, 0] *= 1e-6  # the size of a gradient plays no part
    mean, expected = torch.zeros(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient
        expected -= 0.01 * mean.sign()
        theta.grad = gradient.clone()
        before = theta.detach().clone()
        optimizer.step()
        assert torch.allclose((theta.detach() - before).abs(), torch.full((4,), 0.01, dtype=torch.float64))
    assert torch.allclose(theta.detach(), expected)
