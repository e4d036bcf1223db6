"""A fresh process that imports the package and builds a CLIP (12 x 384 at 128 px, text 6 x 384)."""

import json
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the harness imports torch, which must not happen before the clock starts
    from benchmarks.measure import Comparison, Setting

WIDTH, VOCABULARY = 384, 49408


def measure(setting: "Setting") -> "list[Comparison]":
    from benchmarks.measure import in_process, smaller

    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(setting.rounds + 1):
        for side, kept in (("weft", ours), ("open_clip", theirs)):
            start = time.perf_counter()
            inside = in_process("benchmarks.lines.import_time", side, threads=setting.threads)
            kept.append({**inside, "process": time.perf_counter() - start})
    rows: list[Comparison] = []
    for key, what in (
        ("both", "import and building a CLIP"),
        ("import", "import alone"),
        ("process", "the whole process"),
    ):
        # The first round reads the files from the disk, for both.
        sides = [[row[key] for row in side[1:]] for side in (ours, theirs)]
        rows.append(smaller(what, *sides, unit="s", at_most=0.6 if key == "both" else None))
    return rows


def weft() -> None:
    import weft  # noqa: F401
    from weft.architectures.clip import clip

    imported()
    clip(vocab_size=VOCABULARY, image_size=128, width=WIDTH).build()


def open_clip() -> None:
    from benchmarks import peers

    package = peers.open_clip()
    imported()
    package.CLIP(
        WIDTH,
        {"layers": 12, "width": WIDTH, "head_width": 64, "patch_size": 16, "image_size": 128},
        {"context_length": 77, "vocab_size": VOCABULARY, "width": WIDTH, "heads": 6, "layers": 6},
    )


def imported() -> None:
    marks.append(time.perf_counter())


marks = [time.perf_counter()]

if __name__ == "__main__":
    {"weft": weft, "open_clip": open_clip}[sys.argv[1]]()
    marks.append(time.perf_counter())
    print(json.dumps({"import": marks[1] - marks[0], "both": marks[2] - marks[0]}))
