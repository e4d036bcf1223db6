"""Who may ask, what is said when something goes wrong, and that everyone can use the page."""

import re
from typing import Any

import pytest
from browsed import TOKEN, Opener, Runs, hand_over, shown
from page_runs import ITEMS, SOUNDS

VIEWS = {
    "pictures": ("search",),
    "sounds": ("search",),
    "clips": ("search",),
    "questions": ("ask", "predict"),
    "dialog": ("ask",),
    "both": ("caption",),
    "speech": ("transcribe",),
    "flow": ("generate",),
}
EVERYWHERE = [(run, view) for run, views in VIEWS.items() for view in views]
UNNAMED = """() => [...document.querySelectorAll("button, input, select, textarea, a, summary, audio, video, canvas, img, [role=group]")]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.ariaLabel || one.labels?.[0]?.innerText.trim() || one.alt !== undefined && one.hasAttribute("alt")
        || one.innerText?.trim() || document.getElementById(one.getAttribute("aria-labelledby"))))
    .map((one) => one.outerHTML.slice(0, 120))"""
ENGLISH = """() => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        if (node.said) found.push(node.data);
        for (const name of Object.keys(node.saidAttributes ?? {})) found.push(node.getAttribute(name));
    }
    return found;
}"""


def give(page: Any, page_runs: Runs) -> None:
    """What a caption of the run `both` needs."""
    shown(page).locator("input[type=file]").set_input_files(page_runs("captions") / "p02.png")
    shown(page).get_by_role("textbox", name="Words").fill("a red circle")


def test_a_token_is_asked_for_and_remembered(visit: Opener) -> None:
    page = visit(login=False)
    page.refuses = True
    login = page.get_by_role("dialog", name="Log in")
    login.wait_for()
    field = login.get_by_label("Token")
    assert field.evaluate("one => one === document.activeElement")
    assert field.get_attribute("type") == "password"
    field.fill("a wrong one")
    page.keyboard.press("Enter")
    login.get_by_role("alert").wait_for()
    field.fill(TOKEN)
    page.keyboard.press("Enter")
    page.locator("main > section").first.wait_for()
    page.locator("dialog").wait_for(state="detached")
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    page.reload()
    page.locator("main > section").first.wait_for()


def test_the_server_refuses_in_the_language_of_the_page(visit: Opener) -> None:
    page = visit(login=False, options={"locale": "zh-CN"})
    page.refuses = True
    page.locator("input[name=token]").fill("a wrong one")
    page.keyboard.press("Enter")
    refused = page.get_by_role("dialog").get_by_role("alert")
    refused.wait_for()
    assert refused.inner_text() == "令牌不是此服务器的"


def test_without_a_token_nothing_is_asked(visit: Opener) -> None:
    page = visit(login=False)
    page.refuses = True
    page.get_by_role("dialog", name="Log in").get_by_role("button", name="Cancel").click()
    assert (
        page.get_by_role("alert").inner_text() == "The request was not sent: you are not logged in."
    )
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("dialog", name="Log in").wait_for()


