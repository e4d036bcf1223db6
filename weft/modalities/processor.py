"""The preprocessing of a pretrained model's pictures: size, crop, interpolation, mean and standard deviation.

Models define it in preprocessor_config.json, newer ones in processor_config.json, which takes precedence; open_clip
models in open_clip_config.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from weft.core.documents import read_mapping
from weft.core.errors import WeftError
from weft.hub import OPEN_CLIP, fetched, is_open_clip, read_open_clip
from weft.modalities.image import ImageConfig, ViewConfig
from weft.modalities.image_transforms import Interpolation

RGB = tuple[float, float, float]
_RESAMPLING: dict[int, Interpolation] = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_RESIZING: dict[str, Literal["crop", "squash", "pad"]] = {
    "shortest": "crop",
    "squash": "squash",
    "longest": "pad",
}
"""open_clip's names of interpolations."""
CLIP_MEAN: RGB = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: RGB = (0.26862954, 0.26130258, 0.27577711)
_LARGEST = 255.0
# From this size on, ConvNeXt's pictures are squashed; below it they are cropped.
_CONVNEXT_SQUASHED = 384


@dataclass(frozen=True)
class Processor:
    """A model's preprocessing of pictures; None for undefined values.

    mean, std: of pixels in [0, 1], whatever the model's own range. size: side of the square input, in pixels. fit,
    crop: whether a picture is cropped, squashed or bordered to it, and the visible share of the (shorter) side.
    """

    mean: RGB | None = None
    std: RGB | None = None
    size: int | None = None
    fit: Literal["crop", "squash", "pad"] | None = None
    crop: float = 1.0
    interpolation: Interpolation | None = None

    def settings(self) -> dict[str, Any]:
        """Returns the `ImageConfig` settings that the model defines."""
        found: dict[str, Any] = {
            "size": self.size,
            "fit": self.fit,
            "interpolation": self.interpolation,
            "eval_crop": self.crop if self.fit == "crop" else None,
            "resize_first": True if self.fit == "crop" else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def image(self, base: ImageConfig) -> ImageConfig:
        """Returns `base` with the size, fit and interpolation that the model defines."""
        if self.fit == "squash":  # followed by the central part of the square
            base = base.replace(eval_views=(ViewConfig(crop=self.crop),))
        return base.replace(**self.settings())


def image_of(name: str, base: ImageConfig | None = None) -> ImageConfig:
    """Returns the settings with which pictures are read as in the training of the model `name`.

    name: a folder, package:NAME or a hub name. base: all other settings, such as augmentation.
    """
    return read_processor(fetched(name, weights=False)).image(base or ImageConfig())


def read_processor(folder: Path) -> Processor:
    """Reads the preprocessing of the model in `folder`, which may be undefined.

    Raises WeftError if the file is damaged or has impossible values.
    """
    for name, part in (
        ("processor_config.json", "image_processor"),
        ("preprocessor_config.json", None),
    ):
        if not (folder / name).is_file():
            continue
        settings = read_mapping(folder / name)
        found = settings.get(part) if part else settings
        if isinstance(found, dict):
            return _checked(found, folder / name)
    return _of_open_clip(folder) if is_open_clip(folder) else Processor()


def _of_open_clip(folder: Path) -> Processor:
    """Reads open_clip's preprocess_cfg; missing values are those of OpenAI's CLIP."""
    settings = read_mapping(folder / OPEN_CLIP).get("preprocess_cfg") or {}
    size = read_open_clip(folder).get("vision_cfg", {}).get("image_size", 224)
    mode, method = settings.get("resize_mode", "shortest"), settings.get("interpolation", "bicubic")
    path = folder / OPEN_CLIP
    if mode not in _RESIZING or method not in _RESAMPLING.values():
        raise WeftError(f"{path}: has resize_mode '{mode}' and interpolation '{method}'")
    try:
        return Processor(
            mean=_three(_channels(settings.get("mean", list(CLIP_MEAN)))),
            std=_three(_channels(settings.get("std", list(CLIP_STD)), least=1e-12)),
            size=_positive(max(size) if isinstance(size, list) else size),
            fit=_RESIZING[mode],
            interpolation=method,
        )
    except (TypeError, ValueError) as error:
        raise WeftError(f"{path}: has picture settings that are not possible: {error}") from None


def _checked(settings: Mapping[str, Any], path: Path) -> Processor:
    try:
        mean, std = _statistics(settings)
        size, fit, crop = _square(settings)
        return Processor(mean, std, size, fit, crop, _RESAMPLING.get(settings.get("resample", -1)))
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:
        raise WeftError(f"{path}: has picture settings that are not possible: {error}") from None


def _statistics(settings: Mapping[str, Any]) -> tuple[RGB | None, RGB | None]:
    """Returns mean and std of pixels in [0, 1]. For a pixel x up to 255, the model's input is (x f - mean) / std."""
    factor, shift = 1 / _LARGEST, 0.0
    if settings.get("do_rescale", True):
        factor = float(settings.get("rescale_factor", factor))
        shift = 1.0 if settings.get("rescale_offset") else 0.0
    elif "do_rescale" in settings:
        factor = 1.0
    mean: Any = settings.get("image_mean")
    std: Any = settings.get("image_std")
    if settings.get("do_normalize") is False:
        mean, std = 0.0, 1.0
    if mean is None or std is None:
        return None, None
    scale = factor * _LARGEST
    return (
        _three([(value + shift) / scale for value in _channels(mean)]),
        _three([value / scale for value in _channels(std, least=1e-12)]),
    )


def _channels(values: Any, least: float | None = None) -> list[float]:
    found = [float(value) for value in (values if isinstance(values, list) else [values] * 3)]
    if len(found) == 1:
        found *= 3
    if len(found) != 3 or not all(abs(value) < 1e6 for value in found):
        raise ValueError(f"mean or std is {values!r:.60}, expected three finite numbers")
    if least is not None and min(found) < least:
        raise ValueError(f"std is {values!r:.60}, expected numbers above 0")
    return found


def _three(values: list[float]) -> RGB:
    red, green, blue = values
    return red, green, blue


def _square(
    settings: Mapping[str, Any],
) -> tuple[int | None, Literal["crop", "squash"] | None, float]:
    """Returns (side, fit, visible share of the side); a picture that keeps its shape has no side."""
    size, cropped = settings.get("size"), settings.get("crop_size")
    if not settings.get("do_resize", True) or size is None:
        return None, None, 1.0
    if not isinstance(size, int | dict):
        raise ValueError(f"size is {size!r:.60}, expected a side or an object")
    shorter = size if isinstance(size, int) else size.get("shortest_edge")
    side = _positive(shorter) if isinstance(size, int) or shorter is not None else _side(size)
    if settings.get("do_center_crop") and cropped is not None and side is not None:
        seen = _side(
            cropped if isinstance(cropped, dict) else {"height": cropped, "width": cropped}
        )
        if seen is None or seen > side:
            return seen, None, 1.0
        return seen, "squash" if shorter is None else "crop", seen / side
    if shorter is None:
        return side, None if side is None else "squash", 1.0
    if "crop_pct" in settings and side is not None:
        if side >= _CONVNEXT_SQUASHED:
            return side, "squash", 1.0
        return side, "crop", float(settings["crop_pct"])
    # An integer is a square, unless the model defines it as the shorter side.
    square = isinstance(size, int) and settings.get("default_to_square", True)
    return (side, "squash", 1.0) if square else (None, None, 1.0)


def _side(size: Mapping[str, Any]) -> int | None:
    """Returns the side of a square; None for another rectangle."""
    height, width = size.get("height"), size.get("width")
    return _positive(height) if height is not None and height == width else None


def _positive(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 100_000:
        raise ValueError(f"a side is {value!r:.60}, expected whole pixels")
    return value
