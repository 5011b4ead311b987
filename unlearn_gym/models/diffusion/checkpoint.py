"""Other people's diffusion checkpoints: where in a folder network and schedule lie, and whether they are whole.

Reads the layouts that diffusers' ``DDPMPipeline.from_pretrained`` reads, from safetensors only, and refuses what
that loader would fill with defaults or random numbers.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DModel
from safetensors import safe_open

from unlearn_gym.errors import UserError
from unlearn_gym.models.diffusion.json_config import check_config, one_line, read_config
from unlearn_gym.models.diffusion.schedules import FILE as SCHEDULER_FILE
from unlearn_gym.models.threads import seeded_weights
from unlearn_gym.storage.files import user_path

STEM = "diffusion_pytorch_model"
SINGLE = re.compile(rf"{STEM}(?:\.(?P<variant>(?!.*-\d+-of-\d+)[^.]+))?\.safetensors")
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
FETCHED = ["*.json", "*.safetensors"]
INDEX = re.compile(rf"{STEM}\.safetensors\.index(?:\.(?P<variant>[^.]+))?\.json")
PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
REQUIRED = (
    "sample_size",
    "in_channels",
    "out_channels",
    "layers_per_block",
    "block_out_channels",
    "down_block_types",
    "up_block_types",
)
"""Keys of a network's config.json whose defaults would be a guess; diffusers has always written them."""
FLOATS = ("F16", "BF16", "F32", "F64")
PARTS = {"unet": "UNet2DModel", "scheduler": None}


@dataclass(frozen=True)
class Layout:
    """Where the parts of a checkpoint lie.

    Attributes:
        unet: folder with ``config.json`` and weights.
        scheduler: folder with ``scheduler_config.json``, or None where there is none.
        scheduler_kind: its class, where ``model_index.json`` names it.
    """

    unet: Path
    scheduler: Path | None
    scheduler_kind: str | None


def model_folder(path: str | os.PathLike[str]) -> Path:
    """Return the folder of a checkpoint: the one that is given, or what the hub has under a name like owner/name.

    A name is looked up on the hub only where there is neither such a folder here nor one of the owner's name.

    Raises:
        UserError: when the hub cannot be reached or has no such model.
    """
    folder, name = user_path(path), os.fspath(path)
    if folder.exists() or folder.parent.exists() or not HUB_NAME.fullmatch(name):
        return folder
    from huggingface_hub import snapshot_download  # most models are folders, and this import takes its time

    try:
        return Path(snapshot_download(name, allow_patterns=FETCHED))
    except Exception as error:  # offline, no such model, no space: whatever it is, the user's way out is one
        raise UserError(
            f"There is no model folder {name}, and it could not be downloaded from the hub ({type(error).__name__}); "
            "give a folder that diffusers' save_pretrained wrote, or go online for a model of the hub."
        ) from error


def find_layout(path: Path) -> Layout:
    """Find network and schedule in a folder, by the rules of diffusers' pipelines.

    A part lies in the subfolder of its name, or, without one, in the folder itself, as in ``google/ddpm-*``.

    Raises:
        UserError: when the folder is missing, or is the pipeline of another kind of model.
    """
    if not path.is_dir():
        raise UserError(
            f"There is no model folder {path}; give a folder that diffusers' save_pretrained wrote, or that "
            "huggingface_hub's snapshot_download returned for a model of the hub."
        )
    index = path / "model_index.json"
    kind = _pipeline_scheduler(index) if index.exists() else None
    unet, scheduler = (path / name if (path / name).is_dir() else path for name in PARTS)
    if not (unet / "config.json").is_file():
        raise UserError(
            f"{unet} has no config.json; give the folder of a diffusers UNet2DModel or its pipeline."
        )
    has_scheduler = kind is not None or scheduler != path or (path / SCHEDULER_FILE).exists()
    return Layout(unet, scheduler if has_scheduler else None, kind)


def _pipeline_scheduler(index: Path) -> str:
    """Return the scheduler's class in ``model_index.json`` if the pipeline is a UNet2DModel and a scheduler."""
    entries = {name: value for name, value in read_config(index).items() if not name.startswith("_")}
    parts = {
        name: value for name, value in entries.items() if isinstance(value, list) and value != [None, None]
    }
    for name, value in parts.items():
        if (
            name not in PARTS
            or value != ["diffusers", PARTS[name] or value[-1]]
            or not isinstance(value[1], str)
        ):
            raise UserError(
                f"{index} lists {name}: {value}; give a pipeline of pixels, which has a UNet2DModel and a scheduler "
                "of diffusers and nothing else."
            )
    if set(parts) != set(PARTS):
        raise UserError(f"{index} does not list both unet and scheduler; save the pipeline again.")
    return parts["scheduler"][1]


def load_unet(folder: Path) -> UNet2DModel:
    """Load a network whose every weight is in the files, finite and of the right shape; returned in float32.

    Raises:
        UserError: when it is no such network.
    """
    config = read_config(folder / "config.json")
    kind = config.get("_class_name")
    if kind != "UNet2DModel":
        raise UserError(f"{folder} holds a {kind!r:.60}; give a diffusers UNet2DModel checkpoint.")
    check_unet_config(config, folder / "config.json")
    variant = _variant(folder)
    with seeded_weights(0):  # what a constructor draws must not touch the user's random state
        _check_size(config, folder, _numbers_in(_weight_files(folder, variant)))
        return _load_whole(folder, variant)


