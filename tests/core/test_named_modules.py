"""Modules have any names that are not empty."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from weft.core.named_modules import NamedModules


@given(st.sets(st.text(min_size=1), min_size=1, max_size=5))
def test_any_names(names: set[str]) -> None:
    modules = NamedModules({name: nn.Identity() for name in names})
    assert set(modules) == set(modules.keys()) == set(dict(modules.items())) == names
    assert len(modules) == len(names)
    assert all(name in modules and modules[name] is dict(modules.items())[name] for name in names)
    assert not any("." in name for name, _ in modules.named_children())
    first = min(names)
    modules.pop(first)
    assert first not in modules


@pytest.mark.parametrize(
    ("name", "kept"),
    [("image", "image"), ("size.cm", "size%2Ecm"), ("items", "%69tems"), ("%", "%")],
)
def test_the_names_of_weights(name: str, kept: str) -> None:
    assert "".join(dict(NamedModules({name: nn.ReLU()}).named_children())) == kept
