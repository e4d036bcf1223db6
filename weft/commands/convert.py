"""Convert a published model (ViLT, VisualBERT, LXMERT, BLIP) to weft, for `weft train --init`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import parse


@dataclass(frozen=True)
class Arguments:
    """The published model, and where the converted one is written."""

    name: Annotated[str, tyro.conf.Positional]
    """Folder with config.json and safetensors, package:NAME, or a name on the Hugging Face hub."""
    out: Path
    """Folder for model.json and model.safetensors."""
    text: str = "text"
    """Name of the text stream in the converted model, such as question."""


def main(words: list[str]) -> None:
    """Writes the model's parts as JSON and its weights as safetensors."""
    arguments = parse(Arguments, words, "weft convert")
    from weft.architectures.checkpoints import read_checkpoint
    from weft.modalities.processor import read_processor

    checkpoint = read_checkpoint(arguments.name, text=arguments.text)
    checkpoint.save(arguments.out)
    count = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    print(f"{arguments.name}: {count / 1e6:.1f} million weights: {arguments.out}")
    parts = checkpoint.config
    print(f"streams: {', '.join(parts.encoders)}; heads: {', '.join(parts.heads) or 'none'}")
    picture = read_processor(checkpoint.folder).settings()
    if picture:
        flags = (f"--data.streams.image.{name} {value}" for name, value in picture.items())
        print(f"pictures as the model saw them in training: {' '.join(flags)}")
