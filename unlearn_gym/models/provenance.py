"""Where and with what a trained model was made, beside its weights."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import torch

from unlearn_gym.storage.files import write_json

FILE = "provenance.json"


def write_provenance(folder: Path, device: torch.device, precision: str = "float32") -> None:
    """Write the device, the precision of the passes and the libraries' versions into a model's folder."""
    versions = {"torch": torch.__version__, "diffusers": version("diffusers")}
    write_json(folder / FILE, {"device": str(device), "precision": precision, **versions})
