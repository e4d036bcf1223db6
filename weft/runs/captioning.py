"""A run that says what it sees."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from weft.core.errors import DataError, WeftError
from weft.inference.generation import describe, text_modality
from weft.runs.run import Run
from weft.tasks.captioning import CaptioningTaskConfig


def caption(run: Run, images: Sequence[Path | str]) -> list[str]:
    """A caption for each picture, generated as the run's captioning task does.

    Raises WeftError where the run has no such task, or a picture cannot be read.
    """
    settings = _settings(run)
    modality = run.modalities[settings.image]
    text = text_modality(run.modalities, settings.text)
    items = [_read(modality, Path(image)) for image in images]
    seen = []
    for view in range(settings.views):
        tensors = [
            modality.transform(item, train=False, generator=torch.Generator(), view=view)
            for item in items
        ]
        seen.append((run.model, {settings.image: modality.collate(tensors).to(run.device)}))
    return describe(
        seen,
        text,
        settings.generation,
        decoder=settings.decoder,
        context=settings.context,
        device=run.device,
    )


def _settings(run: Run) -> CaptioningTaskConfig:
    found = [task for task in run.recipe.tasks.values() if isinstance(task, CaptioningTaskConfig)]
    if not found:
        known = ", ".join(run.recipe.tasks) or "nothing"
        raise WeftError(f"{run.folder}: does not write captions, it was trained for: {known}")
    return found[0]


def _read(modality: Any, path: Path) -> Any:
    if not path.is_file():
        raise WeftError(f"{path}: no such file")
    try:
        return modality.decode(path)
    except WeftError as error:
        raise DataError(str(error), source=str(path)) from error
