"""The page searches a real index with a real run, in a real browser."""

import itertools
from typing import Any

from browsed import Opener, Runs, asked_of, hand_over, ids, scores, search, settled, summary
from made_media import sound_file, tone
from page_runs import COLOURS, HOSTILE, HOSTILE_FILE, ITEMS

GONE = """name => document.querySelector(".hit")
    && ![...document.querySelectorAll(".hit .id")].some((one) => one.innerText === name)"""
"""Whether there are hits, but not the one of that id."""


def chips(page: Any) -> Any:
    return page.get_by_role("list", name="Examples").get_by_role("listitem")


def give(page: Any, *files: Any) -> None:
    page.locator("input[type=file]").set_input_files(files)


def test_words_find_pictures_the_best_first(visit: Opener) -> None:
    page = visit(run="pictures")
    page.get_by_text(f"{ITEMS} items can be searched.").wait_for()
    search(page, "a picture of thing number 3")
    assert len(ids(page)) == 20
    assert scores(page) == sorted(scores(page), reverse=True)
    assert summary(page).startswith("20 found in ")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.hit img')].slice(0, 4).every((one) => one.naturalWidth > 0)"
    )
    hit = page.locator(".hit").first
    assert set(hit.locator("dt").all_inner_texts()) >= {"colour", "year", "ok"}
    page.get_by_label("Hits").select_option("10")
    settled(page)
    assert len(ids(page)) == 10


def test_more_hits_are_shown_below_the_last(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "a picture of thing number 3")
    first = ids(page)
    more = page.get_by_role("button", name="Show more")
    more.click()
    page.wait_for_function(f"() => document.querySelectorAll('.hit').length === {ITEMS}")
    assert ids(page)[:20] == first
    assert page.get_by_label("Hits").input_value() == "50"
    page.wait_for_function("() => document.activeElement.closest('.hit:nth-child(21)')")
    assert not more.is_visible()  # there are no others
    page.go_back()
    more.wait_for()
    assert ids(page) == first


def test_examples_of_any_length_fit_on_a_telephone(visit: Opener) -> None:
    page = visit(width=360, run="sounds")
    page.locator("#words").wait_for()
    for name in ("a recording with quite a long name.wav", "another.wav"):
        hand_over(page, "drop", name, sound_file(tone(0.3)), "audio/wav")
        page.locator(".chip").get_by_text(name).wait_for()
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert chips(page).first.bounding_box()["width"] <= 360


