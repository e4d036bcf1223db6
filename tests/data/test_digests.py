"""A file is read for its digest once, and again where it has changed."""

import os
from pathlib import Path

import pytest

from weft.core.errors import WeftError
from weft.core.media import Media
from weft.data.digests import Digests


def written(path: Path, data: bytes, seconds_ago: int = 60) -> Media:
    path.write_bytes(data)
    then = path.stat().st_mtime_ns - seconds_ago * 10**9
    os.utime(path, ns=(then, then))
    return Media.file(path)


@pytest.fixture(autouse=True)
def _old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the last change of an inode cannot be set, so nothing counts as young."""
    monkeypatch.setattr("weft.data.digests.YOUNG_NS", 0)


def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    original = Media.digest

    def counted(self: Media) -> str:
        found.append(str(self.place))
        return original(self)

    monkeypatch.setattr(Media, "digest", counted)
    return found


def test_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media = [written(tmp_path / f"{n}.png", b"%d" % n) for n in range(3)]
    expected = [each.digest() for each in media]
    read = reads(monkeypatch)
    for _ in range(2):
        digests = Digests(tmp_path / "contents.json")
        assert [digests.of(each) for each in media] == expected
        digests.save()
    assert len(read) == 3
    changed = written(tmp_path / "1.png", b"X")  # as long as before
    digests = Digests(tmp_path / "contents.json")
    assert digests.of(changed) == Media.encoded(b"X", "image").digest() != expected[1]
    assert [digests.of(each) for each in (media[0], media[2])] == [expected[0], expected[2]]


def test_a_file_that_has_just_changed_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could change once more within the same tick of the clock."""
    monkeypatch.setattr("weft.data.digests.YOUNG_NS", 10**18)
    media = written(tmp_path / "a.png", b"a")
    digests = Digests(tmp_path / "contents.json")
    first = digests.of(media)
    read = reads(monkeypatch)
    assert digests.of(media) == first
    assert len(read) == 1
    digests.save()
    assert not (tmp_path / "contents.json").exists()


@pytest.mark.parametrize("kept", ["", "[]", '{"a": 1}', '{"a": "short"}', "[" * 100_000, "\udcff"])
def test_a_damaged_table_counts_as_none(tmp_path: Path, kept: str) -> None:
    media = written(tmp_path / "a.png", b"a")
    (tmp_path / "contents.json").write_text(kept, errors="surrogateescape")
    digests = Digests(tmp_path / "contents.json")
    assert digests.of(media) == media.digest()
    digests.save()
    assert Digests(tmp_path / "contents.json").of(media) == media.digest()


def test_other_values_and_what_is_not_there(tmp_path: Path) -> None:
    digests = Digests(tmp_path / "contents.json")
    assert digests.of("a") == digests.of("a") != digests.of(["a"])
    assert digests.of(Media.encoded(b"x", "image")) == Media.encoded(b"x", "image").digest()
    with pytest.raises(WeftError, match="no such file"):
        digests.of(Media.file(tmp_path / "absent.png"))
