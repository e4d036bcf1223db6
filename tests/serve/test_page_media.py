"""The page searches sounds and clips: what was found is seen or heard, and a clip or a sound is searched with."""

from typing import Any

from browsed import Opener, Runs, hand_over, ids, scores, search
from page_runs import CLIPS, hertz


def test_a_clip_finds_itself(visit: Opener, page_runs: Runs) -> None:
    file = page_runs("films") / "5.webm"
    for way in ("drop", "paste"):
        page = visit(run="clips")
        page.get_by_text(f"{CLIPS} items can be searched.").wait_for()
        hand_over(page, way, file.name, file.read_bytes(), "video/webm")
        page.locator(".hit").first.wait_for()
        assert len(ids(page)) == CLIPS
        assert ids(page)[0] == "film 5"
        assert scores(page)[0] > 0.999
        page.wait_for_function("() => document.querySelector('.chip video').videoWidth === 64")


def test_words_find_clips_that_are_shown_by_a_frame(visit: Opener) -> None:
    page = visit(run="clips")
    search(page, "film number 3")
    assert len(ids(page)) == CLIPS
    drawn = "[...document.querySelectorAll('.hit img')].filter((one) => one.naturalWidth === 64)"
    page.wait_for_function(f"() => {drawn}.length === {CLIPS}")
    # A frame is not what the model compared, so it is not explained.
    assert not page.get_by_role("button", name="Why was this found?").count()


def test_words_find_sounds_that_can_be_heard(visit: Opener) -> None:
    page = found_sounds(visit)
    heard = "[...document.querySelectorAll('.hit audio')].filter((one) => one.duration > 0.2)"
    page.wait_for_function(f"() => {heard}.length === {len(ids(page))}")


def test_why_a_sound_was_found(visit: Opener) -> None:
    page = found_sounds(visit)
    page.locator(".hit").first.get_by_role("button", name="Why was this found?").click()
    why = page.get_by_role("dialog", name="What the answer depends on")
    why.wait_for()
    assert why.locator("canvas").count() == 1
    assert why.locator(".recording img").evaluate("one => one.naturalWidth") > 100
    assert why.locator(".weighed").inner_text() == "a tone of 200 hz"


def found_sounds(visit: Opener) -> Any:
    page = visit(run="sounds")
    search(page, f"a tone of {hertz(0)} Hz")
    return page
