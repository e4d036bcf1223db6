"""Whole towers as archives of torch.export, one file per stream, with a JSON file beside each."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from weft.core.records import Field
from weft.export._graphs import Description, Kind, write_towers
from weft.export._library import Wanted
from weft.export._parity import Embed
from weft.export._tower import Graph, inputs_of, quietly
from weft.runs.run import Run


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """Writes STREAM.pt2 and STREAM.json for each stream, with its tokenizer. Returns lines: how far the file is
    from the run.

    Raises WeftError if a tower cannot be exported, and for int8.
    """
    wanted.require_floats("pt2")
    return write_towers(run, folder, wanted, Kind(".pt2", _fp32, _loaded))


def save_pt2(graph: Graph, path: Path) -> None:
    """Writes the graph as an archive of torch.export."""
    with quietly():
        torch.export.save(graph.program, path)


def _fp32(graph: Graph, path: Path, rows: Sequence[Field]) -> Description:  # noqa: ARG001
    save_pt2(graph, path)
    return {"precision": "fp32"}


def _loaded(path: Path) -> Embed:
    """Loads a file that this process has just written; weft opens no other archives."""
    with quietly():
        module = torch.export.load(path).module()

    def embed(field: Field) -> Tensor:
        with torch.no_grad():
            found: Tensor = module(*inputs_of(field).values())
        return found

    return embed
