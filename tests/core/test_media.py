"""Media are read when somebody asks, wherever their bytes lie."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from weft.core.errors import WeftError
from weft.core.media import Alternatives, Media, expected, media_of, small_value


def test_content_of_every_place(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    (tmp_path / "a.png").write_bytes(b"bytes")
    np.save(tmp_path / "a.npy", array)
    file, memory = Media.file(tmp_path / "a.png"), Media.encoded(b"bytes", "image", "png")
    assert (file.kind, file.suffix, file.path) == ("image", "png", tmp_path / "a.png")
    assert file.load() == file.read() == memory.read() == b"bytes"
    assert file.digest() == memory.digest()
    assert (file.place.size(), memory.path) == (5, None)
    stored, made = Media.file(tmp_path / "a.npy"), Media.array_of(array)
    assert np.array_equal(stored.array(), array)
    assert made.array() is array
    assert made.read() == stored.read()
    assert made.digest() != stored.digest()  # of values, and of an encoding of them


def test_an_array_is_made_once_and_only_when_it_is_asked_for() -> None:
    made: list[int] = []

    def draw() -> np.ndarray:
        made.append(1)
        return np.zeros((2, 2, 3), np.uint8)

    media = Media.array_of(draw, "image")
    assert made == []
    assert media.load() is media.load()
    assert made == [1]


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "large.png").touch()
    os.truncate(tmp_path / "large.png", 1 << 40)
    for name, message in (
        ("absent.png", "no such file: .*absent.png$"),
        ("pipe.png", "pipe.png cannot be read: is a named pipe, expected a file$"),
        ("large.png", "large.png cannot be read: holds more than the limit of 536,870,912 bytes$"),
        ("a\0.png", "cannot be read: embedded null byte"),
    ):
        with pytest.raises(WeftError, match=message):
            Media.file(tmp_path / name).read()
    with pytest.raises(WeftError, match="is not a .npy array"):
        Media.encoded(b"x", "array").array()


def test_what_a_caller_may_give(tmp_path: Path) -> None:
    path, array = tmp_path / "a.xyz", np.zeros((1, 1, 3), np.uint8)
    media = Media.file(path)
    assert media_of(media, "image") is media
    assert media_of(path, "image") == media_of(str(path), "image") == Media.file(path, "image")
    assert media_of(b"x", "audio") == Media.encoded(b"x", "audio")
    assert media_of(array, "image").load() is array
    with pytest.raises(WeftError, match="is a int, expected a path, bytes or an array"):
        media_of(3, "image")
    assert expected(media, "image") is media  # of no known kind
    with pytest.raises(WeftError, match="is of kind audio, expected image"):
        expected(Media.file(tmp_path / "a.wav"), "image")


def test_arrays_in_files_are_small_values_and_pictures_are_not(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    assert small_value(Media.file(tmp_path / "a.npy")).tolist() == [0, 1, 2]
    picture = Media.file(tmp_path / "absent.png")
    assert small_value(picture) is picture
    assert small_value("a") == "a"


def test_alternatives_are_not_a_list() -> None:
    several = Alternatives(["a", "b"])
    assert (list(several), len(several), several[1]) == (["a", "b"], 2, "b")
    assert isinstance(pickle.loads(pickle.dumps(several)), Alternatives)
    assert several != ["a", "b"]


def test_media_survive_a_way_through_another_process(tmp_path: Path) -> None:
    for media in (Media.file(tmp_path / "a.png"), Media.encoded(b"x", "file")):
        assert pickle.loads(pickle.dumps(media)) == media


def test_a_video_serves_as_a_sound_and_not_the_other_way_round() -> None:
    """Its sound track is read."""
    video, sound = Media.encoded(b"film", "video"), Media.encoded(b"tone", "audio")
    assert expected(video, "audio") is video
    with pytest.raises(WeftError, match="is of kind audio, expected video"):
        expected(sound, "video")
