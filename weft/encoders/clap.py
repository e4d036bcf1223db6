"""CLAP (Wu et al. 2023, arXiv:2211.06687): a sound tower and a text tower, both wrapped modules of transformers."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import torch

from weft.encoders.dual_encoder import SCALE
from weft.encoders.renaming import Rule, Rules, Tensors
from weft.encoders.renaming import layer as layer_rules
from weft.encoders.weight_names import Settings
from weft.hub import is_open_clip, read_settings

MODEL_TYPE = "clap"
TOWERS: dict[str, Literal["audio", "text"]] = {"audio": "audio", "text": "text"}


@dataclass(frozen=True)
class Clap:
    """The parts of the model outside its towers.

    widths: of the towers by stream. embedding: E of the common space, to which two linear maps with `activation`
    between them project each tower's vector. longest: maximum tokens of a text. rules: names of the weights of these
    maps, and of the two temperatures; weft keeps the mean of their logarithms.
    """

    widths: dict[str, int]
    embedding: int
    activation: Literal["gelu", "relu"]
    longest: int
    rules: Rules
    sigmoid: ClassVar[bool] = False
    beside: ClassVar[tuple[str, ...]] = ("audio_model.", "text_model.")
    """Prefixes of the towers' weights, which each tower reads itself."""


def read_clap(name: str, folder: Path) -> Clap | None:
    """Reads the parts of the model in `folder`; None if it is another model, or has projections that weft lacks."""
    settings = {} if is_open_clip(folder) else read_settings(name, folder)
    if settings.get("model_type") != MODEL_TYPE:
        return None
    return of_settings(settings)


def of_settings(settings: Settings) -> Clap | None:
    """Returns the parts of a CLAP with this config.json."""
    text, audio = settings["text_config"], settings["audio_config"]
    activations = {one["projection_hidden_act"] for one in (text, audio)}
    if len(activations) > 1 or not activations <= {"gelu", "relu"}:
        return None
    rules: Rules = [Rule((SCALE,), ("logit_scale_a", "logit_scale_t"), _mean, _twice)]
    for stream, tower in TOWERS.items():
        for ours, theirs in ((0, "linear1"), (3, "linear2")):
            rules += layer_rules(
                f"projections.{stream}.layers.{ours}", f"{tower}_projection.{theirs}"
            )
    return Clap(
        widths={"audio": audio["hidden_size"], "text": text["hidden_size"]},
        embedding=settings["projection_dim"],
        activation=activations.pop(),
        # Positions start at the padding's id + 1.
        longest=text["max_position_embeddings"] - text["pad_token_id"] - 1,
        rules=rules,
    )


def _mean(values: Tensors) -> Tensors:
    return [torch.stack(list(values)).mean(0)]


def _twice(values: Tensors) -> Tensors:
    return [values[0], values[0]]
