"""Many deletion requests to diffusion models: an episode is a request, and each brings its own budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearn_gym.envs.diffusion import DiffusionUnlearningEnv
from unlearn_gym.envs.options import takes
from unlearn_gym.envs.requests.base import RequestsEnv
from unlearn_gym.envs.requests.models import DiffusionModels
from unlearn_gym.envs.requests.options import RequestOptions


class DiffusionRequestsEnv(RequestsEnv, DiffusionUnlearningEnv):  # type: ignore[misc]
    """
    ## Description
    Pretrained diffusion models, and many requests to forget a part of what one of them was trained on: "forget the
    sandals among the fives, in 24 updates with learning rate 6e-4". An episode is one request. On a single request a
    tuned constant λ is as good as any policy; here the best constant differs from request to request, and a policy
    has to see from the losses which one it met. Everything else is as in `SISS-v0` and its kin
    (`unlearn_gym.envs.diffusion`): objectives, λ, the update.

    The ready-made set `intruders` asks a class-conditional model of scikit-learn's 8×8 digits, which learned clothes of
    one kind under every digit's label, to forget the clothes or the digits of a label. Its splits are disjoint in
    what is forgotten and in their budgets: `train` for learning, `validation` for choosing, `test` for reporting.
    `digits` and `trousers` are sets of requests to the models of the tasks of these names, to see whether a policy
    transfers. `mixed` asks the models of `intruders` and `digits` in turns: a request may name its `family`, and models
    that are alike in all but their weights can be asked in one environment; others are refused when it is made.
    `unlearn-gym list --requests` shows all sets.

    ## Action Space
    `Box(low, high, (1,), float32)`, the ends being `lambda_range`: λ.

    ## Observation Space
    `Box((6,), float32)`: retain and forget loss, the norms of their gradients, the previous λ, and t/T with the
    request's own T. `observation="judged"` is `Box((14,), float32)`: the nine of `relative`, and what a look at the
    model shows, at the start and seven times on the way: ln of the errors on fixed kept images (half of them of the
    request's label) and on fixed forget images, against their start, and D, F and K of the outcome on 20 samples of the
    label and 2 of each other, on noise that the reward never uses. A look costs 2.4 updates of 16 + 16 images.

    ## Rewards
    - `outcome`: at the end of the request (D·F·K)^(1/3), from samples on fixed noise and a concept classifier: D is the
      share of the label's samples that show what should stay, F what was lost of the share that showed what is
      to be forgotten, K what is left of the share of the other labels' samples that show what they should.
      `every=K` pays its growth every K updates; `baseline=0.3` subtracts what the constant 0.3 reaches on the same
      request and seed. A run that diverges has an outcome of 0: what it was paid is taken back, the baseline due.
    - `loss` and `progress`, as everywhere. Over requests they are poor proxies of what samples show.

    All minus `alpha`·(λ_t − λ_{t−1})².

    ## Starting State
    The original weights of the request's model. `reset(seed=s)` takes request number s modulo their number, so that
    consecutive seeds walk through all of them, and draws everything else from s: two policies meet the same
    minibatches and noise at one seed (common random numbers). A reset without seed draws a request at random.
    `reset(options={"request": name or number})` chooses one. `info["request"]` is its name.

    ## Episode End
    After the request's T updates, or when something is not finite, as everywhere.

    ## Arguments
    | Name | Type | Default | Description |
    |------|------|---------|-------------|
    | `requests` | str, path, dict | `"intruders"` | a ready-made set, or a YAML or JSON file: docs/requests.md |
    | `split` | str | `"train"` | which of its requests episodes are drawn from |
    | `memory` | float | `512` | MB of images and weights that are held ready; the rest is made when asked for |
    | `observation` | str | `"state"` | also `judged`: see Observation Space |
    | `horizon` | int | `None` | updates of every request, where the requests' own are not wanted |
    | `learning_rate` | float | `None` | likewise |
    | `batch_size` | int | `None` | likewise |

    and all others of `unlearn_gym.envs.diffusion` except `task`, `model` and data. The keywords of the reward
    `outcome` are `every`, `baseline`, `samples` (80 of the label), `class_samples` (12 of each other) and
    `sampling_steps` (8).

    ```python
    >>> import gymnasium as gym
    >>> import unlearn_gym
    >>> env = gym.make("unlearn_gym/Weighted-Requests-v0", split="test")
    >>> observation, info = env.reset(seed=3)
    >>> info["request"]
    'sneaker T=16 lr=0.00025 B=32'

    ```

    ## Version History
    * v0: first version.
    """  # noqa: D212 (the docstring is the page)

    @takes(RequestOptions)
    def __init__(
        self,
        requests: str | Path | Mapping[str, Any] = "intruders",
        split: str = "train",
        memory: float = 512.0,
        *,
        options: RequestOptions,
    ) -> None:
        self._start(DiffusionModels, requests, split, memory, options)
