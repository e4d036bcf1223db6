"""What a tower in int8 costs and gains: python -m benchmarks.export_int8 RUN [--stream image] [--rows 8] [--rounds 30]

The tower is exported to ONNX in fp32 and in int8 and computed by turns: by the model itself in fp32, by ONNX Runtime and
OpenVINO in fp32, and by OpenVINO in int8; medians and ratios of the same round. Then the run is evaluated on its test split
twice, the second time with this stream's embeddings from the int8 file.
"""

import argparse
import functools
import statistics
import tempfile
from pathlib import Path

import torch
from torch import nn

from benchmarks.measure import seconds
from weft.core.records import Features, Field
from weft.export import export
from weft.export._onnx_file import openvino, session
from weft.export._parity import Embed, eager, parity
from weft.export._rows import values_of
from weft.runs.run import Run, load

ROWS = 64


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--stream", default="image")
    arguments.add_argument("--rows", type=int, default=8, help="computed at once")
    arguments.add_argument("--rounds", type=int, default=30)
    arguments.add_argument("--no-evaluation", action="store_true")
    chosen = arguments.parse_args()
    run = load(chosen.run, "cpu")
    with tempfile.TemporaryDirectory() as work:
        paths = {}
        for int8 in (False, True):
            folder = Path(work) / f"int8={int8}"
            for line in export(run, "onnx", folder, streams=[chosen.stream], int8=int8):
                print(line)
            paths[int8] = folder / f"{chosen.stream}.onnx"
        ways = {
            "eager fp32": eager(run.model, chosen.stream),
            "ONNX Runtime fp32": session(paths[False]),
            "OpenVINO fp32": openvino(paths[False]),
            "OpenVINO int8": openvino(paths[True]),
        }
        if chosen.rounds:
            timed(run, chosen.stream, ways, chosen.rows, chosen.rounds)
        if not chosen.no_evaluation:
            evaluated(run, chosen.stream, ways["OpenVINO int8"])


def timed(run: Run, stream: str, ways: dict[str, Embed], rows: int, rounds: int) -> None:
    """Prints the cosine of every way on validation rows, its median time and how many times as fast as the model it is."""
    values = values_of(run, stream, ROWS)
    example = values.batches(rows)[0]
    took: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            passed = seconds(functools.partial(way, example))
            if turn:  # the first is for warming up
                took[name].append(passed)
    for name, way in ways.items():
        ratios = [a / b for a, b in zip(took["eager fp32"], took[name], strict=True)]
        middle, least, most = statistics.median(ratios), min(ratios), max(ratios)
        found = parity(way, ways["eager fp32"], values.fields())
        print(
            f"{name}: {1000 * statistics.median(took[name]):.1f} ms for {rows} rows, {middle:.2f} times as fast "
            f"({least:.2f} to {most:.2f}), cosine {found.mean:.4f}, worst {found.worst:.4f}"
        )


def evaluated(run: Run, stream: str, way: Embed) -> None:
    """Prints recall on the test split, by the model and with this stream's embeddings from elsewhere."""
    # The int8 file takes pixels, not features that were computed once.
    run.recipe = run.recipe.replace(data=run.recipe.data.replace(cache={}))
    for name in ("eager fp32", "OpenVINO int8"):
        if name != "eager fp32":
            run.model.encoders[stream] = Elsewhere(way)
            run.model.projections[stream] = Pooled()
        result = run.evaluate("retrieval", audited=False)
        for metric, score in result.metrics.items():
            if metric.endswith("recall@1"):
                found = score.estimate
                print(f"{name}: {metric} {found.value:.2f} ({found.low:.1f} to {found.high:.1f})")


class Elsewhere(nn.Module):
    """An encoder whose pooled vectors are finished embeddings."""

    def __init__(self, way: Embed) -> None:
        super().__init__()
        self.way = way

    def forward(self, field: Field) -> Features:
        vectors = self.way(field)
        mask = torch.ones(len(vectors), 1, dtype=torch.bool)
        return Features(vectors[:, None], mask, vectors)


class Pooled(nn.Module):
    """In the place of a projection."""

    def forward(self, features: Features) -> torch.Tensor:
        return features.pooled


if __name__ == "__main__":
    main()
