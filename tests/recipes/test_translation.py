"""Translation with a picture: trained on few rows of Flickr8k-CN, and on a table of one's own."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from weft.commands.caption import main as caption
from weft.commands.train import main
from weft.core.errors import WeftError
from weft.data.features import CacheConfig
from weft.data.hidden import HIDDEN
from weft.recipes import recipe
from weft.runs.predicting import predict_rows
from weft.runs.run import Run, load
from weft.runs.train import train

COLOURS = {"red": ("红", (200, 30, 30)), "blue": ("蓝", (30, 30, 200))}
THINGS = ("dog 狗", "cat 猫", "bird 鸟", "ball 球", "car 车")
FAST = "--run.steps 2 --run.batch-size 4 --run.workers 0 --run.device cpu --run.precision fp32"


def test_of_flickr8k(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, data = shared_data("flickr8k"), tmp_path / "data"
    (data / "flickr8k").mkdir(parents=True)
    (data / "flickr8k" / "images").symlink_to(whole / "images")
    (data / "mobilenet_v2").symlink_to(shared_data("mobilenet_v2"))
    lines = (whole / "translations_zh.jsonl").read_text(encoding="utf-8").splitlines()
    few = [
        line
        for split in ("train", "dev", "test")
        for line in itertools.islice((x for x in lines if f'"split": "{split}"' in x), 8)
    ]
    (data / "flickr8k" / "translations_zh.jsonl").write_text("\n".join(few), encoding="utf-8")
    monkeypatch.setenv("WEFT_DATA", str(data))
    made = recipe("flickr8k_translation", source="hidden")
    assert HIDDEN in made.data.source.open("train")[0].items["english"]
    streams = {**made.data.streams, "image": made.data.streams["image"].replace(size=64)}  # type: ignore[attr-defined]
    cache = {"image": CacheConfig(folder=tmp_path / "features")}
    tasks = {"translation": made.tasks["translation"].replace(resamples=10)}
    run = made.run.replace(steps=2, batch_size=4, workers=0, device="cpu", precision="fp32")
    short = made.replace(data=made.data.replace(streams=streams, cache=cache), tasks=tasks, run=run)
    result = train(short, tmp_path / "run")
    assert set(result.fit.metrics) == {"translation/BLEU", "translation/chrF"}
    assert set(recipe("flickr8k_translation", without="image").model.encoders) == {"english"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Of rows some of which lack a picture, and one of which lacks its text."""
    folder = tmp_path_factory.mktemp("own")
    rows = []
    for n, (colour, thing) in enumerate(itertools.product([*COLOURS] * 5, THINGS)):
        name, (chinese, pixels) = f"{n}.png", COLOURS[colour]
        Image.fromarray(np.full((16, 16, 3), pixels, np.uint8)).save(folder / name)
        word, other = thing.split()
        rows.append(
            {
                "image": name if n % 9 else None,
                "english": f"here is a {colour} {word} number {n}",
                "chinese": f"这是第{n}个{chinese}色的{other}。",
            }
        )
    rows[3]["english"] = None
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = f"translate --data {folder / 'rows.jsonl'} --target chinese --out {folder / 'run'}"
    main([*words.split(), *FAST.split()])
    return load(folder / "run", device="cpu")


def test_of_an_own_table(own: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert set(own.recipe.data.streams) == {"image", "english", "chinese"}
    assert own.recipe.tasks["translation"].tokenizer == "zh"  # type: ignore[attr-defined]
    picture = str(own.folder.parent / "1.png")
    text = "here is a red dog"
    for given in (["--text", text, "--image", picture], ["--text", text]):
        caption([str(own.folder), *given])
        assert "\t" in capsys.readouterr().out


def test_bad_input_is_one_line(own: Run, tmp_path: Path) -> None:
    picture = str(own.folder.parent / "1.png")
    with pytest.raises(WeftError, match="this run needs --text") as caught:
        caption([str(own.folder), "--image", picture])
    assert "\n" not in str(caught.value)
    with pytest.raises(WeftError, match="caption is empty") as caught:
        caption([str(own.folder), "--text", " "])
    assert "\n" not in str(caught.value)
    table = tmp_path / "new.jsonl"
    rows = [{"image": picture, "english": t} for t in ("a red dog", "", "a blue cat")]
    rows[2]["image"] = ""
    table.write_text("\n".join(map(json.dumps, rows)))
    found = predict_rows(own, own_rows(own, table))
    assert (len(found.rows), found.left_out) == (2, 1)


def own_rows(run: Run, table: Path):  # type: ignore[no-untyped-def]
    from weft.runs.new_rows import rows_like

    return rows_like(run.recipe, table)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"target": "chinese", "source": "nothing"}, "source 'nothing' is no other column, known"),
        ({"target": "chinese", "source": "chinese"}, "source 'chinese' is no other column"),
        ({}, "which column is to be predicted|which column holds"),
    ],
)
def test_what_is_not_clear_is_one_line(own: Run, words: dict[str, str], said: str) -> None:
    from weft.runs.own_columns import schema_of

    schema = schema_of(own.folder.parent / "rows.jsonl")
    with pytest.raises(WeftError, match=said) as caught:
        recipe("translate", schema=schema, **words)
    assert "\n" not in str(caught.value)
