"""A module is imported where a person names it, and nowhere else."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from weft.core import trust
from weft.core.errors import WeftError
from weft.core.trust import import_file, is_trusted, trust_modules


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test names is not named in the next one."""
    monkeypatch.setattr(trust, "_named", set())
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def written(path: Path, text: str = "VALUE = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_is_imported_once_with_what_lies_beside_it(tmp_path: Path) -> None:
    written(tmp_path / "beside_it.py", "NUMBER = 7\n")
    path = written(tmp_path / "my_parts_a.py", "from beside_it import NUMBER\n")
    module = import_file(path)
    assert module.NUMBER == 7
    assert import_file(path) is module
    assert sys.modules["my_parts_a"] is module


def test_a_name_is_looked_for_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "my_parts_b.py")
    monkeypatch.chdir(tmp_path)
    assert not is_trusted("my_parts_b")
    trust_modules("my_parts_b")
    assert is_trusted("my_parts_b")
    assert is_trusted("my_parts_b.inside")
    assert not is_trusted("my_parts_bc")
    with pytest.raises(WeftError, match="there is no module 'my_parts_c'"):
        trust_modules("my_parts_c")


def test_a_path_trusts_the_module_of_the_file(tmp_path: Path) -> None:
    trust_modules(str(written(tmp_path / "my_parts_d.py")))
    assert is_trusted("my_parts_d")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("my-parts.py", "", "'my-parts' is not the name of a module"),
        ("json.py", "", "there is another module named 'json'"),
        ("colorsys.py", "", "there is another module named 'colorsys'"),
        ("my_parts_e.py", "a = 1\nb = a +\n", r"my_parts_e\.py:2: cannot be imported: SyntaxError"),
        ("my_parts_f.py", "a = 1\n\nb = c\n", r"my_parts_f\.py:3: cannot be imported: NameError: "),
        ("my_parts_g.py", "import no_such_module_x\n", r"g\.py:1: .*No module named 'no_such"),
    ],
)
def test_a_file_that_cannot_be_imported(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(WeftError, match=message) as error:
        import_file(written(tmp_path / name, text))
    assert "\n" not in str(error.value)
    assert not is_trusted(Path(name).stem)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match=r"nothing\.py: no such file"):
        trust_modules(str(tmp_path / "nothing.py"))
