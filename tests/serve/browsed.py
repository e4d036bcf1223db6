"""The page in Debian's Chromium, against `weft serve` with small trained runs."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from asking import Process
from page_runs import make_runs

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"),
    *("--disable-component-update", "--no-first-run"),
)
TOKEN = "theTokenOfTheseTests24"
NAMES = ("pictures", "sounds", "clips", "questions", "dialog", "both", "speech", "flow")
REFUSED = re.compile(
    r"Failed to load resource: (the server responded with a status of 4\d\d|net::)"
)
Opener = Callable[..., Any]
Runs = Callable[[str], Path]


@pytest.fixture(scope="session")
def page_runs(made_once: Callable[[str, Callable[[Path], object]], Path], runs: Path) -> Runs:
    """`page_runs("pictures")` is that run, or folder of rows; not to be changed."""
    own = made_once("page-runs", make_runs)
    return lambda name: own / name if (own / name).exists() else runs / name


@pytest.fixture(scope="session")
def site(page_runs: Runs) -> Iterator[str]:
    """The address of a server that serves NAMES and asks for TOKEN."""
    runs = map(page_runs, NAMES)
    with Process(*runs, "--backend", "fp32", environment={"WEFT_TOKEN": TOKEN}) as process:
        yield f"http://127.0.0.1:{process.port}"


@contextmanager
def chromium(*options: str) -> Iterator[Any]:
    """The browser, with more options; skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no browser at {CHROMIUM}")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=[*OPTIONS, *options])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Of a module, not of the session: while it is open, its event loop keeps others of the thread from running."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def logged_in(browser: Any, site: str) -> Any:
    """The cookie of a login."""
    context = browser.new_context()
    answer = context.request.post(f"{site}/login", data={"token": TOKEN})
    assert answer.ok, answer.text()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def visit(browser: Any, site: str, logged_in: Any) -> Iterator[Opener]:
    """`visit(run="pictures", view="search")` is the page there.

    Afterwards: no request went elsewhere, no script of the data ran, and the console is empty but for refusals where
    the test sets `page.refuses`.
    """
    contexts, heard = [], []

    def opened(width: int = 1280, login: bool = True, options: Any = None, **address: str) -> Any:
        state = logged_in if login else None
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            **{"storage_state": state, "locale": "en-GB", **(options or {})},
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.refuses = False
        page.on("console", lambda message: heard.append((page, message.text)))
        page.on("pageerror", lambda error: heard.append((page, f"error: {error}")))
        page.on("request", lambda request: check_own(request.url, site))
        page.goto(f"{site}/#{urlencode(address)}")
        return page

    yield opened
    for context in contexts:
        for page in context.pages:
            assert page.evaluate("window.hacked") is None
        context.close()
    assert [text for page, text in heard if not (page.refuses and REFUSED.match(text))] == []


def check_own(address: str, site: str) -> None:
    """Blobs and data are made by the page itself."""
    parts = urlsplit(address)
    own = parts.scheme in ("data", "blob") or f"{parts.scheme}://{parts.netloc}" == site
    assert own, f"asked elsewhere: {address}"


def shown(page: Any) -> Any:
    """The view that is shown."""
    return page.locator("main > section:not([hidden])")


def settled(page: Any) -> None:
    """Waits until nothing goes on any more: whatever is pressed is marked as busy before the key or the mouse is back."""
    page.wait_for_function("() => !document.querySelector('[aria-busy]')")


def asked_of(
    page: Any, path: str, act: Callable[[], object], which: Callable[[Any], bool] = lambda _: True
) -> Any:
    """The JSON of the next request to that path of which `which` is true, and which `act` causes; it has been answered."""

    def is_meant(answer: Any) -> bool:
        return urlsplit(answer.url).path == path and which(answer.request.post_data_json)

    with page.expect_response(is_meant) as caught:
        act()
    caught.value.finished()
    return caught.value.request.post_data_json


def hand_over(page: Any, event: str, name: str, data: bytes, media_type: str) -> None:
    """Drops a file on the page, or pastes it."""
    page.evaluate(
        """([event, name, bytes, type]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], name, { type }));
            const options = { bubbles: true, cancelable: true };
            const made = event === "drop"
                ? new DragEvent("drop", { ...options, dataTransfer: files })
                : new ClipboardEvent("paste", { ...options, clipboardData: files });
            document.body.dispatchEvent(made);
        }""",
        [event, name, list(data), media_type],
    )


def search(page: Any, words: str) -> None:
    """Waits for hits."""
    page.get_by_role("searchbox", name="Words").fill(words)
    page.keyboard.press("Enter")
    settled(page)
    page.locator(".hit").first.wait_for()


def ids(page: Any) -> list[str]:
    """Of the hits."""
    return page.locator(".hit .id").all_inner_texts()


def scores(page: Any) -> list[float]:
    return [float(one) for one in page.locator(".hit .score").all_inner_texts()]


def summary(page: Any) -> str:
    return str(page.locator(".summary").inner_text())
