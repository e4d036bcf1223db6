"""Arrays from the bytes of .npy files (NumPy enhancement proposal 1), which may be damaged or hostile."""

import io
import math
import warnings

import numpy as np

from weft.core.errors import WeftError

_MAGIC = b"\x93NUMPY"


def decode_array(data: bytes) -> np.ndarray:
    """Returns the array in the content of a .npy file. Nothing is unpickled. The header is compared with the number of
    bytes before memory is allocated. Raises WeftError if the content is invalid."""
    if not data.startswith(_MAGIC):
        raise WeftError("is not a .npy array: it does not begin with the mark of one")
    file = io.BytesIO(data)
    try:
        shape, fortran, dtype = _header(file)
    except Exception as error:  # for a damaged header Python's parser raises many kinds of errors
        raise WeftError(f"is not a .npy array: {_line(error)}") from None
    if dtype.hasobject:
        raise WeftError("is an array of Python objects, which only unpickling could read")
    found, expected = len(data) - file.tell(), math.prod(shape) * dtype.itemsize
    if any(size < 0 for size in shape) or found != expected:
        raise WeftError(f"is an array of {dtype} {shape} in {found:,} bytes, expected {expected:,}")
    flat = np.frombuffer(data, dtype, offset=file.tell()) if expected else np.empty(0, dtype)
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _header(file: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"version {version} of the format is not known")
    with warnings.catch_warnings(action="error"):
        return readers[version](file)


def _line(error: Exception) -> str:
    return f"{' '.join(str(error).split()) or type(error).__name__:.100}"
