"""Decodes DICOM files to uint8 RGB, with the file's own display settings or the caller's window.

DICOM PS3.3, sections C.7.6.3 (pixels), C.11.1 (modality LUT: rescale), C.11.2 (VOI LUT: window).
"""

import importlib.util
import io
import logging
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weft.core.errors import MissingExtraError, WeftError

Pixels = NDArray[np.uint8]
Window = tuple[float, float]
"""Level (the value that becomes middle grey) and width, in the units of the picture's values."""
PRIVATE = "patient data (DICOM)"
FEW_GREYS = 64
log = logging.getLogger("weft.data")


def is_dicom(data: bytes) -> bool:
    """Whether the bytes are a DICOM file (PS3.10, section 7.1)."""
    return data[128:132] == b"DICM"


def read_dicom(data: bytes, max_pixels: int, window: Window | None) -> Pixels:
    """(H, W, 3) uint8 of the first frame.

    Stored values are rescaled (to Hounsfield units in CT), then mapped by `window`, else by the file's window or VOI
    LUT, else from the range of its bits. MONOCHROME1 is inverted, so that larger is brighter. Raises WeftError if the
    file holds no picture or cannot be decoded.
    """
    if importlib.util.find_spec("pydicom") is None:
        raise MissingExtraError("pydicom", extra="medical", purpose="reading DICOM pictures")
    import pydicom
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
    from pydicom.pixels.utils import pixel_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        file = pydicom.dcmread(io.BytesIO(data))
        size = file.get("Columns"), file.get("Rows")
        if None in size or "PixelData" not in file:
            raise WeftError("is a DICOM file without a picture")
        if size[0] * size[1] > max_pixels:
            raise WeftError(
                f"picture has {size[0]} x {size[1]} pixels, more than max_pixels = {max_pixels}"
            )
        values = pixel_array(file, index=0)
        if file.PhotometricInterpretation == "PALETTE COLOR":
            colours = apply_color_lut(values, file)
            return _rgb(colours if colours.dtype == np.uint8 else colours >> 8)
        if values.ndim == 3:
            return _rgb(values if values.dtype == np.uint8 else values >> (file.BitsStored - 8))
        real = apply_modality_lut(values, file)
        shown = real if window is not None else apply_voi_lut(real, file)
    low, high = _range(file) if window is None else ends(window)
    grey = scaled(shown, low, high)
    if window is None and grey.max() - grey.min() < FEW_GREYS:
        used = (40.0, 400.0) if file.get("Modality") == "CT" else _used(shown)
        _warn_of_range(file.get("BitsStored"), used)
    return _rgb(255 - grey if file.PhotometricInterpretation == "MONOCHROME1" else grey)


def ends(window: Window) -> tuple[float, float]:
    """Returns the values that become black and white."""
    level, width = window
    return level - width / 2, level + width / 2


def scaled(values: NDArray[np.generic], low: float, high: float) -> Pixels:
    """Maps low..high to 0..255; values outside become black or white."""
    real = np.nan_to_num(values.astype(np.float64))
    return np.rint((real.clip(low, high) - low) * (255 / (high - low))).astype(np.uint8)


def _range(file: Any) -> tuple[float, float]:
    """Returns the value range of pydicom's output after the file's own window or LUT.

    Without either, it is the range of the stored bits, after rescaling.
    """
    for name in ("VOILUTSequence", "ModalityLUTSequence"):
        if file.get(name):
            return 0.0, float(2 ** int(file[name].value[0].LUTDescriptor[2]) - 1)
    bits = int(file.BitsStored)
    least, most = (
        (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if file.PixelRepresentation else (0, 2**bits - 1)
    )
    slope, intercept = (
        float(file.get("RescaleSlope") or 1),
        float(file.get("RescaleIntercept") or 0),
    )
    found = (least * slope + intercept, most * slope + intercept)
    return min(found), max(found)


def _used(values: NDArray[np.generic]) -> Window:
    """Returns the window that covers all values of the picture."""
    low, high = float(values.min()), float(values.max())
    return (low + high) / 2, max(high - low, 1.0)


_WARNED: set[int] = set()


def _warn_of_range(bits: int, window: Window) -> None:
    """Warns once for all pictures. window: a suggestion that fits the first one; in CT that of soft tissue."""
    if bits not in _WARNED:
        _WARNED.add(bits)
        log.warning(
            "DICOM pictures have no window setting and use less than a quarter of their %s bits: weft train RECIPE "
            "reads them with "
            "level and window, such as --data.streams.image.level %g --data.streams.image.window %g",
            bits,
            *window,
        )


def _rgb(values: NDArray[np.generic]) -> Pixels:
    """(H, W) or (H, W, 3) -> (H, W, 3) uint8, in memory of its own."""
    grey = values if values.ndim == 3 else values[:, :, None].repeat(3, axis=2)
    return np.ascontiguousarray(grey, dtype=np.uint8)
