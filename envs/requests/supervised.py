"""Many deletion requests to classifiers: an episode is a request, and each brings its own budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearn_gym.envs.options import takes
from unlearn_gym.envs.requests.base import RequestsEnv
from unlearn_gym.envs.requests.models import ClassifierModels
from unlearn_gym.envs.requests.options import ClassifierRequestOptions
from unlearn_gym.envs.supervised import SupervisedUnlearningEnv
from unlearn_gym.models.supervised.poisoned import POISONED


class SupervisedRequestsEnv(RequestsEnv, SupervisedUnlearningEnv):  # type: ignore[misc]
    """
    ## Description
    Trained classifiers, and many requests to forget a part of what one of them was trained on, each with updates
    and a learning rate of its own. The ready-made set `poisoned-digits` asks a small CNN of scikit-learn's 8×8
    digits, 40 % of each of which was learned under the next digit's label: forget a digit ("7": held-out sevens are
    not to be called sevens any more; the sixes that were learned as sevens are kept), or its poison ("7 as 8":
    sevens are to be called sevens again). `memorised-digits` asks a network that learned all of it by heart to
    forget a random portion of the rightly labelled images ("portion 5"). Splits are disjoint in what is forgotten
    and in budgets. A request may name its `family`, so that a set of your own can ask both classifiers in turns.
    Everything else is as in `EMSE-v0` (`SupervisedUnlearningEnv`) and `DiffusionRequestsEnv`.

    ## Action Space
    `Box(low, high, (1,), float32)`, the ends being `lambda_range`: λ.

    ## Observation Space
    `Box((6,), float32)`: retain and forget error, the norms of their gradients, the previous λ, and t/T with the
    request's own T. `observation="judged"` is that of `DiffusionRequestsEnv`, with D, F and K of the held-out images:
    those that the outcome is measured on.

    ## Rewards
    - `outcome`: at the end (D·F·K)^(1/3), from what the classifier says of held-out images: D is the share of the
      digit's images that are called what they are, where only its poison was to be forgotten (1 otherwise), F
      what was lost of the share that was called what is to be forgotten, K what is left of the accuracy on the other
      digits. Of a portion, F is what was lost of |2·AUC − 1|, by which the losses of its images stand out from those
      of held-out ones (membership inference). Keywords `every` and `baseline` as in `DiffusionRequestsEnv`.
    - `loss`, `progress`, `balance` as everywhere.

    All minus `alpha`·(λ_t − λ_{t−1})².

    ## Starting State
    The original weights of the request's classifier; `reset(seed=s)` takes request number s modulo their number, as in
    `DiffusionRequestsEnv`.

    ## Episode End
    After the request's T updates, or when something is not finite, as everywhere.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `requests` | str, path, dict | `"poisoned-digits"` | a ready-made set, or a YAML or JSON file: docs/requests.md |
    | `split` | str | `"train"` | which of its requests episodes are drawn from |
    | `memory` | float | `512` | MB of images and weights that are held ready; the rest is made when asked for |
    | `observation` | str | `"state"` | also `judged`: see Observation Space |
    | `horizon` | int | `None` | updates of every request, where the requests' own are not wanted |
    | `learning_rate` | float | `None` | likewise |
    | `batch_size` | int | `None` | likewise |

    and all others of `unlearn_gym.envs.supervised` except `task`, `model` and data.

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/EMSE-Requests-v0", split="test")
    >>> observation, info = env.reset(seed=1)
    >>> info["request"]
    '1 as 2 T=12 lr=0.0004 B=32'

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    @takes(ClassifierRequestOptions)
    def __init__(
        self,
        requests: str | Path | Mapping[str, Any] = POISONED,
        split: str = "train",
        memory: float = 512.0,
        *,
        options: ClassifierRequestOptions,
    ) -> None:
        self._start(ClassifierModels, requests, split, memory, options)
