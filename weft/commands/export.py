"""Export a run as ONNX or pt2, or as a model that transformers, open_clip or sentence-transformers loads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.language import say


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run, the library, and the folder that it will load."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Annotated[Path, tyro.conf.Positional]
    """New folder for the model."""
    to: str
    """Target format: onnx or pt2, or a library: transformers, open_clip or sentence-transformers."""
    stream: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Stream whose tower is exported, for onnx and pt2. Default: all streams that have embeddings."""
    int8: bool = False
    """If true, quantise convolutions and linear layers of an onnx export to 8 bits, for OpenVINO. `weft serve` tries
    such models too."""


def main(words: list[str]) -> None:
    """Writes the folder and prints how to load it."""
    arguments = parse(Arguments, words, "weft export")
    from weft.export import export
    from weft.runs.run import load

    run = load(arguments.run, device="cpu", trust=arguments.trust)
    for line in export(
        run, arguments.to, arguments.out, streams=arguments.stream, int8=arguments.int8
    ):
        print(say(line))
    print(f"{arguments.out}: {_LOADED[arguments.to].format(arguments.out)}")


_LOADED = {
    "onnx": 'onnxruntime.InferenceSession("{}/STREAM.onnx")',
    "pt2": 'torch.export.load("{}/STREAM.pt2").module()',
    "transformers": 'transformers.AutoModel.from_pretrained("{}")',
    "open_clip": 'open_clip.create_model_and_transforms("local-dir:{}")',
    "sentence-transformers": 'sentence_transformers.SentenceTransformer("{}")',
}