def test_the_address_holds_the_search(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing 3")
    first = ids(page)
    page.get_by_role("group", name="colour").get_by_label("red").check()
    settled(page)
    assert len(ids(page)) == 6
    search(page, "another")
    words = page.get_by_role("searchbox", name="Words")
    page.go_back()
    page.wait_for_function("() => document.querySelector('#words').value === 'thing 3'")
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 6")
    page.go_back()
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 20")
    assert ids(page) == first
    page.reload()
    page.locator(".hit").first.wait_for()
    assert ids(page) == first
    assert words.input_value() == "thing 3"
    page.go_forward()
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 6")
    assert page.get_by_role("group", name="colour").get_by_label("red").is_checked()


def test_a_picture_finds_itself_however_it_is_given(visit: Opener, page_runs: Runs) -> None:
    file = page_runs("captions") / "p05.png"
    for way in ("choose", "drop", "paste"):
        page = visit(run="pictures")
        page.locator("#words").wait_for()
        if way == "choose":
            give(page, file)
        else:
            hand_over(page, way, file.name, file.read_bytes(), "image/png")
        page.locator(".hit").first.wait_for()
        assert ids(page)[0] == "item 5"
        assert scores(page)[0] > 0.999
        assert chips(page).locator(".name").inner_text() == "p05.png"


def test_examples_and_counterexamples_are_searched_together(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="pictures")
    folder = page_runs("captions")
    words = page.get_by_role("searchbox", name="Words")
    words.fill("thing 3")
    page.get_by_role("button", name="Add the words as a counterexample").click()
    page.locator(".hit").first.wait_for()
    assert words.input_value() == ""
    both = [folder / "p02.png", folder / "p04.png"]
    # Each file is searched with as it comes.
    asked_of(page, "/search", lambda: give(page, *both), lambda asked: len(asked["query"]) == 3)
    settled(page)
    turn = page.get_by_role("button", name="Example: p04.png. Make it a counterexample")
    asked = asked_of(page, "/search", turn.click)
    assert [one["weight"] for one in asked["query"]] == [-1, 1, -1]
    assert [one["stream"] for one in asked["query"]] == ["text", "image", "image"]
    settled(page)
    name = ids(page)[7]
    add = page.locator(".hit").nth(7).get_by_role("button", name="Add as a counterexample")
    asked = asked_of(page, "/search", add.click)
    assert asked["like"] == [{"id": name, "weight": -1}]
    page.wait_for_function(GONE, arg=name)
    asked = asked_of(page, "/search", page.get_by_role("button", name="Remove: p02.png").click)
    assert len(asked["query"]) == 2
    assert chips(page).count() == 3


def test_more_like_this(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing 3")
    name = ids(page)[2]
    more = page.locator(".hit").nth(2).get_by_role("button", name="More like this")
    asked = asked_of(page, "/search", more.click)
    assert asked["query"] == []
    assert asked["like"] == [{"id": name, "weight": 1}]
    page.wait_for_function(GONE, arg=name)
    assert len(ids(page)) == 20
    page.go_back()
    page.wait_for_function("() => document.querySelector('#words').value === 'thing 3'")


def test_filters_by_metadata(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing")
    colour = page.get_by_role("group", name="colour")
    assert colour.locator("small").all_inner_texts() == ["6"] * len(COLOURS)
    colour.get_by_label("red").check()
    colour.get_by_label(HOSTILE).check()
    page.get_by_role("spinbutton", name="year: at most").fill("2005")
    page.keyboard.press("Tab")
    settled(page)
    assert len(ids(page)) == 6
    found = page.locator(".hit dd").all_inner_texts()
    assert {"red", HOSTILE} == {one for one in found if one in COLOURS}
    page.get_by_role("group", name="ok").get_by_label("yes").check()
    settled(page)
    assert len(ids(page)) == 3
    page.get_by_role("spinbutton", name="year: at least").fill("2040")
    page.keyboard.press("Tab")
    page.get_by_text("Nothing found: no item passes the filters.").wait_for()
    page.get_by_role("button", name="Clear the filters").click()
    settled(page)
    assert len(ids(page)) == 20


def test_a_range_of_dates(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing")
    first = page.get_by_label("day: at least")
    asked = asked_of(page, "/search", lambda: first.fill("2024-03-20"))
    assert asked["where"] == {"day": {"min": "2024-03-20"}}
    settled(page)
    page.get_by_label("day: at most").fill("2024-03-22")
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 3")
    page.reload()
    page.wait_for_function("() => document.querySelectorAll('.hit').length === 3")
    assert first.input_value() == "2024-03-20"


def test_a_column_says_that_it_lists_only_the_most_frequent_values(visit: Opener) -> None:
    def more(route: Any) -> None:
        answer = route.fetch()
        runs = answer.json()
        for column in runs[0]["index"]["columns"]:
            column["distinct"] += 1200 if column["name"] == "colour" else 0
        route.fulfill(response=answer, json=runs)

    page = visit(run="pictures")
    said = "The 4 most frequent of 1,204 values."
    assert not page.get_by_text("most frequent").count()
    page.route("**/runs", more)
    page.reload()
    search(page, "thing")
    assert page.get_by_role("group", name="colour").get_by_text(said).is_visible()


def test_why_a_picture_was_found(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "a picture of thing number 3")
    ask_why = page.locator(".hit").nth(1).get_by_role("button", name="Why was this found?")
    asked = asked_of(page, "/explain", ask_why.click)
    assert (asked["similarity"], set(asked["values"])) == (True, {"image", "text"})
    why = page.get_by_role("dialog", name="What the answer depends on")
    why.wait_for()
    assert why.locator("canvas").count() == 1
    assert len(why.locator(".weighed span").all()) >= 5
    why.get_by_role("button", name="Close").click()
    page.locator("dialog").wait_for(state="detached")


def test_a_hit_is_compared_with_the_words_or_the_only_file(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="pictures")
    page.locator("#words").wait_for()
    compared = "words => page.views[0].built.query.compared(words)?.stream ?? null"
    assert page.evaluate(compared, "") is None
    give(page, page_runs("captions") / "p05.png")
    page.locator(".hit").first.wait_for()
    assert page.evaluate(compared, "") == "image"
    assert page.evaluate(compared, "thing") == "text"
    # What was asked for is of the stream that the index holds: there are no two streams to compare.
    assert not page.get_by_role("button", name="Why was this found?").count()
    give(page, page_runs("captions") / "p06.png")
    chips(page).nth(1).wait_for()
    assert page.evaluate(compared, "") is None


def test_a_file_that_the_run_cannot_read_is_refused_by_name(visit: Opener) -> None:
    page = visit(run="pictures")
    page.locator("#words").wait_for()
    hand_over(page, "drop", "song.wav", sound_file(tone(0.2)), "audio/wav")
    said = page.get_by_role("alert").inner_text()
    assert said == "This run cannot search with this file: song.wav"


def test_what_would_be_a_script_is_text(visit: Opener, page_runs: Runs) -> None:
    """Of ids, metadata, sources and file names; that nothing ran is seen to after every test."""
    page = visit(run="pictures")
    name = HOSTILE_FILE
    page.locator("#words").wait_for()  # before the page is built nobody hears what is dropped
    hand_over(page, "drop", name, (page_runs("captions") / name).read_bytes(), "image/png")
    page.locator(".hit").first.wait_for()
    assert ids(page)[0] == "item 0"
    assert HOSTILE in page.locator(".hit dd").all_inner_texts()
    page.get_by_label("Hits").select_option("50")
    settled(page)
    assert len(ids(page)) == 24
    assert HOSTILE in ids(page)
    for more in page.locator(".hit summary").all():
        more.click()
    assert any(name in one for one in page.locator(".hit dd").all_inner_texts())
    page.get_by_role("button", name=f"More like this: {HOSTILE}").click()
    page.locator(".chip .name").get_by_text(HOSTILE).wait_for()
    assert (
        page.locator("img[onerror], script:not([id]):not(:empty)").count()
        == page.locator("body > script:not([id])").count()
    )


def test_the_search_is_walked_with_the_keyboard(visit: Opener) -> None:
    page = visit(run="pictures")
    words = page.get_by_role("searchbox", name="Words")
    words.focus()
    page.keyboard.type("thing 3")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # adds the words as an example
    page.locator(".hit").first.wait_for()
    for _ in itertools.takewhile(lambda _: not on(page, "Remove: thing 3"), range(9)):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.locator(".hit").first.wait_for(state="detached")
    assert words.evaluate("one => one === document.activeElement")
    assert page.get_by_text(f"{ITEMS} items can be searched.").is_visible()


def on(page: Any, name: str) -> bool:
    return bool(page.evaluate("name => document.activeElement.ariaLabel === name", name))


def test_an_answer_to_what_is_asked_no_more_is_not_shown(visit: Opener) -> None:
    page = visit(run="pictures")
    words = page.get_by_role("searchbox", name="Words")
    page.route("**/search", lambda route: None)  # never answered
    words.fill("thing 3")
    with page.expect_request("**/search"):
        page.keyboard.press("Enter")
    words.fill("")
    with page.expect_event("requestfailed"):
        page.keyboard.press("Enter")
    settled(page)
    assert page.get_by_text(f"{ITEMS} items can be searched.").is_visible()
    assert not page.locator(".search > .below .place").inner_text()


def test_a_search_that_fails_leaves_no_hits_of_the_one_before(visit: Opener) -> None:
    page = visit(run="pictures")
    search(page, "thing 3")
    page.refuses = True
    refusal = {"status": 400, "content_type": "application/json", "body": '{"error": "no."}'}
    page.route("**/search", lambda route: route.fulfill(**refusal))
    page.get_by_role("searchbox", name="Words").fill("thing 4")
    page.keyboard.press("Enter")
    assert shown_alert(page) == "no."
    assert not ids(page)
    assert not page.locator(".results .tools p").first.inner_text()
    page.unroute("**/search")
    page.keyboard.press("Enter")
    page.locator(".hit").first.wait_for()
    assert len(ids(page)) == 20


def shown_alert(page: Any) -> str:
    said = page.locator(".search > .below .place").get_by_role("alert")
    said.wait_for()
    return str(said.inner_text())


def test_an_address_that_says_nothing_sensible(visit: Opener) -> None:
    page = visit(
        run="pictures", k="7", where="[1]", cutoff="x", examples='[null, 3, {"kind": "x"}]'
    )
    page.get_by_text(f"{ITEMS} items can be searched.").wait_for()
    assert page.get_by_label("Hits").input_value() == "20"
    assert not chips(page).count()
