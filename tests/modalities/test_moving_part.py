"""The part of a clip that moves most is found and cut out."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from made_media import film

from weft.core.errors import WeftError
from weft.core.interfaces import Learner
from weft.core.media import Media
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.moving_part import GREY, MovingPartConfig, Seen, moving_place
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
    part = MovingPartConfig(share=0.5, window=0.15, shift=0.1).build()
    cut = part.cut(flickering())
    assert cut.shape == (9, 24, 24, 3)
    middle = part.shifted(cut, None)
    assert middle.shape == (9, 20, 20, 3)
    assert (middle == cut[:, 2:22, 2:22]).all()
    drawn = {part.shifted(cut, torch.Generator().manual_seed(n)).tobytes() for n in range(8)}
    assert len(drawn) > 2


def test_changes_are_those_from_the_mean_of_the_clip() -> None:
    part = MovingPartConfig(share=0.5, window=0.15, change=True).build()
    dark, light = part.cut(flickering()), part.cut(flickering() + np.uint8(3))
    assert (dark == light).all()
    assert abs(float(dark.mean()) - GREY) < 1
    still = part.cut(np.full((5, 40, 60, 3), 9, np.uint8))
    assert (still == GREY).all()


def face(number: int, blinks: bool, frames: int = 9) -> np.ndarray:
    """(F, 96, 128, 3): a face somewhere, whose mouth opens a little in every other frame and whose eyes may close for one."""
    top, left = 10 + 3 * (number % 4), 20 + 5 * (number % 6)
    found = np.full((frames, 96, 128, 3), 90, np.uint8)
    found[:, top : top + 70, left : left + 56] = 170
    found[:, top + 12 : top + 20, left + 8 : left + 20] = 20
    found[:, top + 12 : top + 20, left + 34 : left + 46] = 20
    found[:, top + 50 : top + 53, left + 16 : left + 40] = 60
    found[1::2, top + 53 : top + 56, left + 18 : left + 38] = 110
    if blinks:
        found[3:6:2, top + 10 : top + 24, left + 8 : left + 46] = 250
    return found


def test_in_a_clip_whose_eyes_move_more_the_mouth_is_found_by_its_look() -> None:
    config = MovingPartConfig(share=0.3, window=0.14)
    clips = [face(number, blinks=number % 5 == 0) for number in range(10)]
    mouths = [(10 + 3 * (n % 4) + 53, 20 + 5 * (n % 6) + 28) for n in range(10)]
    part = config.build()
    alone = np.abs(np.array([part.place(clip) for clip in clips]) - mouths).max(1)
    assert alone[0] > 20  # the eyes
    part.learn([Seen.of(clip, config.window) for clip in clips])
    found = np.array([part.place(clip) for clip in clips]) - mouths
    assert np.abs(found - np.median(found, axis=0)).max() <= 2
    assert np.abs(found).max() <= 8
    again = config.build()
    again.restore(part.state())
    assert [again.place(clip) for clip in clips] == [part.place(clip) for clip in clips]


def test_what_is_no_look_is_refused_and_without_clips_nothing_is_learned() -> None:
    part = MovingPartConfig().build()
    part.learn([])
    assert part.state() == []
    part.restore([])
    for wrong in (None, "a", [1, 2], [[1], [2, 3]]):
        with pytest.raises(WeftError, match="saved appearance of the moving part"):
            part.restore(wrong)
    part.learn([Seen.of(face(0, blinks=False), 0.14)])
    assert part.place(np.full((5, 8, 8, 3), 9, np.uint8)) is not None


def test_a_stream_learns_the_look_from_its_videos() -> None:
    image = ImageConfig(size=20, fit="squash", crop_scale=None, flip=0.0)
    sampling = FrameSamplingConfig("dense", frames=9, rate=10.0)
    video = VideoConfig(sampling, image, part=MovingPartConfig(share=0.3)).build()
    assert isinstance(video, Learner)
    raws = [Media.frames(face(n, blinks=n == 0), 10.0) for n in range(6)]
    before = video.transform(video.decode(raws[0]), train=False, generator=torch.Generator())
    video.fit([["no", "video"], *raws])
    after = video.transform(video.decode(raws[0]), train=False, generator=torch.Generator())
    assert not torch.equal(before, after)
    state = json.loads(json.dumps(video.state()))
    again = VideoConfig(sampling, image, part=MovingPartConfig(share=0.3)).build()
    assert isinstance(again, Learner)
    again.restore(state)
    found = again.transform(again.decode(raws[0]), train=False, generator=torch.Generator())
    assert torch.equal(after, found)
    assert not isinstance(VideoConfig(sampling, image).build(), Learner)


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
