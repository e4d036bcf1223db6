"""Videos: an encoded recording -> frames at chosen times -> augmented or evaluation view -> Field (B, F, 3, S, S)."""

import bisect
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from weft.core.config import Config
from weft.core.display import Display, Picture, Recording
from weft.core.errors import WeftError, brief
from weft.core.interfaces import Modality, views_of
from weft.core.kinds import Kind
from weft.core.media import Joined, Media, expected
from weft.core.ranges import COUNT, POSITIVE, require
from weft.core.records import Field
from weft.modalities.containers import SHORT
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.kept_frames import frames_of
from weft.modalities.moving_part import MovingPart, MovingPartConfig, Seen
from weft.modalities.parts import PanelParts
from weft.modalities.pictures import stacked
from weft.modalities.video_decoding import read_frames, video_facts


class Video(PanelParts):
    """The modality of videos, and of lists of pictures that are frames of one video.

    `decode` reads only the header, `transform` only the selected frames. All frames of a clip are cut, mirrored and
    changed in colour in the same way.
    """

    media: Kind = "video"

    def __init__(self, config: "VideoConfig") -> None:
        self.config = config
        self.draws = config.draws
        self._image = config.image.build()
        self._part: MovingPart | None = None
        self._image_views = views_of(self._image)
        self.views = config.eval_windows * self._image_views
        share = 1.0 if config.part is None else config.part.share
        self._min_side = math.ceil(config.image.decoded_side() / share)

    def decode(self, raw: Any) -> "Clip":
        """Raises WeftError without the source; the caller adds it."""
        if isinstance(raw, Joined):
            return Clip(raw, sum(self._joined_length(part) for part in raw))
        if isinstance(raw, list | tuple):
            if not raw:
                raise WeftError(f"is {brief(raw)}, expected one frame or more")
            pictures = tuple(expected(picture, "image") for picture in raw)
            return Clip(pictures, len(pictures) / self.config.list_rate)
        return Clip(raw, self._length(raw))

    def _length(self, raw: Any) -> float:
        """Seconds of a video. Raises WeftError."""
        seconds = video_facts(expected(raw, self.media)).seconds
        if not math.isfinite(seconds):
            raise WeftError("video does not say how long it is, give its part (start and end)")
        return seconds

    def _joined_length(self, part: Media) -> float:
        """Returns the seconds of a part before another one: its own length, even if the video ends earlier."""
        length = self._length(part)
        return length if part.end is None else part.end - part.start

    def transform(
        self, item: "Clip", *, train: bool, generator: torch.Generator, view: int = 0
    ) -> Tensor:
        """uint8 (F, 3, size, size)

        Training uses a random window, cut and changed at random; evaluation uses the view's window and picture view.
        """
        window, image_view = divmod(view, self._image_views)
        place = torch.rand((), generator=generator).item() if train else self._place(window)
        times = self.config.sampling.times(item.seconds, place, generator if train else None)
        seed = int(torch.randint(2**62, (), generator=generator)) if train else 0
        shown = self._frames(item, times, generator if train else None)
        frames = [
            self._image.transform(
                frame, train=train, generator=torch.Generator().manual_seed(seed), view=image_view
            )
            for frame in shown
        ]
        return torch.stack(frames)

    @property
    def window(self) -> float:
        return self.config.sampling.window(math.inf)

    def collate(self, items: Sequence[Tensor]) -> Field:
        """B clips -> Field of uint8 (B, F, 3, S, S) with a mask (B, F), True for real frames."""
        return stacked(items)

    def reordered(self, field: Field, places_BT: Tensor) -> Field:
        """Sorts the frames of each video by `places_BT`, padding last."""
        mask_BF, values = field.mask, field.values
        if mask_BF is not None:
            places_BT = places_BT.masked_fill(~mask_BF, torch.inf)
        order_BF = places_BT.argsort(dim=1)
        rows_B1 = torch.arange(len(field), device=values.device)[:, None]
        return Field(
            values[rows_B1, order_BF],
            None if mask_BF is None else mask_BF[rows_B1, order_BF],
            field.present,
        )

    def show(self, raw: Any) -> Display:
        """Displays the video with a player, or the first pictures of a list."""
        if isinstance(raw, list | tuple):
            return Display(
                pictures=tuple(Picture(each) for each in raw[: self.config.sampling.frames])
            )
        return Display(recordings=(Recording(raw),))

    def panel_names(self, count: int) -> list[str]:
        """Returns the time of each frame in the window that is read, or its number if the window's length is not known."""
        sampling = self.config.sampling
        if sampling.method == "dense":
            return [f"{number / sampling.rate:.2f} s" for number in range(count)]
        return [f"frame {number + 1}" for number in range(count)]

    def _frames(
        self, item: "Clip", times: Sequence[float], generator: torch.Generator | None
    ) -> list[Tensor]:
        """(3, H, W) each. generator: in training, else None."""
        if isinstance(item.frames, Joined):
            return self._joined(item.frames, times, generator)
        if isinstance(item.frames, Media):
            return self._shifted(self._read(item.frames, times), generator)
        last = len(item.frames) - 1
        chosen = [min(int(time * self.config.list_rate + 1e-6), last) for time in times]
        return [self._image.decode(item.frames[number]) for number in chosen]

    def _shifted(
        self, pixels: NDArray[np.uint8], generator: torch.Generator | None
    ) -> list[Tensor]:
        """(3, H, W) each: the frames, or their moving part."""
        if self._part is not None:
            pixels = self._part.shifted(pixels, generator)
        return list(torch.from_numpy(pixels).permute(0, 3, 1, 2))

    def _joined(
        self, parts: Joined, times: Sequence[float], generator: torch.Generator | None
    ) -> list[Tensor]:
        """Returns the frame shown at each time, from the parts that were joined. Short videos are read whole and
        cached."""
        found: list[Tensor] = []
        state = None if generator is None else generator.get_state()
        before = 0.0
        for part in parts:
            whole = replace(part, start=0.0, end=None)
            length, rate = self._length(whole), self.config.sampling.rate
            end = before + self._joined_length(part)
            # For a short video, every part reads the same frames; for a long one, only the frames
            # of the part.
            short = length <= SHORT
            first = int((0.0 if short else part.start) * rate)
            last = length if short else min(part.start + end - before, length)
            numbers = range(first, max(first + 1, int(last * rate + 1e-6)))
            grid = [number / rate for number in numbers]
            wanted = [time - before + part.start for time in times if before <= time < end]
            places = [max(0, bisect.bisect(grid, time + 1e-6) - 1) for time in wanted]
            if places:
                if generator is not None and state is not None:
                    generator.set_state(state)  # all parts are shifted alike
                found += self._shifted(self._read(whole, grid)[places], generator)
            before = end
        return found

    def _read(self, video: Media, times: Sequence[float]) -> NDArray[np.uint8]:
        """(F, H, W, 3) the frames, or the moving part of each; cached if the next epoch reads the same ones."""
        sampling = self.config.sampling
        same = sampling.seconds is None and sampling.method != "random"
        return frames_of(video, times, min_side=self._min_side, part=self._part, keep=same)

    def _place(self, window: int) -> float:
        """Relative position of an evaluation window: 0 at the start, 1 at the end; a single one is in the middle."""
        count = self.config.eval_windows
        return 0.5 if count == 1 else window / (count - 1)


