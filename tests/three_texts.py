"""A small run of three streams, each a text, and its rows."""

import json
from collections.abc import Sequence
from pathlib import Path

import weft
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Modality
from weft.data.sources import FilesConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig

WORDS = ("one", "two", "three")


def trained(folder: Path) -> Path:
    """The folder, with rows.jsonl and the run `run`."""
    write(folder, [WORDS] * 4)
    texts: dict[str, Config[Modality]] = {
        name: TextConfig(kind="word", min_frequency=1, max_length=8) for name in WORDS
    }
    recipe = Recipe(
        data=DataConfig(FilesConfig(folder / "rows.jsonl"), streams=texts, optional=WORDS),
        model=ModelConfig(
            encoders={name: WordVectorsConfig(80, 8) for name in WORDS},
            projections={name: ProjectionConfig(8, 6) for name in WORDS},
        ),
        objectives={"contrast": SoftmaxContrastiveConfig(WORDS[:2])},
        tasks={"retrieval": RetrievalConfig(streams=WORDS, resamples=10)},
        run=RunConfig(
            steps=2, batch_size=8, evaluate_every=0, workers=0, device="cpu", precision="fp32"
        ),
    )
    weft.train(recipe, folder / "run")
    return folder


def write(
    folder: Path, validation: Sequence[Sequence[str]], test: Sequence[Sequence[str]] = (WORDS,) * 8
) -> None:
    """Writes eight training rows, and validation and test rows with these streams."""
    lines: list[dict[str, str | None]] = []
    for split, rows in (("train", [WORDS] * 8), ("test", test), ("validation", validation)):
        for n, streams in enumerate(rows):
            row = dict.fromkeys(streams, f"row number{n}")
            lines.append({**dict.fromkeys(WORDS), **row, "split": split})
    told = [json.dumps({"id": str(number), **line}) for number, line in enumerate(lines)]
    (folder / "rows.jsonl").write_text("\n".join(told) + "\n")
