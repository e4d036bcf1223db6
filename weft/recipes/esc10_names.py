"""ESC-10: sounds and the names of their classes in one space, aligned by labels."""

from weft.data.features import CacheConfig
from weft.objectives.attraction import LabelAlignmentConfig
from weft.objectives.temperature import TemperatureConfig
from weft.recipes._flickr8k import minilm_tokens
from weft.recipes.esc10 import esc10
from weft.recipes.esc10_zero_shot import esc10_zero_shot
from weft.runs.recipe import Recipe

STREAMS = ("audio", "text")


def esc10_names() -> Recipe:
    """ESC-10: sounds and class names in one space, aligned by labels; weft crossval esc10_names --by fold."""
    sounds, named = esc10(), esc10_zero_shot()
    return Recipe(
        data=sounds.data.replace(
            streams={**sounds.data.streams, "text": minilm_tokens()},
            cache={**sounds.data.cache, "text": CacheConfig()},
        ),
        model=named.model,
        objectives={
            "labels": LabelAlignmentConfig(
                "label", STREAMS, TemperatureConfig(init=0.1, learned=False)
            )
        },
        tasks={"names": named.tasks["held_out_names"]},
        optim=named.optim,
        run=sounds.run.replace(monitor=None),
    )
