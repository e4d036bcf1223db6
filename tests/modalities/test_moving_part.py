"""The part of a clip that moves most is found and cut out."""

from pathlib import Path

import numpy as np
import torch
from made_media import film

from weft.core.media import Media
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.moving_part import GREY, MovingPartConfig, moving_place
from weft.modalities.video import VideoConfig


def flickering(frames: int = 9) -> np.ndarray:
    """(F, 40, 60, 3): a bright square goes on and off at rows 24 to 30, columns 10 to 20; a bar glides along the top."""
    found = np.full((frames, 40, 60, 3), 60, np.uint8)
    for number in range(frames):
        found[number, 2:8, 4 + number : 30 + number] = 200
        if number % 2:
            found[number, 24:30, 10:20] = 250
    return found


def test_what_goes_on_and_off_is_found_and_what_glides_is_not() -> None:
    y, x = moving_place(flickering(), window=0.15)
    assert 24 <= y <= 30
    assert 10 <= x <= 20
    assert moving_place(np.full((5, 40, 60, 3), 9, np.uint8), 0.15) == (20, 30)
    assert moving_place(flickering()[:1], 0.15) == (20, 30)


def test_the_square_stays_within_the_frame_and_shifts_in_training_alone() -> None:
    part = MovingPartConfig(share=0.5, window=0.15, shift=0.1)
    cut = part.cut(flickering())
    assert cut.shape == (9, 24, 24, 3)
    middle = part.shifted(cut, None)
    assert middle.shape == (9, 20, 20, 3)
    assert (middle == cut[:, 2:22, 2:22]).all()
    drawn = {part.shifted(cut, torch.Generator().manual_seed(n)).tobytes() for n in range(8)}
    assert len(drawn) > 2


def test_changes_are_those_from_the_mean_of_the_clip() -> None:
    part = MovingPartConfig(share=0.5, window=0.15, change=True)
    dark, light = part.cut(flickering()), part.cut(flickering() + np.uint8(3))
    assert (dark == light).all()
    assert abs(float(dark.mean()) - GREY) < 1
    still = part.cut(np.full((5, 40, 60, 3), 9, np.uint8))
    assert (still == GREY).all()


def test_a_stream_sees_the_part_alone() -> None:
    rows = Media.frames(flickering(), 10.0)
    image = ImageConfig(size=20, fit="squash", crop_scale=None, flip=0.0)
    sampling = FrameSamplingConfig("dense", frames=9, rate=10.0)
    whole = VideoConfig(sampling, image).build()
    part = VideoConfig(sampling, image, part=MovingPartConfig(share=0.5, window=0.15)).build()
    generator = torch.Generator()
    seen = [
        one.transform(one.decode(rows), train=False, generator=generator).float()
        for one in (whole, part)
    ]
    changes = [one.diff(dim=0).abs().mean() for one in seen]
    assert changes[1] > 1.5 * changes[0]


def test_frames_of_a_file_are_the_same_when_they_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(film(12))
    video = VideoConfig(
        FrameSamplingConfig(frames=4), ImageConfig(size=16, crop_scale=None)
    ).build()
    generator = torch.Generator()
    clip = video.decode(Media.file(path, "video"))
    first, again = (video.transform(clip, train=False, generator=generator) for _ in range(2))
    assert torch.equal(first, again)
    path.write_bytes(film(20))
    clip = video.decode(Media.file(path, "video"))
    assert not torch.equal(first, video.transform(clip, train=False, generator=generator))
