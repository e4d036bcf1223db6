"""Sounds from the microphone, which is one of Chromium's own that plays a file: recorded, heard, taken and sent."""

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
from browsed import TOKEN, Opener, asked_of, chromium, shown
from made_media import sound_file

HERTZ, SECONDS = 1000.0, 1.0
ALLOWED = {"permissions": ["microphone"]}
ELSEWHERE = "weft.test"
"""A name of this machine whose pages a browser does not trust as it trusts localhost."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """With a microphone that plays a tone of HERTZ over and over."""
    file = tmp_path_factory.mktemp("microphone") / "tone.wav"
    times = np.arange(48_000 * SECONDS) / 48_000
    file.write_bytes(sound_file(0.5 * np.sin(2 * np.pi * HERTZ * times), 48_000))
    with with_microphone(file) as launched:
        yield launched


def with_microphone(file: Path) -> Any:
    """Chromium whose microphone plays the file."""
    return chromium(
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={file}",
        f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    )


def recorded(page: Any, milliseconds: int = 1200) -> Any:
    """Opens the dialog with the button in front, records, and gives the dialog."""
    dialog = page.get_by_role("dialog", name="Record a sound")
    dialog.wait_for()
    dialog.get_by_role("button", name="Start recording").click()
    dialog.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(milliseconds)
    dialog.get_by_role("button", name="Stop").click()
    dialog.locator("audio").wait_for()
    return dialog


def samples_of(value: dict[str, str]) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(base64.b64decode(value["base64"])))


def loudest(samples: np.ndarray, rate: int) -> float:
    """Hertz of the strongest part."""
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def test_a_recorded_sound_is_heard_taken_and_transcribed(visit: Opener) -> None:
    page = visit(run="speech", view="transcribe", options=ALLOWED)
    shown(page).get_by_role("button", name="Record with the microphone").click()
    dialog = recorded(page)
    page.wait_for_function("() => document.querySelector('dialog audio').duration > 0.9")
    assert not page.locator(".given audio").count()
    take = dialog.get_by_role("button", name="Use this recording")
    assert take.evaluate("one => one === document.activeElement")
    take.click()
    dialog.wait_for(state="detached")
    page.locator(".given audio").wait_for()
    assert shown(page).get_by_text("recording-1.wav").is_visible()
    asked = asked_of(
        page, "/transcribe", shown(page).get_by_role("button", name="Transcribe").click
    )
    page.locator(".result .said").wait_for()
    samples, rate = samples_of(asked["values"]["audio"])
    assert samples.ndim == 1
    assert rate == 48_000
    assert 0.9 < len(samples) / rate < 2.5
    assert loudest(samples, rate) == pytest.approx(HERTZ, rel=0.01)


def test_a_search_with_what_is_heard(visit: Opener) -> None:
    page = visit(run="sounds", options=ALLOWED)
    page.get_by_role("button", name="Search with the microphone").click()
    dialog = recorded(page)
    dialog.get_by_role("button", name="Record again").click()
    dialog.get_by_role("button", name="Stop").wait_for()
    assert not dialog.locator("audio").count()
    page.wait_for_timeout(700)
    dialog.get_by_role("button", name="Stop").click()
    take = dialog.get_by_role("button", name="Use this recording")
    take.wait_for()
    asked = asked_of(page, "/search", take.click)
    (query,) = asked["query"]
    assert query["stream"] == "audio"
    assert loudest(*samples_of(query["value"])) == pytest.approx(HERTZ, rel=0.01)
    page.locator(".hit").first.wait_for()
    assert page.locator(".chip .name").inner_text() == "recording-1.wav"


def test_time_and_level_are_shown_and_the_microphone_is_given_back(visit: Opener) -> None:
    page = visit(run="speech", view="transcribe", options=ALLOWED)
    page.evaluate(
        """() => {
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async (wanted) => (window.heard = await ask(wanted));
        }"""
    )
    live = "heard.getTracks().some((track) => track.readyState === 'live')"
    record = shown(page).get_by_role("button", name="Record with the microphone")
    dialog = page.get_by_role("dialog", name="Record a sound")
    for how in ("Cancel", "Escape"):
        record.click()
        dialog.get_by_role("button", name="Start recording").click()
        page.wait_for_function("() => document.querySelector('dialog meter')?.value > 0.7")
        page.get_by_text(re.compile(r"^\d+\.\d s of at most 180 s$")).wait_for()
        assert page.evaluate(live)
        if how == "Cancel":
            dialog.get_by_role("button", name="Cancel").click()
        else:
            page.keyboard.press("Escape")
        dialog.wait_for(state="detached")
        page.wait_for_function(f"() => !{live}")  # the dialog may close a moment before
    assert not page.locator(".given audio").count()
    assert record.evaluate("one => one === document.activeElement")


def test_a_recording_by_the_keyboard_alone(visit: Opener) -> None:
    page = visit(run="speech", view="transcribe", options=ALLOWED)
    shown(page).get_by_role("button", name="Record with the microphone").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Record a sound")
    dialog.wait_for()
    page.keyboard.press("Space")  # starts
    dialog.get_by_role("button", name="Stop").wait_for()
    page.wait_for_timeout(500)
    page.keyboard.press("Space")  # stops
    dialog.locator("audio").wait_for()
    page.keyboard.press("Enter")  # takes
    dialog.wait_for(state="detached")
    page.locator(".given audio").wait_for()
    remove = page.get_by_role("button", name="Remove: recording-1.wav")
    assert remove.evaluate("one => one === document.activeElement")


@pytest.mark.parametrize(
    ("locale", "record", "start", "said"),
    [
        (
            "en-GB",
            "Record with the microphone",
            "Start recording",
            "The microphone is not allowed.",
        ),
        ("zh-CN", "用麦克风录音", "开始录音", "麦克风未获允许。"),
    ],
)
def test_a_microphone_that_is_not_allowed_is_said(
    visit: Opener, locale: str, record: str, start: str, said: str
) -> None:
    page = visit(width=400, run="speech", view="transcribe", options={"locale": locale})
    shown(page).get_by_role("button", name=record).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=start).click()
    alert = dialog.get_by_role("alert")
    alert.wait_for()
    assert alert.inner_text().startswith(said)
    assert dialog.get_by_role("button", name=start).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NotFoundError", "There is no microphone. Connect one, then start again."),
        ("NotReadableError", "The microphone cannot be read. Another program may be using it."),
        ("AbortError", "The microphone cannot be used: of the test"),
    ],
)
def test_a_microphone_that_is_not_there_is_said(visit: Opener, name: str, said: str) -> None:
    page = visit(run="speech", view="transcribe", options=ALLOWED)
    page.evaluate(
        """name => {
            navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("of the test", name); };
        }""",
        name,
    )
    shown(page).get_by_role("button", name="Record with the microphone").click()
    page.get_by_role("button", name="Start recording").click()
    page.get_by_role("alert").wait_for()
    assert page.get_by_role("alert").inner_text() == said


def test_a_page_that_is_not_secure_says_so_at_once(browser: Any, site: str) -> None:
    context = browser.new_context(locale="en-GB")
    port = urlsplit(site).port
    assert context.request.post(f"{site}/login", data={"token": TOKEN}).ok
    (cookie,) = context.cookies()
    context.add_cookies([{**cookie, "domain": ELSEWHERE}])
    page = context.new_page()
    page.goto(f"http://{ELSEWHERE}:{port}/#run=speech&view=transcribe")
    shown(page).get_by_role("button", name="Record with the microphone").click()
    dialog = page.get_by_role("dialog")
    said = dialog.get_by_role("alert").inner_text()
    assert said.startswith("The browser gives the microphone only to pages that come by https")
    assert not dialog.get_by_role("button", name="Start recording").is_visible()
    dialog.get_by_role("button", name="Cancel").click()
    context.close()


def test_the_longest_recording_ends_by_itself_and_fits_into_a_request(visit: Opener) -> None:
    page = visit(run="speech", view="transcribe", options=ALLOWED)
    shown(page).get_by_role("button", name="Record with the microphone").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Start recording").click()
    dialog.get_by_role("button", name="Stop").wait_for()
    page.evaluate(
        """() => {
            const now = performance.now.bind(performance);
            performance.now = () => now() + 1000 * MOST_SECONDS;
        }"""
    )
    dialog.locator("audio").wait_for()
    longest = page.evaluate("wavFile(new Float32Array(MOST_SECONDS * SAMPLES_A_SECOND)).size")
    assert longest * 4 / 3 < 24 << 20
