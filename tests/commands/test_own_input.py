"""Options of input: which stream takes them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast, get_args

import pytest

from weft.commands._own_input import KINDS, OwnInput, OwnInputs, options
from weft.core.errors import WeftError
from weft.core.media import Kind
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.runs.run import Run

SOUND = SimpleNamespace(media="audio")
NUMBERS = SimpleNamespace()


def run(optional: tuple[str, ...] = (), **modalities: Any) -> Run:
    """As much of a run as the options look at."""
    found = SimpleNamespace(folder=Path("run"), modalities=modalities, optional=optional)
    return cast(Run, found)


def pair(**others: Any) -> Run:
    image = ImageConfig(size=8).build()
    return run(left=image, right=image, text=TextConfig().build(), **others)


def test_every_kind_of_medium_has_an_option() -> None:
    assert set(KINDS) == {*get_args(Kind), "text"} - {"file"}
    for kind in KINDS:
        assert OwnInput(**{kind: Path("a")}).given
        assert OwnInputs(**{kind: (Path("a"),)}).given
    assert not OwnInput().given


def test_the_first_stream_of_a_kind_has_its_option() -> None:
    made = pair(sound=SOUND, numbers=NUMBERS)
    assert options(made, list(made.modalities)) == {
        "left": "--image",
        "right": "--input right=VALUE",
        "text": "--text",
        "sound": "--audio",
        "numbers": "--input numbers=VALUE",
    }


def test_a_stream_of_any_name_has_the_option_of_its_kind() -> None:
    made = run(image=ImageConfig(size=8).build(), text_zh=TextConfig().build())
    assert OwnInput(text="一只狗").chosen(made, ["image", "text_zh"]) == {"text_zh": "一只狗"}


def test_an_option_goes_to_the_first_stream_that_is_not_named() -> None:
    made = pair()
    streams = list(made.modalities)
    words = OwnInput(image=Path("a.png"), text="true?", input=("left=b.png",))
    found = words.values(made, streams)
    assert found == {"left": "b.png", "right": Path("a.png"), "text": "true?"}


def test_a_second_picture_is_asked_for() -> None:
    made = pair()
    with pytest.raises(WeftError, match=r"needs --input right=VALUE, for its stream 'right'$"):
        OwnInput(image=Path("a.png"), text="true?").values(made, list(made.modalities))


def test_a_sound_is_no_picture() -> None:
    made = run(sound=SOUND)
    with pytest.raises(WeftError, match=r"run: this run takes no --image, it takes --audio$"):
        OwnInput(image=Path("a.png")).values(made, ["sound"])
    with pytest.raises(
        WeftError, match=r"needs --audio, for its stream 'sound' \(or --input sound="
    ):
        OwnInput().values(made, ["sound"])
    assert OwnInput(audio=Path("a.wav")).values(made, ["sound"]) == {"sound": Path("a.wav")}


def test_what_is_not_read_is_refused() -> None:
    made = pair()
    with pytest.raises(WeftError, match=r"stream or column of --input 'text': did you mean left"):
        OwnInput(input=("text=x",)).values(made, ["left"])


def test_optional_streams_may_be_left_out() -> None:
    made = run(("image", "numbers"), image=ImageConfig(size=8).build(), numbers=NUMBERS)
    streams = ["image", "numbers"]
    assert OwnInput(input=("numbers=1 2",)).values(made, streams) == {"numbers": "1 2"}
    with pytest.raises(WeftError, match=r"run: this run needs --image or --input numbers=VALUE$"):
        OwnInput().values(made, streams)


def test_streams_without_a_value_are_listed() -> None:
    made = run(
        ("image", "question"), image=ImageConfig(size=8).build(), question=TextConfig().build()
    )
    streams = ["image", "question"]
    given = OwnInput(text="what?")
    assert given.without(made, streams, {"question": "what?"}) == (
        "run: predicted without image (--image)"
    )
    assert given.without(made, streams, {"question": "what?", "image": "a.png"}) is None


def test_several_values_where_they_are_taken() -> None:
    made = run(image=ImageConfig(size=8).build())
    several = OwnInputs(image=(Path("a.png"), Path("b.png")))
    assert several.values(made, ["image"]) == {"image": [Path("a.png"), Path("b.png")]}
    with pytest.raises(WeftError, match="gives stream 'image' 2 values, expected 1"):
        OwnInput(input=("image=a.png", "image=b.png")).values(made, ["image"])


def test_a_misspelt_stream_has_a_hint() -> None:
    with pytest.raises(WeftError, match=r"'histroy': did you mean history\?"):
        OwnInput(input=("histroy=a",)).chosen(run(history=TextConfig().build()), ["history"])