class PartOfVideo(Video):
    """The part of videos that moves most in the training clips. Its appearance is learned from them."""

    def __init__(self, config: "VideoConfig", part: MovingPartConfig) -> None:
        super().__init__(config)
        self._part: MovingPart = part.build()

    def fit(self, raws: Iterable[Any]) -> None:
        """Learns from the first `learned_from` readable videos; lists of frames are skipped."""
        part = self._part.config
        seen: list[Seen] = []
        for raw in raws:
            if len(seen) == part.learned_from:
                break
            with suppress(WeftError):
                video = expected(raw, self.media)
                times = self.config.sampling.times(self._length(video), 0.5, None)
                frames = read_frames(video, times, min_side=self._min_side)
                seen.append(Seen.of(frames, part.window))
        self._part.learn(seen)

    def state(self) -> dict[str, Any]:
        return {"look": self._part.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._part.restore(state.get("look"))


@dataclass(frozen=True)
class Clip:
    """An opened video, or pictures in order of time. seconds: its length."""

    frames: Media | Joined | tuple[Media, ...]
    seconds: float


@dataclass(frozen=True)
class VideoConfig(Config[Modality]):
    """Samples frames of videos and resizes them."""

    sampling: FrameSamplingConfig = field(default_factory=FrameSamplingConfig)
    """The times at which frames are read."""
    image: ImageConfig = field(default_factory=lambda: ImageConfig(size=112))
    """How frames are cut, augmented and resized."""
    part: MovingPartConfig | None = None
    """For videos: show only the part that moves most, such as a mouth; None: whole frames."""
    eval_windows: int = 1
    """With sampling.seconds or dense: number of evenly spaced windows that are evaluation views."""
    list_rate: float = 8.0
    """Frames a second of a row that is a list of pictures."""
    draws: str = "clip"
    """Streams with the same name use the same random window of a row."""

    def __post_init__(self) -> None:
        require(self, eval_windows=COUNT, list_rate=POSITIVE)
        sampling = self.sampling
        if self.eval_windows > 1 and sampling.seconds is None and sampling.method != "dense":
            raise ValueError(
                f"eval_windows is {self.eval_windows} where a window is the whole video, expected sampling.seconds, "
                "the method dense, or 1"
            )

    def build(self) -> Video:
        return Video(self) if self.part is None else PartOfVideo(self, self.part)
