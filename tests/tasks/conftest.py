"""Lets the tests of this folder import `tiny_world`."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tiny_world import tiny_world


@pytest.fixture
def world():
    return tiny_world
