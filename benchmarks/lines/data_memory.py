"""Peak memory of training on many rows: 100,000 pictures in shards, and 16,384 sounds of ten seconds.

The pictures are JPEG of 64 x 64 pixels with a caption each, in 100 tar shards. A small CLIP learns from them
by `weft.runs.train`: tokenizer, 25 steps of 128 rows, validation on 1,000. The sounds are arrays of 16 kHz
(10.5 GB of float32 all together) that are made when they are asked for; a frozen encoder's features of all of
them go through the feature cache, one epoch is read from it, and all are embedded.

python -m benchmarks.lines.data_memory pictures ROWS, or sounds ROWS, prints the peak of its own process.
"""

import io
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from benchmarks.measure import Comparison, Setting, in_process, peak_memory, value
from benchmarks.waveforms import MIB_EACH, Strides, Waveform, Waveforms
from weft.architectures.model import Model
from weft.core.media import Media
from weft.core.records import Features
from weft.core.samples import Sample
from weft.data.columns import ModalitySource
from weft.data.features import CacheConfig, cache_features
from weft.data.formats._tar_writer import write_shard
from weft.data.loader import Loader
from weft.data.policy import ErrorPolicy
from weft.data.sources import FilesConfig
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.member import Entry, Member
from weft.recipes.scenes import scenes
from weft.runs.train import train

PICTURES, VALIDATION, SOUNDS = 100_000, 1_000, 16_384
SIDE, DISTINCT, BATCH, STEPS = 64, 256, 128, 25
SHARD = 1_000
"""Rows in a shard."""
MOST = 1536
"""MiB."""


def measure(setting: Setting) -> list[Comparison]:
    found = []
    for what, rows in (("pictures", PICTURES), ("sounds", SOUNDS)):
        peak = in_process(__name__, what, str(rows), threads=setting.threads)
        note = f"{rows:,} rows; {peak['note']}"
        named = "sounds of 10 s" if what == "sounds" else what
        found.append(value(f"{rows:,} {named}", peak["MiB"], at_most=MOST, unit="MiB", note=note))
    return found


def pictures(rows: int, folder: Path) -> str:
    for split, count in (("train", rows), ("validation", VALIDATION)):
        left = samples(count, split)
        for start in range(0, count, SHARD):
            write_shard(itertools.islice(left, SHARD), folder / "data" / f"{split}-{start:06d}.tar")
    made = scenes()
    recipe = made.replace(
        data=made.data.replace(source=FilesConfig(folder / "data")),
        tasks={"retrieval": made.tasks["retrieval"].replace(resamples=20)},
        run=made.run.replace(
            steps=STEPS, batch_size=BATCH, evaluate_every=0, checkpoint_every=0, precision="fp32"
        ),
    )
    train(recipe, folder / "run")
    size = sum(path.stat().st_size for path in (folder / "data").glob("*.tar"))
    return f"{size / 2**20:.0f} MiB of shards"


def samples(rows: int, split: str) -> Iterator[Sample]:
    """Some different pictures over and over, under captions of their own."""
    random, files = np.random.default_rng(0), []
    for _ in range(DISTINCT):
        pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        out = io.BytesIO()
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(out, "JPEG")
        files.append(Media.encoded(out.getvalue(), "image", "jpg"))
    for row in range(rows):
        items = {"image": files[row % DISTINCT], "text": f"picture {row} of kind {row % DISTINCT}"}
        yield Sample(f"{split}-{row}", f"{split}-{row}", {**items, "split": split}, f"made:{row}")


def sounds(rows: int, folder: Path) -> str:
    dataset, encoder = Waveforms(rows), Strides()
    source = ModalitySource(dataset, "audio", Waveform())
    config = CacheConfig(folder=folder, batch_size=64)
    cached = cache_features(source, encoder, config, described_by=(), train=True)
    loader = Loader(dataset, {"audio": cached}, batch_size=64, seed=0)
    for batch in loader.batches(0, loader.steps_per_epoch):
        assert len(batch.inputs["audio"]) == 64
    model = Model({"audio": encoder}, projections={"audio": Pooled()})
    member = Member(model, {"audio": source})
    bad = ErrorPolicy().build(rows)
    entries = [Entry("audio", row) for row in range(rows)]
    found = embed_entries([member], entries, dataset, InferenceConfig(), bad)
    assert len(found.entries) == rows
    return f"{rows * MIB_EACH:,.0f} MiB of samples"


class Pooled(nn.Module):
    def forward(self, features: Features) -> torch.Tensor:
        return features.pooled


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        work = {"pictures": pictures, "sounds": sounds}[sys.argv[1]]
        note = work(int(sys.argv[2]), Path(folder))
        print(json.dumps({"MiB": peak_memory(), "note": note}))
