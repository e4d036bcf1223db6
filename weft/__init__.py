"""Weft: from raw pictures and text to a measured multimodal model."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["load", "recipe", "train"]

if TYPE_CHECKING:
    from weft.recipes import recipe
    from weft.runs.run import load
    from weft.runs.train import train


def __getattr__(name: str) -> Any:
    """Imports `load`, `train` and `recipe` when they are asked for: `import weft` stays fast."""
    if name == "load":
        from weft.runs.run import load

        return load
    if name == "train":
        from weft.runs.train import train

        return train
    if name == "recipe":
        from weft.recipes import recipe

        return recipe
    raise AttributeError(f"module 'weft' has no attribute '{name}'")