def test_what_the_server_refuses_is_said_where_it_was_asked(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    page.refuses = True
    shown(page).get_by_text("Choose a picture").wait_for()
    give(page, page_runs)
    hand_over(page, "drop", "broken.png", b"no picture", "image/png")
    shown(page).get_by_role("button", name="Caption").click()
    said = shown(page).get_by_role("alert")
    said.wait_for()
    assert "picture" in said.inner_text()
    assert "\n" not in said.inner_text()


def test_a_run_that_could_be_searched_says_what_it_lacks(visit: Opener) -> None:
    page = visit()

    def without_index(route: Any) -> None:
        runs = [one for one in route.fetch().json() if one["name"] == "pictures"]
        lacks = {"index": None, "can": ["embed", "explain"]}
        route.fulfill(json=[{**one, **lacks} for one in runs])

    page.route("**/runs", without_index)
    page.reload()
    said = page.get_by_text("This run has no index, so nothing can be searched.")
    said.wait_for()
    assert "weft index build RUN" in said.inner_text()


def test_a_run_that_is_not_there_is_said(visit: Opener) -> None:
    page = visit(run="nope")
    page.get_by_text("There is no run “nope” here.").wait_for()
    page.goto(f"{page.url.split('#')[0]}#run=pictures&view=search")
    page.get_by_text("There is no run “nope” here.").wait_for(state="detached")


def test_another_run_is_chosen(visit: Opener) -> None:
    page = visit(run="pictures")
    page.get_by_text(f"{ITEMS} items can be searched.").wait_for()
    page.get_by_label("Run").select_option("sounds")
    page.get_by_text(f"{SOUNDS} items can be searched.").wait_for()
    assert "run=sounds" in page.url
    page.go_back()
    page.get_by_text(f"{ITEMS} items can be searched.").wait_for()
    assert page.get_by_label("Run").input_value() == "pictures"


def test_why_is_not_shown_over_another_view(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    waits: list[Any] = []
    page.route("**/explain", lambda route: waits.append(route))  # noqa: PLW0108 - of builtins it forgets which
    give(page, page_runs)
    shown(page).get_by_role("button", name="Caption").click()
    with page.expect_request("**/explain"):
        shown(page).get_by_role("button", name="Why?").click()
    page.goto(f"{page.url.split('#')[0]}#run=pictures&view=search")
    page.get_by_role("searchbox").wait_for()
    with page.expect_response("**/explain"):
        waits[0].continue_()
    page.get_by_role("searchbox").click()
    assert page.get_by_role("dialog").count() == 0


def test_a_file_that_nothing_reads_is_named(visit: Opener) -> None:
    page = visit(run="both", view="caption")
    shown(page).get_by_text("Choose a picture").wait_for()
    hand_over(page, "drop", "song.mp3", b"ID3", "audio/mpeg")
    assert page.get_by_role("alert").inner_text() == "No input field can read this file: song.mp3"


def test_a_busy_server_is_asked_again(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    page.refuses = True
    asked = []

    def busy_once(route: Any) -> None:
        asked.append(route)
        if len(asked) > 1:
            return route.continue_()
        return route.fulfill(status=429, headers={"Retry-After": "3"}, json={"error": "busy"})

    page.route("**/caption", busy_once)
    give(page, page_runs)
    shown(page).get_by_role("button", name="Caption").click()
    page.get_by_text(re.compile(r"The server is busy; asking again in \d s")).wait_for()
    page.locator(".result .said").wait_for()
    assert len(asked) == 2


def test_what_takes_long_is_cancelled(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    page.route("**/caption", lambda route: None)  # never answered
    give(page, page_runs)
    shown(page).get_by_role("button", name="Caption").click()
    page.get_by_text("Working").wait_for()
    with page.expect_event("requestfailed"):
        page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled.").wait_for()


def test_a_server_that_is_gone_is_said(visit: Opener, page_runs: Runs) -> None:
    page = visit(run="both", view="caption")
    page.refuses = True
    page.route("**/caption", lambda route: route.abort("connectionrefused"))
    give(page, page_runs)
    shown(page).get_by_role("button", name="Caption").click()
    assert page.get_by_role("alert").inner_text() == "The server cannot be reached."


@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_every_view_is_named_fits_a_telephone_and_speaks_its_language(
    visit: Opener, language: str
) -> None:
    page = visit(width=400, options={"locale": language})
    for run, view in EVERYWHERE:
        page.goto(f"{page.url.split('#')[0]}#run={run}&view={view}")
        link = page.locator("#top nav a[aria-current]")
        page.wait_for_function(
            "([run, view]) => page.run?.name === run && page.shown?.name === view", arg=[run, view]
        )
        assert link.get_attribute("href").startswith(f"#view={view}&")
        assert shown(page).count() == 1
        assert page.evaluate(UNNAMED) == [], (run, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400, (run, view)
        said = page.evaluate(ENGLISH)
        assert len(said) > 10
        if language == "zh-CN":
            assert all(re.search("[一-鿿]", one) for one in said), said
    assert page.locator("html").get_attribute("lang") == (
        "en" if language == "en-GB" else "zh-Hans"
    )


def test_language_and_colours_are_switched_and_remembered(visit: Opener) -> None:
    page = visit(run="flow", options={"color_scheme": "light"})
    ground = "getComputedStyle(document.body).backgroundColor"
    page.get_by_role("button", name="Generate").wait_for()
    light = page.evaluate(ground)
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="生成").wait_for()
    page.get_by_role("button", name="颜色：跟随系统").click()
    page.get_by_role("button", name="颜色：浅色").click()
    assert page.get_by_role("button", name="颜色：深色").is_visible()
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    page.get_by_role("button", name="生成").wait_for()
    assert page.evaluate(ground) == dark
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Generate").wait_for()


def test_the_colours_follow_the_system(visit: Opener) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page = visit(run="flow", options={"color_scheme": scheme})
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


def test_the_page_is_walked_with_the_keyboard_alone(visit: Opener) -> None:
    page = visit(run="flow", view="generate")
    shown(page).wait_for()
    names = []
    for _ in range(20):
        page.keyboard.press("Tab")
        name, ring = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
            return [one === document.body ? "" : (one.ariaLabel || one.labels?.[0]?.innerText || one.innerText).trim(),
                style.outlineStyle !== "none" || getComputedStyle(one.closest(".bar") ?? one).boxShadow !== "none"]; }"""
        )
        if not name:
            break
        assert ring, f"the focus on {name} is not seen"
        names.append(name)
    order = [
        *("Skip to the content", "Run", "中文", "Colours: as the system", "Generate", "Words"),
        *("How many", "Seed", "Guidance", "Steps", "Generate"),
    ]
    assert names == order


def test_the_skip_link_leads_to_the_content(visit: Opener) -> None:
    page = visit(run="flow")
    shown(page).wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
