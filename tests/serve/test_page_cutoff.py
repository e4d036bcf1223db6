"""The cut-off on the page: what it hides is counted, and can be shown."""

import pytest
from browsed import Opener, ids, scores, search, settled, summary
from page_runs import ITEMS, SOUNDS, hertz


def test_the_cut_off_hides_and_says_how_many(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing 3")
    best, middle = scores(page)[0], scores(page)[9]
    slider = page.get_by_role("slider", name="Cut-off")
    slider.fill(str(middle + 0.004))
    over = len(ids(page))
    assert 0 < over < 20
    assert f"{20 - over} below the cut-off" in summary(page)
    slider.fill(slider.get_attribute("max"))
    said = page.locator(".notice").inner_text()
    assert said.startswith(f"Nothing found. The best of {ITEMS} items scores {best:.3f}")
    assert not ids(page)
    page.reload()  # the address holds the cut-off
    page.get_by_role("button", name="Show the best anyway").click()
    assert len(ids(page)) == 20
    page.get_by_role("group", name="colour").get_by_label("red").check()
    page.wait_for_function(f"() => document.querySelectorAll('.hit').length <= {ITEMS // 4}")
    settled(page)
    slider.fill(slider.get_attribute("max"))
    said = page.locator(".notice").inner_text()
    assert said.startswith("Nothing found. The best item that passes the filters scores ")


def test_a_calibrated_cut_off_hides_what_nonsense_finds(visit: Opener) -> None:
    """By `weft index build`: it is another one for each query."""
    page = visit(run="sounds")
    slider, shown_value = page.get_by_role("slider", name="Cut-off"), page.locator(".cutoff output")
    words = page.get_by_role("searchbox", name="Words")
    words.fill("xkqv wtr")
    with page.expect_response("**/search") as answered:
        page.keyboard.press("Enter")
    answer = answered.value.json()
    calibrated, best = answer["calibrated"], answer["hits"][0]["score"]
    assert best < calibrated
    sentence = page.locator(".notice p").inner_text()
    assert sentence == (
        f"Nothing found. The best of {SOUNDS} items scores {best:.3f}, below the cut-off of {calibrated:.3f}."
    )
    assert summary(page).endswith("; 20 below the cut-off")
    assert not ids(page)
    assert shown_value.inner_text() == f"{calibrated:.3f}"
    assert float(slider.input_value()) == pytest.approx(calibrated, abs=0.0026)  # half a step
    back = page.get_by_role("button", name=f"Calibrated: {calibrated:.3f}")
    assert not back.is_visible()
    page.get_by_role("button", name="Show the best anyway").click()
    assert len(ids(page)) == 20
    assert float(shown_value.inner_text()) < scores(page)[-1]
    page.reload()  # the address holds that they are to be shown
    page.locator(".hit").first.wait_for()
    assert len(ids(page)) == 20
    back.click()
    page.locator(".notice").wait_for()
    assert not ids(page)


def test_the_calibrated_cut_off_lets_known_words_pass(visit: Opener) -> None:
    page = visit(run="sounds")
    cutoff = page.locator(".cutoff output")
    search(page, f"a tone of {hertz(0)} Hz")
    known = float(cutoff.inner_text())
    assert scores(page)[0] > known
    page.get_by_role("searchbox", name="Words").fill("xkqv wtr")
    page.keyboard.press("Enter")
    page.locator(".notice").wait_for()
    assert float(cutoff.inner_text()) > known
    # Several examples together have none.
    page.get_by_role("button", name="Add the words as a counterexample").click()
    page.locator(".hit").first.wait_for()
    search(page, "a tone")
    assert cutoff.inner_text() == "none"
    assert len(ids(page)) == 20
