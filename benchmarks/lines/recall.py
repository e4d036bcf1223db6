"""Recall@1, 5, 10 both ways among N pictures and N captions, from embeddings of 512 numbers.

The peer's way is that of OpenCLIP's evaluation: the whole N x N matrix of logits, a full argsort of it
and of its transpose, and a search for the right column. Ours counts what scores above the right one,
tile by tile, both ways from one product (`weft.evaluation.ranking_both_ways`). Both must find the same recalls.
"""

import json
import sys
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.measure import Comparison, Setting, faster, in_process, seconds, smaller
from benchmarks.measure import peak_memory as peak
from weft.evaluation.ranking_both_ways import rank_both_ways

CUTS = (1, 5, 10)


def measure(setting: Setting) -> list[Comparison]:
    found: list[Comparison] = []
    for count, rounds in ((5_000, setting.rounds), (20_000, min(2, setting.rounds))):
        ours: list[dict[str, float]] = []
        theirs: list[dict[str, float]] = []
        for _ in range(rounds):
            for side, kept in (("counting", ours), ("argsort", theirs)):
                words = (side, str(count), str(setting.threads))
                kept.append(in_process("benchmarks.lines.recall", *words, threads=setting.threads))
        if ours[0]["recall"] != theirs[0]["recall"]:
            raise ValueError(f"recalls differ: {ours[0]['recall']} and {theirs[0]['recall']}")
        aimed = count == 20_000
        took, held, whole = (
            [[row[key] for row in side] for side in (ours, theirs)]
            for key in ("seconds", "increment", "peak")
        )
        found += [
            faster(f"time at N = {count:,}", *took, at_least=18 if aimed else None),
            smaller(f"memory at N = {count:,}", *held, at_most=0.1 if aimed else None),
            smaller(f"peak memory of the process at N = {count:,}", *whole),
        ]
    return found


def embeddings(count: int) -> tuple[Tensor, Tensor]:
    """Pictures and captions of which about half find each other first."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 512, generator=generator)
    texts = images + 5.5 * torch.randn(count, 512, generator=generator)
    return F.normalize(images, dim=1), F.normalize(texts, dim=1)


def counting(images: Tensor, texts: Tensor) -> list[float]:
    own = torch.arange(len(images))
    ways = rank_both_ways(images, texts, own, own)
    return [float(ranks.hits(k).double().mean()) for ranks in ways for k in CUTS]


def argsort(images: Tensor, texts: Tensor) -> list[float]:
    own = torch.arange(len(images))[:, None]
    logits = 100.0 * images @ texts.T
    recalls: list[float] = []
    for scores in (logits, logits.T):
        order = torch.argsort(scores, descending=True)
        place = torch.where(order == own)[1]
        recalls += [float((place < k).double().mean()) for k in CUTS]
    return recalls


SIDES: dict[str, Callable[[Tensor, Tensor], list[float]]] = {
    "counting": counting,
    "argsort": argsort,
}

if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[3]))
    SIDES[sys.argv[1]](*embeddings(64))  # kernels and allocator are ready
    given = embeddings(int(sys.argv[2]))
    before = peak()
    recalls: list[float] = []
    took = seconds(lambda: recalls.extend(SIDES[sys.argv[1]](*given)))
    held = {"seconds": took, "peak": peak(), "increment": max(peak() - before, 1.0)}
    print(json.dumps({**held, "recall": [round(value, 4) for value in recalls]}))
