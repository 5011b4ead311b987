"""Polynomial regression: a linear layer on orthonormal Legendre polynomials, fitted in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unlearn_gym.data.sets.curves import legendre


class Polynomial(nn.Module):
    """A polynomial in one variable; the coefficients are the weights of ``linear``.

    Args:
        degree: of the polynomial.
    """

    def __init__(self, degree: int) -> None:
        super().__init__()
        self.degree = degree
        self.linear = nn.Linear(degree + 1, 1, bias=False)
        nn.init.zeros_(self.linear.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return y, shape (n, 1), for x of shape (n, 1)."""
        return self.linear(legendre(x, self.degree))

    @torch.no_grad()
    def fit(self, x: Tensor, y: Tensor) -> Polynomial:
        """Set the coefficients to those of least squares on points x, y of shape (n, 1); returns itself."""
        features = legendre(x.double(), self.degree)
        solution = torch.linalg.lstsq(features, y.double(), driver="gelsd").solution
        self.linear.weight.copy_(solution.T)
        return self
