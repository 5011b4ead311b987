"""The environment ids: one flat list; entry points are strings, so that registering imports nothing heavy."""

from gymnasium.envs.registration import register, registry

ONLINE: dict[str, object] = {"online": True, "horizon": 2000}
BENCHMARK = {"batch_size": 256}
WEIGHTED = {"objective": "weighted", "reward": "progress"}
POSTERIOR = {"objective": "posterior", "reward": "progress"}
TROUSERS: dict[str, object] = {
    "task": "trousers",
    "learning_rate": 5e-5,
    "horizon": 100,
    "defaults": {"forget_cap": 0.08, "retain_weight": 200.0},
}
"""Losses of the 28x28 model are smaller than those of the digits; so are the steps that it can take."""
CIFAR10: dict[str, object] = {
    "task": "cifar10",
    "learning_rate": 5e-5,
    "horizon": 100,
    "defaults": {"forget_cap": "auto", "retain_weight": "auto"},
}
"""What depends on the network's losses is chosen from them: a user's network may stand in for the task's."""
SDE = {"time": "continuous"}
GENTLE = {"lambda_range": (0.01, 0.9)}

REQUESTS: dict[str, object] = {"reward": "outcome", "divergence_penalty": 0.02}
"""The outcome of a whole request is at most 1, and so is what a diverged one may cost."""

DIFFUSION = "unlearn_gym.envs.diffusion:DiffusionUnlearningEnv"
DIFFUSION_REQUESTS = "unlearn_gym.envs.requests.diffusion:DiffusionRequestsEnv"
SFD = "unlearn_gym.envs.sfd.env:SFDUnlearningEnv"
SUPERVISED = "unlearn_gym.envs.supervised:SupervisedUnlearningEnv"
SUPERVISED_REQUESTS = "unlearn_gym.envs.requests.supervised:SupervisedRequestsEnv"
VAE = "unlearn_gym.envs.vae:VAEUnlearningEnv"
POLYNOMIAL = "unlearn_gym.envs.regression:PolynomialEnv"
QUADRATIC = "unlearn_gym.envs.quadratic:QuadraticEnv"

ENVIRONMENTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("Quadratic-v0", QUADRATIC, {}),
    ("SISS-Digits-v0", DIFFUSION, {"task": "digits"}),
    ("SISS-Digits-Online-v0", DIFFUSION, {"task": "digits", **ONLINE}),
    ("Weighted-Digits-v0", DIFFUSION, {"task": "digits", **WEIGHTED}),
    ("Weighted-Digits-Online-v0", DIFFUSION, {"task": "digits", **WEIGHTED, **ONLINE}),
    ("Posterior-Digits-v0", DIFFUSION, {"task": "digits", **POSTERIOR}),
    ("Posterior-Digits-Online-v0", DIFFUSION, {"task": "digits", **POSTERIOR, **ONLINE}),
    ("SISS-Trousers-v0", DIFFUSION, TROUSERS),
    ("SISS-Trousers-Online-v0", DIFFUSION, {**TROUSERS, **ONLINE}),
    ("Weighted-Trousers-v0", DIFFUSION, {**TROUSERS, **WEIGHTED, **GENTLE}),
    ("Weighted-Trousers-Online-v0", DIFFUSION, {**TROUSERS, **WEIGHTED, **GENTLE, **ONLINE}),
    ("Posterior-Trousers-v0", DIFFUSION, {**TROUSERS, **POSTERIOR}),
    ("Posterior-Trousers-Online-v0", DIFFUSION, {**TROUSERS, **POSTERIOR, **ONLINE}),
    ("SISS-CIFAR10-v0", DIFFUSION, CIFAR10),
    ("SISS-CIFAR10-Online-v0", DIFFUSION, {**CIFAR10, **ONLINE}),
    ("Posterior-CIFAR10-v0", DIFFUSION, {**CIFAR10, **POSTERIOR}),
    ("SISS-SDE-Digits-v0", DIFFUSION, {"task": "digits", **SDE}),
    ("SISS-SDE-Digits-Online-v0", DIFFUSION, {"task": "digits", **SDE, **ONLINE}),
    ("Weighted-SDE-Digits-v0", DIFFUSION, {"task": "digits", **WEIGHTED, **SDE}),
    ("SISS-SDE-Trousers-v0", DIFFUSION, {**TROUSERS, **SDE}),
    ("SISS-Requests-v0", DIFFUSION_REQUESTS, {**REQUESTS, "objective": "siss"}),
    ("Weighted-Requests-v0", DIFFUSION_REQUESTS, {**REQUESTS, "objective": "weighted", **GENTLE}),
    ("Posterior-Requests-v0", DIFFUSION_REQUESTS, {**REQUESTS, "objective": "posterior"}),
    ("SISS-v0", DIFFUSION, {}),
    ("Weighted-VAE-Digits-v0", VAE, {"task": "vae-digits"}),
    ("Weighted-VAE-Digits-Online-v0", VAE, {"task": "vae-digits", **ONLINE}),
    ("Redirect-VAE-Digits-v0", VAE, {"task": "vae-digits", "objective": "redirect"}),
    ("Redirect-VAE-Digits-Online-v0", VAE, {"task": "vae-digits", "objective": "redirect", **ONLINE}),
    ("Weighted-VAE-Trousers-v0", VAE, {"task": "vae-trousers"}),
    ("Weighted-VAE-Trousers-Online-v0", VAE, {"task": "vae-trousers", **ONLINE}),
    ("SFD-Digits-v0", SFD, {"task": "digits"}),
    ("SFD-Digits-Online-v0", SFD, {"task": "digits", **ONLINE}),
    ("SFD-MNIST-v0", SFD, {"task": "mnist"}),
    ("SFD-MNIST-Online-v0", SFD, {"task": "mnist", **ONLINE}),
    ("EMSE-Digits-v0", SUPERVISED, {"task": "digits"}),
    ("EMSE-Digits-Online-v0", SUPERVISED, {"task": "digits", **ONLINE}),
    ("EMSE-ResNet20-v0", SUPERVISED, {"task": "resnet20-cifar10", **BENCHMARK}),
    ("EMSE-ResNet20-Online-v0", SUPERVISED, {"task": "resnet20-cifar10", **BENCHMARK, **ONLINE}),
    ("EMSE-VGG16BN-v0", SUPERVISED, {"task": "vgg16bn-cifar100", **BENCHMARK}),
    ("EMSE-VGG16BN-Online-v0", SUPERVISED, {"task": "vgg16bn-cifar100", **BENCHMARK, **ONLINE}),
    ("EMSE-MobileNetV2-v0", SUPERVISED, {"task": "mobilenetv2-fmnist", **BENCHMARK}),
    ("EMSE-MobileNetV2-Online-v0", SUPERVISED, {"task": "mobilenetv2-fmnist", **BENCHMARK, **ONLINE}),
    ("EMSE-Requests-v0", SUPERVISED_REQUESTS, REQUESTS),
    ("EMSE-v0", SUPERVISED, {}),
    ("EMSE-Polynomial-v0", POLYNOMIAL, {}),
    ("EMSE-Polynomial-Online-v0", POLYNOMIAL, ONLINE),
)


def register_all() -> None:
    """Register every id once; a second call changes nothing."""
    for name, entry_point, kwargs in ENVIRONMENTS:
        if f"unlearn_gym/{name}" not in registry:
            vector = f"unlearn_gym.envs.vector:{entry_point.split(':')[1]}"
            register(f"unlearn_gym/{name}", entry_point, kwargs=kwargs, vector_entry_point=vector)
