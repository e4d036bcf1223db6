"""Pictures: encoded bytes -> uint8 (3, H, W) -> augmented or evaluation view -> Field (B, 3, S, S)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from weft.core.config import Config, Settings
from weft.core.interfaces import Modality
from weft.core.kinds import Kind
from weft.core.media import Media, expected
from weft.core.ranges import POSITIVE, require
from weft.core.records import Field
from weft.modalities.image_decoding import read_image
from weft.modalities.image_transforms import (
    Interpolation,
    JitterConfig,
    centre_box,
    crop,
    letterbox,
    part_box,
    random_box,
    resize,
    resized_square,
)
from weft.modalities.parts import PictureParts

LONGEST = 10
"""Longer pictures, as a multiple of the shorter side, are cut before they are resized."""
Place = Literal["center", "top-left", "top-right", "bottom-left", "bottom-right"]


@dataclass(frozen=True)
class ViewConfig(Settings):
    """One fixed view of a picture. The default is the whole view."""

    flip: bool = False
    """If true, mirror the picture."""
    crop: float = 1.0
    """Side of the visible part, as a share of the whole view's side."""
    place: Place = "center"
    """Position of that part."""

    def __post_init__(self) -> None:
        if not 0 < self.crop <= 1:
            raise ValueError(f"crop is {self.crop}, expected a share above 0 up to 1")


def mirrored() -> tuple[ViewConfig, ...]:
    """The picture and its mirror image."""
    return ViewConfig(), ViewConfig(flip=True)


def corners(crop: float) -> tuple[ViewConfig, ...]:
    """The picture, its mirror image, and the four corners, every second one mirrored.

    After the ten crops of Krizhevsky et al. (NeurIPS 2012, section 4.1), at six tenths of the cost.
    """
    places: tuple[Place, ...] = ("top-left", "top-right", "bottom-left", "bottom-right")
    parts = (ViewConfig(n % 2 == 1, crop, place) for n, place in enumerate(places))
    return *mirrored(), *parts


