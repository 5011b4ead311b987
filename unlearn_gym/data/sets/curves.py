"""Points on a wanted curve mixed with points on an unwanted one: problems of polynomial regression.

Two kinds of problems: a synthetic family whose difficulty is set by keywords, and a real one, the breast
cancer data of scikit-learn. Each draw of a problem has training points and as many held-out ones of both
curves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from unlearn_gym.data.checks import finite, whole
from unlearn_gym.data.split import LabelledSet, UnlearningData
from unlearn_gym.errors import UserError

LARGEST_DEGREE = 50
"""Beyond it the least-squares fit in float32 means nothing."""
MOST_POINTS = 10_000_000
LARGEST = 1e6
"""Of noise and offset, in standard deviations of the wanted curve: squared errors stay finite in float32."""


def legendre(x: Tensor, degree: int) -> Tensor:
    """Return √(2k + 1)·P_k(x) for k = 0 … degree, which are orthonormal for uniform x in [−1, 1].

    Args:
        x: shape (n, 1).
        degree: of the last polynomial.

    Returns:
        Shape (n, degree + 1).
    """
    columns = [torch.ones_like(x), x]
    for k in range(1, degree):  # Bonnet's recursion
        columns.append(((2 * k + 1) * x * columns[k] - k * columns[k - 1]) / (k + 1))
    return torch.cat([math.sqrt(2 * k + 1) * column for k, column in enumerate(columns[: degree + 1])], 1)


@dataclass(frozen=True)
class SyntheticCurves:
    """Random polynomials on [−1, 1]; the wanted curve has mean 0 and variance 1.

    The unwanted curve is ``offset`` + ρ·wanted + √(1 − ρ²)·other, ``other`` orthogonal to the wanted
    curve: ρ is the correlation of the two curves over [−1, 1]. The noise of each unwanted point has the
    same correlation ρ with that of a wanted point, so that for ρ > 0 the two sets are dependent.

    Attributes:
        degree: of both curves.
        noise: standard deviation of the noise, in those of the wanted curve.
        unwanted_share: share of unwanted points, in (0, 1), or (low, high) to draw it from.
        correlation: ρ in [−1, 1].
        offset: distance of the two means, in standard deviations of the wanted curve.
        points: training points, wanted and unwanted together.
    """

    degree: int = 5
    noise: float = 0.1
    unwanted_share: float | tuple[float, float] = 0.5
    correlation: float = 0.0
    offset: float = 1.0
    points: int = 400

    def __post_init__(self) -> None:
        low, high = self.share_range
        if not 0 < low <= high < 1:
            raise UserError(
                f"unwanted_share={self.unwanted_share} was given; choose within 0 and 1, such as 0.5."
            )
        whole("degree", self.degree, 2, LARGEST_DEGREE)
        whole("points", self.points, 4, MOST_POINTS)
        finite("noise", self.noise, 0, LARGEST)
        finite("offset", self.offset, -LARGEST, LARGEST)
        finite("correlation", self.correlation, -1, 1)

    @property
    def share_range(self) -> tuple[float, float]:
        """Smallest and largest share of unwanted points."""
        share = self.unwanted_share
        low, high = (share, share) if isinstance(share, int | float) else share
        return float(low), float(high)

    def draw(self, seed: int) -> UnlearningData:
        """Draw curves and points; the same from the same seed."""
        generator = Generator().manual_seed(seed)
        low, high = self.share_range
        share = low + (high - low) * float(torch.rand(1, generator=generator))
        unwanted = min(max(round(share * self.points), 2), self.points - 2)
        curves = self._curves(generator)
        seen, held = (
            self._points(curves, self.points - unwanted, unwanted, generator) for _ in ("training", "test")
        )
        return UnlearningData("synthetic", seen[0], seen[1], held[0], held[1])

    def _curves(self, generator: Generator) -> tuple[Tensor, Tensor]:
        """Return the Legendre coefficients of both curves, each of shape (degree + 1, 1)."""
        wanted, other = torch.randn(2, self.degree, generator=generator, dtype=torch.float64)
        wanted = wanted / wanted.norm()
        other = other - (other @ wanted) * wanted
        mixed = self.correlation * wanted + (1 - self.correlation**2) ** 0.5 * other / other.norm()
        offsets = torch.tensor([[0.0], [self.offset]], dtype=torch.float64)
        both = torch.cat([offsets, torch.stack([wanted, mixed])], 1)
        return both[0, :, None], both[1, :, None]

    def _points(
        self, curves: tuple[Tensor, Tensor], wanted: int, unwanted: int, generator: Generator
    ) -> list[LabelledSet]:
        noise = torch.randn(wanted + unwanted, 1, generator=generator, dtype=torch.float64)
        partner = noise[torch.arange(unwanted) % wanted]
        dependent = self.correlation * partner + (1 - self.correlation**2) ** 0.5 * noise[wanted:]
        x = 2 * torch.rand(wanted + unwanted, 1, generator=generator, dtype=torch.float64) - 1
        sides = zip(curves, (x[:wanted], x[wanted:]), (noise[:wanted], dependent), strict=True)
        return [
            LabelledSet(side.float(), (legendre(side, self.degree) @ curve + self.noise * error).float())
            for curve, side, error in sides
        ]


@dataclass(frozen=True)
class BreastCancerCurves:
    """A real problem: error of the area from error of the radius; wanted benign, unwanted malignant tumours.

    One parabola does not fit both groups: test R² on the 357 benign tumours is about 0.3 when it is
    fitted to all 569 and 0.8 when it is fitted to the benign ones alone. The two columns were chosen for
    that contrast among all pairs of the data set (UCI Breast Cancer Wisconsin, diagnostic; shipped with
    scikit-learn). Both columns are scaled to the spread of the benign group; each draw is another split
    into halves for training and for testing.

    Attributes:
        degree: of the curve that is fitted.
    """

    degree: int = 2

    def __post_init__(self) -> None:
        whole("degree", self.degree, 1, LARGEST_DEGREE)

    def draw(self, seed: int) -> UnlearningData:
        """Split the data at random into training and test half; the same from the same seed."""
        from sklearn.datasets import load_breast_cancer  # a second, and only this class needs it

        source = load_breast_cancer()
        names = list(source.feature_names)
        columns = source.data[:, [names.index("radius error"), names.index("area error")]]
        values, benign = torch.as_tensor(columns), torch.as_tensor(source.target == 1)
        x = 2 * values[:, :1] / values[:, 0].max() - 1
        y = (values[:, 1:] - values[benign, 1].mean()) / values[benign, 1].std()
        generator = Generator().manual_seed(seed)
        parts = []
        for group in (benign, ~benign):
            rows = group.nonzero().squeeze(1)
            rows = rows[torch.randperm(len(rows), generator=generator)]
            parts.append([LabelledSet(x[half].float(), y[half].float()) for half in rows.tensor_split(2)])
        (retain, retain_holdout), (forget, forget_holdout) = parts
        return UnlearningData("breast cancer", retain, forget, retain_holdout, forget_holdout)


Curves = SyntheticCurves | BreastCancerCurves

CURVES: dict[str, Callable[..., Curves]] = {"synthetic": SyntheticCurves, "breast_cancer": BreastCancerCurves}
"""Name → class of problems of polynomial regression."""


def make_curves(name: str, /, **keywords: object) -> Curves:
    """Return the problems registered under ``name``; keywords are the fields of their class.

    Raises:
        UserError: for an unknown name, keyword or value.
    """
    if name not in CURVES:
        raise UserError(f"There are no curves {name!r}; choose one of {', '.join(sorted(CURVES))}.")
    try:
        return CURVES[name](**keywords)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"{name} curves do not take {keywords} ({error}); see {CURVES[name].__name__}."
        ) from error
