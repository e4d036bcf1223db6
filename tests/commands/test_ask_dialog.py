"""A dialog from the command line: own dialogs, two ways to answer, and questions one after another."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_dialogs import SMALL_PICTURES, TINY, dialogs, turns
from tiny_runs import done, refused


@pytest.fixture(scope="module", params=["generative", "discriminative"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dialog")
    out = folder / "run"
    words = ("--data", dialogs(folder), "--decoder", request.param, *TINY, *SMALL_PICTURES)
    done("train", "dialog", *words, "--out", out)
    return out


def test_numbers_by_turn_and_a_row_without_picture(run: Path, tmp_path: Path) -> None:
    done("evaluate", run, "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["protocol"]["questions"] == 9
    assert found["protocol"]["answers_not_among_candidates"] == 1
    assert not any(np.isnan(one["value"]) for one in found["metrics"].values())
    assert {"image of another", "history of another"} <= found["baselines"].keys()
    assert any(name.startswith("round/2/") for name in found["metrics"])


def test_questions_one_after_another(run: Path) -> None:
    picture = ("--image", run.parent / "0.png")
    alone = done("ask", run, *picture, "--text", "is it plain?", "--k", 1).splitlines()
    both = done(
        "ask", run, *picture, "--text", "is it plain?", "--text", "what color is it?", "--k", 1
    ).splitlines()
    assert both[:3] == ["is it plain?", *alone, "what color is it?"]
    said = alone[0].split("  ")[-1]
    given = ("--input", f"history=is it plain? {said}")
    assert (
        done("ask", run, *picture, *given, "--text", "what color is it?", "--k", 1)
        == both[3] + "\n"
    )


def test_what_is_no_dialog_is_asked_once(scenes_run: Path) -> None:
    line = refused("ask", scenes_run, "--text", "a", "--text", "b")
    assert line.count("\n") == 0


def test_new_dialogs_are_predicted(run: Path, tmp_path: Path) -> None:
    """In another layout than that of the training rows, and with a last turn that has no answer."""
    Image.new("RGB", (32, 32)).save(tmp_path / "new.png")
    asked = [("user", "is it plain?"), ("assistant", "yes"), ("user", "what color is it?")]
    messages = [{"role": role, "content": text} for role, text in asked]
    rows = [{"image": "new.png", "messages": messages}, {"image": "new.png", "messages": []}]
    path = tmp_path / "new.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    found = done("predict", run, path).splitlines()
    ranks = json.loads((run / "recipe.json").read_text())["tasks"]["dialog"].get("head") is None
    assert found[0] == ("id,prediction,cosine" if ranks else "id,prediction")
    assert [line.split(",")[0] for line in found[1:]] == ["new.png", "new.png#1"]
    assert all(line.split(",")[1] or not ranks for line in found[1:])


def test_an_answer_is_explained(run: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "explained.html")
    said = done(
        *("explain", run, "--image", run.parent / "0.png", "--text", "what color is it?"),
        *("--input", "history=is it plain? yes", *out),
    )
    for stream in ("question", "history", "image"):
        assert f"  {stream} (" in said
    assert "page:" in done("explain", run, "--rows", 2, "--deletion", 2, *out)


@pytest.mark.parametrize("without", ["image", "history"])
def test_a_twin_without_a_stream(tmp_path: Path, without: str) -> None:
    out, small = tmp_path / "run", SMALL_PICTURES if without == "history" else ()
    words = ("--data", turns(tmp_path), "--without", without, "--decoder", "discriminative")
    done("train", "dialog", *words, *TINY, *small, "--out", out)
    done("evaluate", out, "--json", tmp_path / "found.json")
    found = json.loads((tmp_path / "found.json").read_text())
    assert f"{without} of another" not in found["baselines"]
    assert found["protocol"]["candidates"] == 4
    assert found["metrics"]["ndcg"]["value"] > 0
    assert "most frequent" in found["baselines"]


def test_column_names_with_typos_are_refused(tmp_path: Path) -> None:
    path = turns(tmp_path)
    for name, typo in (("question", "qestion"), ("answer", "anwser"), ("Dialog ID", "dialoge")):
        wrong = tmp_path / f"{typo}.csv"
        wrong.write_text(path.read_text().replace(name, typo, 1))
        line = refused("train", "dialog", "--data", wrong, "--out", tmp_path / "run")
        expected = "dialog" if name == "Dialog ID" else name
        assert f"no column '{expected}', but '{typo}'; rename it to '{expected}'" in line
    pictures = "".join(f"{n}.png,is it red?,yes\n" for n in range(20))
    wrong.write_text(f"image,question_1,answer_1\n{pictures}")
    line = refused("train", "dialog", "--data", wrong, "--out", tmp_path / "run")
    assert "no column 'question'; a dialog is a list of turns" in line
    wrong.write_text("image,dialog,question,answer\n" + "0.png,,is it red?,yes\n" * 4)
    line = refused("train", "dialog", "--data", wrong, "--out", tmp_path / "run")
    assert line.count("\n") == 0


def test_a_run_with_bad_dialogs_trains_on_the_others(tmp_path: Path) -> None:
    path = dialogs(tmp_path)
    bad = [
        {"image": "0.png", "dialog": []},
        {"image": "0.png", "dialog": [["and?", ""], ["a", "b"]]},
    ]
    path.write_text("\n".join([path.read_text(), *map(json.dumps, bad)]))
    card = done("data", "check", path, "--out", tmp_path / "card")
    assert "dialogs.jsonl:22: the dialog is empty" in card
    assert "dialogs.jsonl:23: turn 1 of the dialog has no answer" in card
    done("train", "dialog", "--data", path, *TINY, *SMALL_PICTURES, "--out", tmp_path / "run")
