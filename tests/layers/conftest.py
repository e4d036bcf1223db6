"""Lets the tests of this folder import `padded_cases` and the small parts of every family."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [
    str(HERE),
    *(str(HERE.parent / name) for name in ("encoders", "fusion", "decoders")),
]
