"""An index for every test of this folder."""

import pytest
from made_index import create, numbered


@pytest.fixture
def index(tmp_path):
    """Sixty entries."""
    with create(tmp_path / "index", numbered(60)) as made:
        yield made
