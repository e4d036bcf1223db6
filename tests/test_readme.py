"""What the README says works: its commands and its Python run, on a folder of a user's own."""

import pkgutil
import re
import shlex
from pathlib import Path

import pytest
import simplejpeg

import weft.commands
from weft.cli import main
from weft.worlds.scenes import ScenesConfig

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(block: str) -> list[list[str]]:
    return [shlex.split(line, comments=True) for line in block.splitlines()]


@pytest.fixture
def my_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a .txt of captions beside each picture, in the current directory."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my_photos"
    folder.mkdir()
    for sample in ScenesConfig(count=60).build():
        picture = simplejpeg.encode_jpeg(sample.items["image"].array(), quality=95)
        (folder / f"{sample.id}.jpg").write_bytes(picture)
        (folder / f"{sample.id}.txt").write_text("\n".join(sample.items["text"]))
    return folder


def shortened(words: list[str]) -> list[str]:
    """Two steps instead of thousands; everything else as it stands."""
    if "--run.steps" in words:
        words[words.index("--run.steps") + 1] = "2"
    return words


def test_the_commands_for_ones_own_data_run(
    my_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (block,) = [b for b in blocks("sh") if "my_photos" in b]
    lines = [words for words in commands(block) if words]
    assert len(lines) == 8
    for words in lines:
        assert words[0] == "weft"
        assert main(shortened(words[1:])) == 0, capsys.readouterr().err
    assert (my_photos.parent / "runs" / "mine" / "report.html").stat().st_size > 10_000
    assert (my_photos.parent / "shards" / "card.html").exists()


def test_the_yaml_starting_point_trains(my_photos: Path) -> None:
    (block,) = blocks("yaml")
    (my_photos.parent / "start.yaml").write_text(block)
    words = ["train", "start.yaml", "--run.steps", "1", "--run.batch_size", "8"]
    assert main(words) == 0
    assert (my_photos.parent / "runs" / "start" / "model.safetensors").exists()


def test_the_python_block_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = blocks("python")
    exec(compile(block, "README.md", "exec"), {})
    assert "(2, 256)" in capsys.readouterr().out


def test_every_command_of_the_readme_exists() -> None:
    named = {w[1] for b in blocks("sh") for w in commands(b) if w and w[0] == "weft"}
    named |= set(re.findall(r"`weft (\w+)", README))
    assert named <= {info.name for info in pkgutil.iter_modules(weft.commands.__path__)}


def test_every_linked_page_exists() -> None:
    for link in re.findall(r"\]\(([\w/.]+)(?:#[\w-]+)?\)", README):
        assert (ROOT / link).exists(), link


def test_the_architecture_says_what_every_room_is_for() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = page.partition("## The rooms")[2].partition("\n## ")[0]
    for room in (ROOT / "weft").iterdir():
        if room.name[0] not in "_." and room.suffix in ("", ".py"):
            assert f"`{room.stem}`" in rooms, room.name
