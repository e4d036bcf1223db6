"""Lets the tests of this folder import `plain_attention` and `tiny_fusions`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