class Image(PictureParts):
    """The modality of still pictures.

    The Field holds uint8. The encoder normalises with its own mean and standard deviation.
    """

    media: Kind = "image"

    def __init__(self, config: "ImageConfig") -> None:
        self.config = config
        self.views = len(config.eval_views)
        self._jitter = config.jitter.build()
        self._min_side = config.decoded_side()

    def decode(self, raw: Media) -> Tensor:
        """uint8 RGB (3, H, W), upright. Raises WeftError without the source; the caller adds it.

        An unencoded uint8 array (H, W, 3) shares its memory with the result.
        """
        pixels = read_image(
            expected(raw, self.media).load(),
            max_pixels=self.config.max_pixels,
            min_side=self._min_side,
            grey_bits=self.config.grey_bits,
            window=self.config.grey_window(),
        )
        # The memory layout stays (H, W, 3), which torch resizes fastest for uint8.
        return torch.from_numpy(pixels).permute(2, 0, 1)

    def transform(
        self, item: Tensor, *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """uint8 (3, H, W) -> uint8 (3, size, size).

        Training takes a random part, possibly mirrored, with changed colours; evaluation takes `eval_views[view]`.
        """
        if train:
            image = self._random_part(item, generator)
            flip = torch.rand((), generator=generator).item() < self.config.flip
        else:
            chosen = self.config.eval_views[view]
            image = self._fitted(item, chosen)
            flip = chosen.flip
        image = image.flip(-1) if flip else image
        if train:
            image = self._jitter(image, generator)
        return image.contiguous()

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B pictures (3, size, size) -> Field of uint8 (B, 3, size, size) without a mask."""
        return Field(torch.stack(tuple(items)))

    def mix(self, one: Tensor, other: Tensor, ratio: float) -> Tensor:
        """Blends the pixels of two pictures."""
        mixed = one.float() * ratio + other.float() * (1 - ratio)
        return mixed.round().to(torch.uint8)

    def _random_part(self, image: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        if config.crop_scale is None:
            return self._fitted(image, ViewConfig())
        height, width = image.shape[1:]
        box = random_box(height, width, config.crop_scale, config.crop_ratio, generator)
        return resize(crop(image, box), config.size, config.size, config.interpolation)

    def _fitted(self, image: Tensor, view: ViewConfig) -> Tensor:
        config = self.config
        if config.fit == "pad" and view.crop == 1:
            return letterbox(image, config.size, config.pad_value, config.interpolation)
        height, width = image.shape[1:]
        if config.resize_first and max(height, width) <= LONGEST * min(height, width):
            image = resized_square(image, config.size, config.eval_crop, config.interpolation)
            part = part_box((0, 0, config.size, config.size), view.crop, view.place)
            return resize(crop(image, part), config.size, config.size, config.interpolation)
        # Cut first, then resize: up to the rounding of the box this gives the same picture as the
        # reverse order, and a picture of 1 x 10,000 pixels does not grow to size x 10,000.
        whole = (0, 0, height, width)
        if config.fit == "crop":
            whole = centre_box(height, width, config.eval_crop)
        part = part_box(whole, view.crop, view.place)
        return resize(crop(image, part), config.size, config.size, config.interpolation)


@dataclass(frozen=True)
class ImageConfig(Config[Modality]):
    """Reads pictures, augments them and resizes them."""

    size: int = 224
    """Side of the encoder's square input, in pixels."""
    fit: Literal["crop", "squash", "pad"] = "crop"
    """Evaluation: the central square, the whole picture distorted to a square, or the whole picture with borders."""
    eval_crop: float = 1.0
    """With fit crop: side of the central square as a share of the shorter side (0.875 = 224 / 256)."""
    resize_first: bool = False
    """With fit crop: resize the whole picture, then cut the square, as CLIP and torchvision do. If false, cut first,
    which is faster and differs by less than a pixel. Pictures 10 times as long as wide are always cut first."""
    eval_views: tuple[ViewConfig, ...] = (ViewConfig(),)
    """Evaluation views, whose embeddings are averaged; see `mirrored` and `corners`."""
    crop_scale: tuple[float, float] | None = (0.5, 1.0)
    """Training: range of the random part's share of the area. None: the part used in evaluation."""
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)
    """Training: width / height of the random part."""
    flip: float = 0.5
    """Training: probability of mirroring. Use 0 if captions mention left and right."""
    jitter: JitterConfig = field(default_factory=JitterConfig)
    """Training: changes of colour."""
    interpolation: Interpolation = "bilinear"
    """Interpolation of resizing; both are anti-aliased."""
    pad_value: int = 127
    """Grey level of the borders with fit pad."""
    max_pixels: int = 100_000_000
    """Maximum pixels of a picture. Larger ones are refused before decoding."""
    grey_bits: int | None = None
    """Bits used in grey pictures of more than 8 bits, such as 12 in many scans; None: 16 or 32."""
    level: float | None = None
    """With window: the value in such a picture that becomes middle grey; in CT in Hounsfield units."""
    window: float | None = None
    """With level: range of values from black to white, such as 400 around level 40. None: from the DICOM file, or by
    grey_bits."""
    scaled_decoding: bool = True
    """If true, decode JPEG files much larger than needed at 1/2, 1/4 or 1/8, which is fast and not visible."""

    def __post_init__(self) -> None:
        if self.size < 1 or self.max_pixels < 1:
            raise ValueError(
                f"size {self.size} and max_pixels {self.max_pixels}: expected at least 1"
            )
        if not 0 < self.eval_crop <= 1 or not 0 <= self.flip <= 1:
            raise ValueError(
                f"eval_crop is {self.eval_crop} and flip is {self.flip}, expected shares up to 1"
            )
        if self.resize_first and self.fit != "crop":
            raise ValueError(f"resize_first is True and fit '{self.fit}', expected fit 'crop'")
        if not self.eval_views:
            raise ValueError("eval_views is empty, expected at least one view")
        if self.crop_scale is not None and not 0 < self.crop_scale[0] <= self.crop_scale[1] <= 1:
            raise ValueError(f"crop_scale is {self.crop_scale}, expected 0 < low <= high <= 1")
        require(self, crop_ratio=POSITIVE)
        if not 0 < self.crop_ratio[0] <= self.crop_ratio[1]:
            raise ValueError(f"crop_ratio is {self.crop_ratio}, expected 0 < low <= high")
        if self.grey_bits is not None and not 1 <= self.grey_bits <= 32:
            raise ValueError(f"grey_bits is {self.grey_bits}, expected 1 to 32")
        if (self.level is None) != (self.window is None) or (
            self.window is not None and self.window <= 0
        ):
            raise ValueError(
                f"level is {self.level} and window {self.window}, expected both, and a window above 0"
            )
        if not 0 <= self.pad_value <= 255:
            raise ValueError(f"pad_value is {self.pad_value}, expected 0 to 255")

    def grey_window(self) -> tuple[float, float] | None:
        """Level and width, if they are set."""
        if self.level is None or self.window is None:
            return None
        return self.level, self.window

    def decoded_side(self) -> int:
        """The minimum shorter side after scaled decoding. Then even the smallest part taken in training or evaluation
        has at least `size` pixels, and the whole picture twice as many. 0 if pictures are always decoded at full
        size."""
        if not self.scaled_decoding:
            return 0
        smallest = math.sqrt(self.crop_scale[0]) if self.crop_scale else 1.0
        views = min(view.crop for view in self.eval_views) * self.eval_crop
        return math.ceil(self.size / min(smallest, views, 0.5))

    def build(self) -> Image:
        return Image(self)