def check_unet_config(config: Any, where: Path | str) -> None:
    """Refuse a network's configuration that is of wrong types, or of no network of noise in images.

    Raises:
        UserError: one sentence that names the setting.
    """
    unknown = check_config(config, UNet2DModel, REQUIRED, where)
    if "quantization_config" in unknown:
        raise UserError(f"{where} is of a quantized network; give one with 16-, 32- or 64-bit floats.")
    if unknown:  # such as the decay that diffusers' EMAModel writes
        warnings.warn(
            f"{where} says {', '.join(unknown)}, which UNet2DModel does not know: ignored.", stacklevel=2
        )
    given, made = config["in_channels"], config["out_channels"]
    if made == 2 * given:
        raise UserError(
            f"{where} says {given} input and {made} output channels: the network predicts its variance too (learned "
            "variance), which is not supported; give one that predicts the noise alone."
        )
    if made != given or given not in (1, 3):
        raise UserError(
            f"{where} says {given} input and {made} output channels; give a network of grey (1 and 1) or colour "
            "(3 and 3) images."
        )
    sides = config["sample_size"]
    sides = list(sides) if isinstance(sides, list | tuple) else [sides]
    if not 1 <= len(sides) <= 2 or min(sides) < 1:
        raise UserError(
            f"{where} says sample_size={config['sample_size']}; give one side or (height, width)."
        )
    if config.get("class_embed_type") is not None:
        raise UserError(
            f"{where} says class_embed_type={config['class_embed_type']!r}; give a network with class labels "
            "(num_class_embeds alone) or with none."
        )
    classes = config.get("num_class_embeds")
    if classes is not None and classes < 1:
        raise UserError(f"{where} says num_class_embeds={classes}; give the number of classes, or null.")


def _variant(folder: Path) -> str | None:
    """Return the variant of the weights in a folder: none where there are plain ones, else the only one."""
    names = [file.name for file in folder.iterdir()]
    found = {match["variant"] for name in names if (match := SINGLE.fullmatch(name) or INDEX.fullmatch(name))}
    if None in found:
        return None
    if len(found) > 1:
        raise UserError(
            f"{folder} has weights of several variants ({', '.join(sorted(map(str, found)))}); keep one of them there."
        )
    if found:
        return found.pop()
    if any(file for pattern in PICKLED for file in folder.glob(pattern)):
        raise UserError(
            f"{folder} has pickled weights only, which can run programs and are not read; where you trust them "
            f"convert them: UNet2DModel.from_pretrained({str(folder)!r}, use_safetensors=False)"
            f".save_pretrained({str(folder)!r}, safe_serialization=True)."
        )
    raise UserError(f"{folder} has no {STEM}.safetensors; save the model with safe_serialization=True.")


def _weight_files(folder: Path, variant: str | None) -> dict[Path, set[str] | None]:
    """Return the files of the weights, with the names that the index promises in each, if there is an index."""
    middle = "" if variant is None else f".{variant}"
    index = folder / f"{STEM}.safetensors.index{middle}.json"
    if not index.exists():
        return {folder / f"{STEM}{middle}.safetensors": None}
    places = read_config(index).get("weight_map")
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise UserError(f"{index} has no weight_map of names to files; save the model again.")
    return {folder / file: {key for key in places if places[key] == file} for file in set(places.values())}


def _numbers_in(files: dict[Path, set[str] | None]) -> int:
    """Return how many numbers the headers of the files promise, all of them floating-point."""
    total = 0
    for file, promised in files.items():
        try:
            with safe_open(file, framework="pt") as weights:
                names = set(weights.keys())
                slices = {name: weights.get_slice(name) for name in names}
                total += sum(math.prod(part.get_shape()) for part in slices.values())
                kinds = {name: str(part.get_dtype()) for name, part in slices.items()}
        except Exception as error:  # a damaged file fails in many ways
            raise UserError(
                f"The weights {file} cannot be read ({one_line(error)}); save the model again."
            ) from error
        if promised is not None and promised != names:
            raise UserError(f"{file} does not hold the weights that its index lists; save the model again.")
        for name, kind in kinds.items():
            if kind not in FLOATS:
                raise UserError(
                    f"The weight {name} in {file} is of type {kind}; give 16-, 32- or 64-bit floats."
                )
    return total


def _check_size(config: dict[str, Any], folder: Path, numbers: int) -> None:
    """Refuse a configuration that cannot be built or is of another size than the weights, before memory is taken."""
    try:
        with torch.device("meta"):
            network = UNet2DModel.from_config(config)
    except Exception as error:  # the libraries below fail in many ways
        raise UserError(
            f"{folder / 'config.json'} cannot be built ({one_line(error)}); correct it."
        ) from error
    expected = sum(part.numel() for part in network.state_dict().values())
    if expected != numbers:
        raise UserError(
            f"{folder} has {numbers} weights and its config.json needs {expected}: some are missing or left over; "
            "save the model again."
        )


def _load_whole(folder: Path, variant: str | None) -> UNet2DModel:
    try:
        network, found = UNet2DModel.from_pretrained(
            folder,
            variant=variant,
            use_safetensors=True,
            local_files_only=True,
            low_cpu_mem_usage=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # a wrong shape, a file that changed, and what else the libraries below raise
        raise UserError(
            f"The weights in {folder} cannot be read ({one_line(error)}); save the model again."
        ) from error
    for problem, names in (("lacks", found["missing_keys"]), ("has surplus", found["unexpected_keys"])):
        if names:
            raise UserError(f"{folder} {problem} weights, {sorted(names)[0]} for one; save the model again.")
    return network
