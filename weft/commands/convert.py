"""Convert a published model: CLIP or SigLIP to a run; ViLT, VisualBERT, LXMERT or BLIP for `weft train --init`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import parse
from weft.core.errors import WeftError


@dataclass(frozen=True)
class Arguments:
    """The published model, and where the converted one is written."""

    name: Annotated[str, tyro.conf.Positional]
    """Published model: a folder with safetensors and config.json or open_clip_config.json, package:NAME, or a name on
    the Hugging Face hub."""
    out: Path
    """Folder for the result. CLIP, SigLIP, SigLIP 2 and open_clip models become a run directory; other models become
    model.json and model.safetensors."""
    text: str = "text"
    """Name of the text stream in the converted model, such as question."""


def main(words: list[str]) -> None:
    """Writes the model's parts as JSON and its weights as safetensors."""
    arguments = parse(Arguments, words, "weft convert")
    from weft.encoders.dual import is_dual

    if is_dual(arguments.name):
        _run(arguments)
    else:
        _start(arguments)


def _run(arguments: Arguments) -> None:
    """Writes a model with two towers as a run directory, which needs no training."""
    from weft.recipes import recipe
    from weft.runs.untrained import save_untrained

    if arguments.text != "text":
        raise WeftError(
            f"--text is '{arguments.text}', expected text: the streams of a model with two towers are image "
            "and text"
        )
    count = save_untrained(recipe("published", model=arguments.name), arguments.out)
    print(f"{arguments.name}: {count / 1e6:.1f} million weights: {arguments.out}")
    print(f"zero-shot: weft evaluate {arguments.out} --task zero_shot --data PATH")
    print(
        f"search: weft index build {arguments.out} --data PATH, then weft search {arguments.out} --text WORDS"
    )


def _start(arguments: Arguments) -> None:
    """Writes any other model as files from which a training can start."""
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
