"""Newton deletion: the step from the fit to all points to the fit without some of them, exact for a squared loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from unlearn_gym.data.sets.curves import legendre
from unlearn_gym.data.split import UnlearningData
from unlearn_gym.errors import UserError
from unlearn_gym.methods.closed_form import ClosedForm
from unlearn_gym.processes.regression import RegressionProcess, fit_all

CLOSE = 1e-4
"""How far, relative to the largest weight, rounding may have moved the fit to all points."""


class Newton(ClosedForm):
    """θ ← θ* + k/(n − k)·H_R⁻¹ ḡ_F: ``deleted`` on the points of a polynomial problem.

    It is the retrained model up to rounding, and only from θ*, the least-squares fit to all points: there the gradients
    of both sides cancel, so that what is to be forgotten says where the wanted points pull.
    """

    def __init__(self, env: Any) -> None:
        process = env.unwrapped.process
        if not isinstance(process, RegressionProcess):
            raise UserError(
                f"newton is exact for least-squares fits only, and {type(env.unwrapped).__name__} has none; leave it "
                "out, or take EMSE-Polynomial-v0."
            )
        self._process = process

    @torch.no_grad()
    def unlearn(self) -> None:
        """See ``ClosedForm.unlearn``."""
        data, degree = self._process.data, self._process.curves.degree
        weight = self._process.model.linear.weight
        start = fit_all(data, degree).linear.weight.to(weight)
        if not torch.allclose(weight, start, rtol=0, atol=CLOSE * float(start.abs().max())):
            raise UserError(
                "newton deletes points exactly only from the least-squares fit to all of them, and these weights are "
                "others; reset the environment first."
            )
        weight.copy_(deleted(weight.T.double(), data, degree).T)


def deleted(coefficients: Tensor, data: UnlearningData, degree: int) -> Tensor:
    """Return the coefficients of a least-squares fit without the points to forget.

    Args:
        coefficients: θ*, of the fit to all n points, float64, (degree + 1, 1).
        data: the wanted points and the k to forget.
        degree: of the polynomial.

    Returns:
        θ* + k/(n − k)·H_R⁻¹ ḡ_F with H_R the Hessian of the mean squared error on the wanted points and ḡ_F the
        gradient of that on the others at θ*. With the Hessian of all points, and k/n, it would be the influence
        function, which is exact to first order in k/n only.

    Raises:
        UserError: when the wanted points alone do not determine the fit.
    """
    retain, forget = (legendre(part.inputs.double(), degree) for part in (data.retain, data.forget))
    hessian = 2 * retain.T @ retain / len(retain)
    if int(torch.linalg.matrix_rank(hessian, hermitian=True)) <= degree:
        raise UserError(
            f"{len(retain)} wanted points do not determine a polynomial of degree {degree}, so that newton has no "
            "step; give more points or a lower degree."
        )
    gradient = 2 * forget.T @ (forget @ coefficients - data.forget.labels.double()) / len(forget)
    return coefficients + len(forget) / len(retain) * torch.linalg.solve(hessian, gradient)
