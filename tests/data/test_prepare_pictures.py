"""What pictures tell of a person does not get into shards, and what is taken out is said."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from weft.commands.data import main
from weft.core.errors import WeftError
from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.data.prepare.check import check
from weft.data.prepare.plan import PrepareConfig
from weft.data.prepare.prepare import prepare
from weft.modalities.image_decoding import read_image

SECRET = b"PLACE-AND-DATE"
FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "GIF", "deep TIFF"]


def encoded(format: str, seed: int) -> bytes:
    """A picture that lies on its side, with a place; a GIF with a comment instead."""
    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    noise = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC)
    if format == "deep TIFF":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[29] = "N", (51.0, 30.0, 26.0), SECRET.decode()
    out = io.BytesIO()
    options = {"comment": SECRET} if format == "GIF" else {"exif": exif.tobytes()}
    picture.save(out, format.rsplit(maxsplit=1)[-1], **options)
    return out.getvalue()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kept", [False, True])
def test_metadata_is_taken_out_unless_it_is_to_be_kept(
    format: str, kept: bool, tmp_path: Path
) -> None:
    rows = [
        Sample(
            f"id{n}",
            f"group{n}",
            {"image": Media.encoded(encoded(format, n), "image"), "text": f"t{n}"},
            f"rows:{n}",
        )
        for n in range(3)
    ]
    assert any(SECRET in row.items["image"].read() for row in rows)
    config = PrepareConfig(workers=1, keep_metadata=kept)
    result = prepare(rows, tmp_path / "out", config)
    assert result.metadata["comment" if format == "GIF" else "place (GPS)"] == 3
    stored = {sample.id: sample.items["image"].read() for sample in open_dataset(tmp_path / "out")}
    for row in rows:
        data, before = stored[row.id], row.items["image"].read()
        if kept:
            assert data == before
            continue
        assert SECRET not in data
        # HEIF is not exact, and is written anew as JPEG.
        found, expected = (read_image(d, max_pixels=10**6).astype(int) for d in (data, before))
        assert np.abs(found - expected).mean() < (8 if format == "HEIF" else 0.01)
        if format == "deep TIFF":
            picture = Image.open(io.BytesIO(data))
            assert np.array_equal(
                np.asarray(picture),
                np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(before)))),
            )
    report = check(open_dataset(tmp_path / "out"), None)
    assert bool(report.metadata) == kept


def test_the_command_says_what_it_took_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(4):
        (tmp_path / f"data/{n}.jpg").parent.mkdir(exist_ok=True)
        (tmp_path / f"data/{n}.jpg").write_bytes(encoded("JPEG", n))
        (tmp_path / f"data/{n}.txt").write_text(f"picture number {n}\n")
    data, out = str(tmp_path / "data"), tmp_path / "out"
    main(["check", data, "--out", str(tmp_path / "card"), "--workers", "1"])
    assert "  metadata of pictures: place (GPS) of 4\n" in capsys.readouterr().out
    assert "place (GPS) of 4" in (tmp_path / "card" / "card.html").read_text()
    main(["prepare", data, "--out", str(out), "--workers", "1"])
    assert "  metadata of pictures, removed: place (GPS) of 4\n" in capsys.readouterr().out
    assert json.loads((out / "manifest.json").read_text())["metadata"] == {"place (GPS)": 4}
    assert not any(SECRET in path.read_bytes() for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize("taken_in", [False, True])
def test_files_outside_the_data_are_not_taken_in(
    taken_in: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table may name any file of the machine; shards are made to be shared."""
    data, out = tmp_path / "data", tmp_path / "out"
    (data / "images").mkdir(parents=True)
    (tmp_path / "private.jpg").write_bytes(encoded("JPEG", 9))
    names = [f"{n}.jpg" for n in range(4)]
    for n, name in enumerate(names):
        (data / "images" / name).write_bytes(encoded("JPEG", n))
    names += [str(tmp_path / "private.jpg"), str(data / "images" / ".." / ".." / "private.jpg")]
    rows = [{"image": name, "text": f"t{n}", "id": str(n)} for n, name in enumerate(names)]
    (data / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    flags = ["--outside", "True"] if taken_in else []
    main(["prepare", str(data), "--out", str(out), "--workers", "1", *flags])
    lines = (out / "quarantine" / "dropped.jsonl").read_text().splitlines()
    dropped = [json.loads(line) for line in lines]
    if taken_in:
        assert dropped == []
        return
    assert [row["id"] for row in dropped] == ["4", "5"]
    assert all("lies outside the data's folder" in row["details"] for row in dropped)
    assert "dropped, unreadable: 2" in capsys.readouterr().out
    (data / "rows.jsonl").write_text(json.dumps(rows[4]) + "\n")
    with pytest.raises(WeftError, match="no row is left.*lies outside.*--outside allows it"):
        main(["prepare", str(data), "--out", str(tmp_path / "none"), "--workers", "1"])
