"""The JSON file beside an exported tower: its inputs, how they are prepared, and its output."""

from pathlib import Path
from typing import Any

from weft.core import config as configs
from weft.core.interfaces import Learner, Modality, views_of
from weft.core.records import Field
from weft.core.tensors import checksum_of
from weft.core.version import version
from weft.export._files import write_json
from weft.export._tower import Graph, inputs_of, is_pixels
from weft.modalities.image import ImageConfig
from weft.modalities.text import Text
from weft.runs.parts import WEIGHTS
from weft.runs.run import Run


def describe(
    run: Run, stream: str, example: Field, graph: Graph, file: str, folder: Path
) -> dict[str, Any]:
    """The content of the JSON file. Writes what the modality learned from the training rows, such as a tokenizer,
    into the folder.
    """
    modality: Any = run.modalities[stream]
    return {
        "stream": stream,
        "file": file,
        "weights": checksum_of(run.folder / WEIGHTS),
        "weft": version(),
        "inputs": _inputs(example, graph),
        "output": {
            "name": "embeddings",
            "dtype": "float32",
            "shape": ["batch", _width(graph)],
            "says": "unit length; zeros of a row whose mask is all false",
        },
        "lengths": {f"axis {place}": list(bounds) for place, bounds in graph.lengths.items()},
        "prepare": {
            "says": _preparation(modality, example),
            "settings": configs.to_json(modality.config) if hasattr(modality, "config") else None,
            "views": views_of(modality),
            "learned": _learned(modality, stream, folder),
        },
    }


def _inputs(example: Field, graph: Graph) -> list[dict[str, Any]]:
    found = []
    for name, tensor in inputs_of(example).items():
        shape: list[int | str] = ["batch", *tensor.shape[1:]]
        for place in graph.lengths:
            if place < len(shape):
                shape[place] = "length"
        dtype = str(tensor.dtype).removeprefix("torch.")
        found.append({"name": name, "dtype": dtype, "shape": shape})
    return found


def _width(graph: Graph) -> int:
    outputs: Any = graph.program.graph.output_node().args[0]
    return int(outputs[0].meta["val"].shape[1])


def _preparation(modality: Modality, example: Field) -> str:
    """A description of how a value becomes a row of `values`."""
    mask = "" if example.mask is None else "; mask is true at what is real and false in the padding"
    config = getattr(modality, "config", None)
    if isinstance(config, ImageConfig):
        fitted = {
            "crop": f"the central square, its side {config.eval_crop:g} of the shorter side",
            "squash": "the whole picture, squashed to a square",
            "pad": f"the whole picture with borders of grey {config.pad_value}",
        }[config.fit]
        return (
            f"RGB, upright (EXIF), {fitted}, resized to {config.size} x {config.size} ({config.interpolation}, anti-aliased), "
            "uint8 from 0 to 255, channels last; scaling, mean and standard deviation are inside the file"
        )
    if isinstance(modality, Text):
        return (
            f"Unicode NFC with single spaces, then ids of the tokenizer, at most {modality.config.max_length} of them with the "
            f"special tokens, padded with {modality.pad_id}{mask}"
        )
    kind = (
        "uint8, channels last"
        if is_pixels(example.values)
        else str(example.values.dtype).removeprefix("torch.")
    )
    return f"as {type(modality).__name__} of weft reads them with these settings: {kind}{mask}"


def _learned(modality: Modality, stream: str, folder: Path) -> str | None:
    """Writes what the modality learned; returns the file's name."""
    if isinstance(modality, Text):
        name = f"{stream}.tokenizer.json"
        state = modality.state()["tokenizer"]
        write_json(folder / name, {**state, "padding": None})
        return name
    if isinstance(modality, Learner):
        name = f"{stream}.learned.json"
        write_json(folder / name, dict(modality.state()))
        return name
    return None
