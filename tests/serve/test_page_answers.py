"""The page asks, reads, draws and explains, with real runs in a real browser."""

import re
from pathlib import Path
from typing import Any

from browsed import Opener, Runs, asked_of, hand_over, shown
from made_media import sound_file, tone


def give(page: Any, file: Path) -> None:
    shown(page).locator("input[type=file]").set_input_files(file)


def ask(page: Any, question: str) -> Any:
    """Asks, and gives the reply."""
    shown(page).get_by_role("textbox", name="Question").fill(question)
    before = page.locator(".dialog > li").count()
    page.keyboard.press("Enter")
    reply = page.locator(".dialog > li").nth(before)
    reply.wait_for()
    return reply


def test_a_question_about_a_picture_and_what_the_answer_rests_on(
    visit: Opener, page_runs: Runs
) -> None:
    page = visit(run="questions", view="ask")
    give(page, page_runs("vqa") / "test" / "images" / "0.png")
    reply = ask(page, "what is the color?")
    answers = reply.locator(".answers li")
    percents = [one.inner_text() for one in answers.locator(".percent").all()]
    assert len(percents) >= 2
    assert all(re.fullmatch(r"(< )?[\d.]+ %", one) for one in percents)
    reply.get_by_role("button", name="Why?").click()
    why = page.get_by_role("dialog", name="What the answer depends on")
    why.wait_for()
    assert why.locator("canvas").count() == 1
    words = why.locator(".weighed span").all_inner_texts()
    assert "".join(words).replace("?", "") == "whatisthecolor"
    titles = page.locator("dialog h3")
    assert titles.all_inner_texts() == ["Picture", "Question"]
    page.evaluate("speak('zh')")
    assert titles.all_inner_texts() == ["图片", "问题"]
    page.evaluate("speak('en')")
    strength = why.get_by_role("slider", name="Strength of the heat map")
    faint, strong = ("0.1", "1")
    for value in (faint, strong):
        strength.fill(value)
        assert why.locator("canvas").evaluate("map => getComputedStyle(map).opacity") == value
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")


def test_a_dialog_keeps_what_was_said_and_starts_anew(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="dialog", view="ask")
    picture = (page_runs("rows") / "0.png").read_bytes()
    page.locator("input[name=question]").wait_for()
    hand_over(page, "drop", "0.png", picture, "image/png")
    page.locator(".given img").wait_for()
    first = ask(page, "is it plain?")
    with page.expect_request("**/ask") as second:
        ask(page, "what color is it?")
    (turn,) = second.value.post_data_json["history"]
    assert turn["question"] == "is it plain?"
    assert turn["answer"] == (first.locator(".said").first.inner_text() if turn["answer"] else "")
    assert page.locator(".question").all_inner_texts() == ["is it plain?", "what color is it?"]
    page.get_by_role("button", name="Start anew").click()
    assert not page.locator(".question").count()
    asked = asked_of(page, "/ask", lambda: ask(page, "and now?"))
    assert asked["history"] == []


def test_another_picture_starts_a_new_dialog(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="dialog", view="ask")
    give(page, page_runs("rows") / "0.png")
    ask(page, "is it plain?")
    page.get_by_role("button", name="Remove: 0.png").click()
    assert not page.locator(".question").count()
    page.locator("input[name=question]").fill("of what?")
    page.keyboard.press("Enter")
    assert page.get_by_role("alert").inner_text() == "Give an input first."


