"""Generated pictures during training, always from the same inputs: a grid after each validation, and an animation of
all."""

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from weft.core.draws import normal
from weft.core.files import read_file, write_bytes
from weft.data.formats import Dataset
from weft.decoders.drawing import drawer_of
from weft.heads.pictures import PictureOutput, PictureValues
from weft.inference.results import TaskResult
from weft.runs.trained import TrainedModel
from weft.training.loop import RAW

PROGRESS = "progress"
"""Folder of a run with the files TASK-STEP.png. Its folder RAW has those of the weights without their average."""
SHOWN = 16
"""Pictures of a grid: for the first rows of the validation split, with the same noise at every step."""
MILLISECONDS = 700
"""Milliseconds for which each grid is shown in the animation."""
BETWEEN = 8
"""Number of pictures in a strip."""
LONGEST = 60
"""Maximum number of grids in an animation, evenly chosen."""


def keep_drawn(
    folder: Path, task: str, step: int, result: TaskResult, *, raw: bool = False
) -> None:
    """Writes a grid of the generated values, if they are pictures. raw: of weights without their average."""
    drawn = result.drawn
    if drawn is None or not isinstance(drawn.values, PictureValues):
        return
    first = range(min(SHOWN, len(drawn.values)))
    place = folder / PROGRESS / (RAW if raw else "") / f"{task}-{step:08d}.png"
    place.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(place, drawn.values.take(first).grid().encoded(0))


def animation(folder: Path, task: str) -> bytes | None:
    """Returns a WebP of the grids in order of their steps; None if there are fewer than two."""
    grids = sorted((folder / PROGRESS).glob(f"{task}-*.png"))
    if len(grids) < 2:
        return None
    chosen = np.unique(np.linspace(0, len(grids) - 1, min(LONGEST, len(grids))).round().astype(int))
    frames = [Image.open(io.BytesIO(read_file(grids[place]))).convert("RGB") for place in chosen]
    frames = [frame for frame in frames if frame.size == frames[-1].size]
    out = io.BytesIO()
    frames[0].save(
        out, format="webp", save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0
    )
    return out.getvalue()


@torch.no_grad()
def strip(run: TrainedModel, result: TaskResult, dataset: Dataset) -> np.ndarray | None:
    """(H, W, 3) uint8: pictures for the first generated row, interpolated from one noise to another; None without
    noise."""
    drawn = result.drawn
    if drawn is None or not len(drawn.rows):
        return None
    head = run.model.head(drawn.head)
    decoder = drawer_of(head.decoder)
    if not isinstance(head.output, PictureOutput) or not decoder.noise:
        return None
    batch = run.read([dataset[drawn.rows[0]]])
    read = run.model.streams_of(drawn.head)
    encoded = {s: run.model.encode(s, v) for s, v in batch.inputs.items() if s in read}
    context = head.reads(run.model.fuse(encoded)).take(torch.zeros(BETWEEN, dtype=torch.int64))
    ends = normal(torch.arange(2, device=run.device), "strip", *decoder.noise)
    pixels = decoder.draw(context, _between(ends), head.output.drawing).float()
    return PictureValues.of(pixels).grid(columns=BETWEEN).array(0)


def _between(ends: Tensor) -> Tensor:
    """(BETWEEN, ...) interpolates between two noises so that each has the variance of noise (Shoemake 1985)."""
    angle = torch.linspace(0, torch.pi / 2, BETWEEN, device=ends.device)
    shape = (-1, *(1,) * (ends.ndim - 1))
    return angle.cos().view(shape) * ends[:1] + angle.sin().view(shape) * ends[1:]
