"""Weft: from raw pictures and text to a measured multimodal model."""

from typing import TYPE_CHECKING, Any

__all__ = ["FitSettings", "__version__", "fit", "load", "recipe", "train"]

if TYPE_CHECKING:
    __version__: str
    from weft.fitting.api import fit
    from weft.fitting.settings import FitSettings
    from weft.recipes import recipe
    from weft.runs.run import load
    from weft.runs.train import train


def __getattr__(name: str) -> Any:
    """Imports `load`, `train`, `fit` and `recipe` at their first use, so that `import weft` is fast."""
    if name == "__version__":
        from weft.core.version import version

        return version()
    if name == "fit":
        from weft.fitting.api import fit

        return fit
    if name == "FitSettings":
        from weft.fitting.settings import FitSettings

        return FitSettings
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