def test_a_caption(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    give(page, page_runs("captions") / "p02.png")
    shown(page).get_by_role("textbox", name="Words").fill("a red circle")
    shown(page).get_by_role("button", name="Caption").click()
    said = page.locator(".result .said")
    said.wait_for()
    assert said.inner_text()


def test_a_caption_of_one_of_several_streams(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    view = shown(page)
    view.get_by_text("One of these inputs is enough.").wait_for()
    give(page, page_runs("captions") / "p02.png")
    asked = asked_of(page, "/caption", view.get_by_role("button", name="Caption").click)
    assert list(asked["values"]) == ["image"]
    page.get_by_text("Answered without: Words").wait_for()
    assert page.locator(".result .said").inner_text()


def test_what_may_be_left_out_is_said(visit: Opener) -> None:
    page = visit(run="questions", view="predict")
    shown(page).get_by_role("textbox", name="Question").wait_for()
    page.evaluate(
        """() => {
            const words = page.run.streams.find((stream) => stream.kind === "text");
            build({ ...page.run, optional: [words.name] });
            page.views.forEach((view) => { view.section.hidden = view.name !== "predict"; });
        }"""
    )
    shown(page).get_by_role("textbox", name="Question (may be left out)").wait_for()
    assert shown(page).get_by_role("group", name="Picture", exact=True).is_visible()


def test_a_transcript_of_a_pasted_sound(visit: Opener) -> None:
    page = visit(run="speech", view="transcribe")
    page.get_by_text("Choose a sound").wait_for()
    hand_over(page, "paste", "said.wav", sound_file(tone(1.0)), "audio/wav")
    player = page.locator(".given audio")
    player.wait_for()
    page.wait_for_function("document.querySelector('.given audio').duration > 0.9")
    shown(page).get_by_role("button", name="Transcribe").click()
    page.locator(".result .said").wait_for()


def test_a_prediction(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="questions", view="predict")
    give(page, page_runs("vqa") / "test" / "images" / "1.png")
    shown(page).get_by_role("textbox", name="Question").fill("is it red?")
    shown(page).get_by_role("button", name="Predict").click()
    page.locator(".answers li").first.wait_for()
    page.get_by_role("button", name="Why?").click()
    page.get_by_role("dialog").wait_for()


def test_pictures_are_drawn_and_saved(visit: Opener, tmp_path: Path) -> None:
    page = visit(run="flow", view="generate")
    view = shown(page)
    view.get_by_role("textbox", name="Words").fill("a red circle")
    for name, value in {"How many": "3", "Seed": "7", "Steps": "2", "Guidance": "1.5"}.items():
        view.get_by_role("spinbutton", name=name).fill(value)
    asked = asked_of(page, "/generate", view.get_by_role("button", name="Generate").click)
    assert {name: asked[name] for name in ("n", "seed", "steps", "guidance")} == {
        "n": 3,
        "seed": 7,
        "steps": 2,
        "guidance": 1.5,
    }
    page.locator(".drawn img").nth(2).wait_for()
    assert page.locator(".drawn img").count() == 3
    with page.expect_download() as saved:
        view.get_by_role("link", name="Save: picture-2.png").click()
    saved.value.save_as(tmp_path / saved.value.suggested_filename)
    assert (tmp_path / "picture-2.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_without_effect_are_not_asked_for(visit: Opener) -> None:
    """A variational autoencoder generates in one step, from as many samples as are asked for."""
    view = shown(visit(run="both", view="generate"))
    view.get_by_role("textbox", name="Words").fill("a red circle")
    assert view.get_by_role("spinbutton").count() == 2
    view.get_by_role("spinbutton", name="Seed").fill("1")
    view.get_by_role("spinbutton", name="How many").fill("3")
    view.get_by_role("button", name="Generate").click()
    view.locator(".drawn img").first.wait_for()
    assert view.locator(".drawn img").count() == 3


def test_a_sound_that_is_shown_no_more_is_given_back(visit: Opener) -> None:
    """Its address would keep it in memory as long as the page is open."""
    page = visit(run="speech", view="transcribe")
    page.get_by_text("Choose a sound").wait_for()
    page.evaluate(
        """() => { window.gone = []; const revoke = URL.revokeObjectURL;
        URL.revokeObjectURL = (url) => { window.gone.push(url); revoke(url); }; }"""
    )
    hand_over(page, "drop", "said.wav", sound_file(tone(0.5)), "audio/wav")
    shown_at = page.locator(".given audio").get_attribute("src")
    page.get_by_role("button", name="Remove: said.wav").click()
    assert page.evaluate("window.gone") == [shown_at]
