"""Rows of a data set -> an index with previews and metadata."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks"))

from tiny_world import tiny_world

from weft.core.display import Display, Picture, Recording, Word
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.index import build_index
from weft.index.build import _where
from weft.index.metadata import Taken, metadata_of, taken_columns
from weft.index.previews import preview_of


def test_pictures_are_found_by_their_captions(tmp_path):
    w = tiny_world(images=12, noise=0.0)
    member = w.member()
    with (
        build_index(tmp_path / "pictures", member, w.rows) as pictures,
        build_index(tmp_path / "captions", member, w.rows, "text") as captions,
    ):
        assert (len(captions), captions.items) == (36, 12)
        assert captions.ids()[:3] == ["row0", "row0#1", "row0#2"]
        found = pictures.search(captions.vectors(captions.ids()[::3]), 1)
        assert [hits[0].id for hits in found] == pictures.ids()
        assert found[0][0].source.startswith("made.jsonl:")
        assert pictures.preview("row0").media_type == "image/png"
        assert captions.preview("row0") is None
        assert captions.entry("row0#1").text == w.rows[0].items["text"][1]
        twelve = captions.search(pictures.vectors(["row3"]), 12)[0]
        assert len({hit.id.partition("#")[0] for hit in twelve}) == 12  # one hit an item


def opened(preview):
    return Image.open(io.BytesIO(preview.data))


def test_previews():
    pixels = np.random.default_rng(0).integers(0, 256, (400, 1000, 3)).astype(np.uint8)
    found = preview_of(Display(pictures=(Picture(pixels),)))
    assert (found.media_type, opened(found).size) == ("image/jpeg", (320, 128))
    icon = preview_of(Display(pictures=(Picture(pixels[:20, :30]),)))
    assert np.array_equal(np.asarray(opened(icon)), pixels[:20, :30])
    clip = Media.frames(np.stack([pixels[:100, :200]] * 4), 2.0)
    assert opened(preview_of(Display(recordings=(Recording(clip),)))).size == (200, 100)
    assert preview_of(Display(words=(Word("a"),))) is None
    assert preview_of(Display(pictures=(Picture(Media.encoded(b"none", "image")),))) is None


def test_a_sound_can_be_played(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    tone = np.sin(np.arange(48_000 * 12) / 20).astype(np.float32)
    found = preview_of(Display(recordings=(Recording(Media.sound(tone, 48_000)),)))
    assert found.media_type == "audio/mpeg"
    samples, rate = soundfile.read(io.BytesIO(found.data))
    assert (rate, round(len(samples) / rate)) == (16_000, 10)


def rows():
    return [
        Sample(
            f"r{n}",
            f"r{n}",
            {
                "text": f"a caption of many words, number {n}",
                "colour": "red" if n % 2 else "blue",
                "price": f"{n}.50 €",
                "fresh": n % 3 == 0,
                "tags": ["a", "b"],
                "mixed": n if n % 2 else "k.a.",
                "code": f"X-{n:05d}",
                "picture": Media.encoded(b"", "image"),
            },
            f"rows.csv:{n}",
        )
        for n in range(40)
    ]


def test_small_columns_become_metadata():
    taken = dict(taken_columns(rows(), None, ("text",)))
    assert taken["colour"] == "text"
    assert taken["price"] == "number"
    assert taken["fresh"] == "bool"
    assert not taken.keys() & {"text", "tags", "picture"}
    found = metadata_of(
        rows()[4].items, taken_columns(rows(), ["colour", "price", "fresh", "mixed", "code"], ())
    )
    assert found == {"colour": "blue", "price": 4.5, "fresh": False, "code": "X-00004"}
    assert metadata_of({"n": 3.0, "m": None}, [Taken("n", "number"), Taken("m", "text")]) == {
        "n": 3
    }


def test_columns_that_are_refused():
    with pytest.raises(WeftError, match="unknown column of the rows 'color': did you mean colour"):
        taken_columns(rows(), ["color"], ())
    for name in ("tags", "picture"):
        with pytest.raises(WeftError, match=f"column '{name}' holds a "):
            taken_columns(rows(), [name], ())


def test_entries_have_the_path_of_a_file_that_is_used_whole(tmp_path: Path) -> None:
    """Parts of one recording would all be replaced by `weft index add FILE`."""
    whole = Media.file(tmp_path / "long.wav", "audio")
    assert _where(whole, "rows.csv:2") == str(tmp_path / "long.wav")
    for raw in (whole.part(0.0, 2.5), whole.part(2.5, None), Media.encoded(b"", "audio"), "a text"):
        assert _where(raw, "rows.csv:2") == "rows.csv:2"
