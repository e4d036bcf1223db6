"""Finds flows over latents whose codec nothing trains: its latents would be those of random weights."""

from collections.abc import Iterable

from weft.architectures.model import Model
from weft.core.errors import WeftError
from weft.core.needs import Needing, Needs
from weft.decoders.flow import FlowConfig
from weft.runs.recipe import Recipe


def check_codecs(recipe: Recipe) -> None:
    """Raises WeftError if an objective trains a codec that its head lacks, or if an objective trains a flow over the
    latents of a codec that no objective trains and that does not come from `init`."""
    for where, needs in _needs(recipe).items():
        for head in needs.codecs:
            if not _has_codec(recipe, head):
                kind = type(recipe.model.heads[head].decoder).__name__
                raise WeftError(
                    f"{where} trains the codec of head '{head}', but its decoder, {kind}, has none; "
                    "expected a FlowConfig with a codec"
                )
    untrained = untrained_codecs(recipe)
    if untrained and recipe.init is None:
        raise WeftError(
            f"model.heads.{untrained[0]}.decoder.codec is trained by no objective, so that its latents would be "
            "random; expected an objective LatentCodecConfig for this head, or `init` with a run that has trained the codec"
        )


def check_started(recipe: Recipe, model: Model, taken: Iterable[str]) -> None:
    """Raises WeftError if a codec that no objective trains lacks weights among those `taken` from `init`."""
    lacking = model.state_dict().keys() - set(taken)
    for head in untrained_codecs(recipe):
        codec = f"heads.{head}.decoder.codec"
        if any(name.startswith(f"{codec}.") for name in lacking):
            raise WeftError(
                f"{recipe.init}: has no weights for model.{codec}, which no objective trains; expected a run that "
                "has trained this codec, or an objective LatentCodecConfig for this head"
            )


def untrained_codecs(recipe: Recipe) -> list[str]:
    """Returns the heads with a codec whose latents an objective reads, although no objective trains the codec."""
    every = _needs(recipe).values()
    trained = {head for needs in every for head in needs.codecs}
    heads = dict.fromkeys(head for needs in every for head in needs.latents)
    return [head for head in heads if _has_codec(recipe, head) and head not in trained]


def _has_codec(recipe: Recipe, head: str) -> bool:
    decoder = recipe.model.heads[head].decoder
    return isinstance(decoder, FlowConfig) and decoder.codec is not None


def _needs(recipe: Recipe) -> dict[str, Needs]:
    """Returns the needs of each objective with a weight."""
    return {
        f"objectives.{name}": one.needs
        for name, one in recipe.objectives.items()
        if isinstance(one, Needing) and recipe.weights.get(name, 1.0)
    }
