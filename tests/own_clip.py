"""A small trained CLIP with its own tokenizer, on generated pictures."""

from pathlib import Path
from typing import Any

import weft
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.recipes.clip import clip
from weft.runs.run import Run, load


def own_clip(folder: Path) -> Run:
    """A small model of the recipe `clip`, from scratch, with its own tokenizer."""
    made = clip()
    encoders: dict[str, Any] = {
        name: config.replace(depth=2, dim=16, heads=2)  # type: ignore[attr-defined]
        for name, config in made.model.encoders.items()
    }
    source: Any = made.data.source
    run = made.run.replace(steps=0, workers=0, batch_size=4, device="cpu", evaluate_every=0)
    weft.train(
        made.replace(
            data=made.data.replace(source=source.replace(train=8, validation=4, test=4)),
            model=ModelConfig(
                encoders, {name: ProjectionConfig(16, 12) for name in ("image", "text")}
            ),
            tasks={},
            run=run,
        ),
        folder,
    )
    return load(folder, device="cpu")
