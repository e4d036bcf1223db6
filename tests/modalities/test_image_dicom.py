"""DICOM files, and windows of pictures of more than 8 bits."""

import io
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from weft.core.errors import MissingExtraError, WeftError
from weft.core.media import Media
from weft.data.formats import open_dataset
from weft.modalities import image_dicom
from weft.modalities.image import ImageConfig
from weft.modalities.image_decoding import read_image
from weft.modalities.image_metadata import private_metadata

pydicom = pytest.importorskip("pydicom")
LIMIT = 10_000


def dicom(pixels: np.ndarray, photometric: str = "MONOCHROME2", **tags: Any) -> bytes:
    """A file of the stored values `pixels`: (H, W), (H, W, 3) or (frames, H, W) with NumberOfFrames."""
    from pydicom.dataset import FileMetaDataset

    file = pydicom.Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    file.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    file.PatientName = "Muster^Erika"
    shape = pixels.shape[1:] if "NumberOfFrames" in tags else pixels.shape
    file.Rows, file.Columns = shape[:2]
    file.SamplesPerPixel = 3 if len(shape) == 3 else 1
    if file.SamplesPerPixel == 3:
        file.PlanarConfiguration = 0
    file.PhotometricInterpretation = photometric
    file.BitsAllocated = 8 * pixels.itemsize
    file.BitsStored = tags.pop("BitsStored", file.BitsAllocated)
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in tags.items():
        setattr(file, name, value)
    file.PixelData = pixels.tobytes()
    out = io.BytesIO()
    file.save_as(out, enforce_file_format=True)
    return out.getvalue()


def greys(data: bytes, **options: Any) -> list[int]:
    pixels = read_image(data, max_pixels=LIMIT, **options)
    assert (pixels.dtype, pixels.shape[2]) == (np.uint8, 3)
    assert (pixels == pixels[:, :, :1]).all()
    return [int(value) for value in pixels[:, :, 0].reshape(-1)]


STORED = np.array([[0, 1000], [2048, 4095]], np.uint16)


def test_the_range_of_the_stored_bits() -> None:
    assert greys(dicom(STORED, BitsStored=12)) == [0, 62, 128, 255]
    assert greys(dicom(STORED, "MONOCHROME1", BitsStored=12)) == [255, 193, 127, 0]


def test_rescaled_values_in_the_window_of_the_file() -> None:
    """CT: stored 0..4095 is -1024..3071 Hounsfield; the window 40 +- 200 (PS3.3, C.11.2.1.2.1)."""
    stored = np.array([[0, 864], [1064, 1264]], np.int16)
    tags = {"BitsStored": 12, "RescaleSlope": 1, "RescaleIntercept": -1024}
    data = dicom(stored, WindowCenter=40, WindowWidth=400, **tags)
    black, low, middle, white = greys(data)
    assert (black, white) == (0, 255)
    assert low == 0  # -160, the lower end
    assert middle == pytest.approx(128, abs=1)
    assert greys(data, window=(0, 2000)) == [0, 107, 133, 158]  # the caller's window goes first


def test_colours_palettes_and_frames() -> None:
    colours = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
    assert (read_image(dicom(colours, "RGB"), max_pixels=LIMIT) == colours).all()
    frames = np.stack([STORED, STORED[::-1]])
    assert greys(dicom(frames, BitsStored=12, NumberOfFrames=2)) == [0, 62, 128, 255]


def test_a_dark_picture_names_the_setting(caplog: pytest.LogCaptureFixture) -> None:
    dark = (STORED // 16).astype(np.uint16)
    middle, width = (int(dark.max()) + int(dark.min())) / 2, int(dark.max()) - int(dark.min())
    for modality, said in (("CT", (40, 400)), ("MR", (middle, width))):
        image_dicom._WARNED.clear()
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            greys(dicom(dark, BitsStored=16, Modality=modality))
        level, window = said
        assert "weft train RECIPE reads them with level and window" in caplog.text
        assert f"image.level {level:g} --data.streams.image.window {window:g}" in caplog.text


def test_what_is_no_picture() -> None:
    data = dicom(STORED, BitsStored=12)
    with pytest.raises(WeftError, match="picture has 2 x 2 pixels, more than max_pixels = 3"):
        read_image(data, max_pixels=3)
    with pytest.raises(WeftError):
        read_image(data[:-6], max_pixels=LIMIT)
    with pytest.raises(WeftError, match="is a DICOM file without a picture"):
        read_image(data.replace(b"\xe0\x7f\x10\x00", b"\xe0\x7f\x11\x00"), max_pixels=LIMIT)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_dicom.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'weft\[medical\]'"):
        read_image(dicom(STORED), max_pixels=LIMIT)


def test_a_folder_of_dicom_files(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom(STORED, BitsStored=12))
    (row,) = open_dataset(tmp_path)
    item = ImageConfig(size=2).build().decode(row.items["image"])
    assert item.shape == (3, 2, 2)
    assert private_metadata(row.items["image"].load()) == ("patient data (DICOM)",)


def png(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values).save(out, "PNG")
    return out.getvalue()


def test_a_window_of_a_16_bit_picture() -> None:
    data = png(STORED)
    assert greys(data, window=(2000, 2000)) == [0, 0, 134, 255]
    modality = ImageConfig(size=2, level=2000, window=2000).build()
    decoded = modality.decode(Media.encoded(data, "image"))
    assert decoded[0].reshape(-1).tolist() == [0, 0, 134, 255]


@pytest.mark.parametrize(("level", "window"), [(1.0, None), (None, 1.0), (1.0, 0.0), (1.0, -2.0)])
def test_a_window_that_cannot_be(level: float | None, window: float | None) -> None:
    with pytest.raises(ValueError, match="expected both, and a window above 0"):
        ImageConfig(level=level, window=window)
