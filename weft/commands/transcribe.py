"""Transcribe the speech in sounds or videos, with a run that was trained for it.

weft transcribe RUN FILE [FILE ...]
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.naming import plain
from weft.core.ranges import LEAST_WINDOW, WINDOW

if TYPE_CHECKING:
    from weft.core.kinds import Kind
    from weft.core.tables import TextTable
    from weft.runs.run import Run
    from weft.runs.transcribing import Word

MOST_MINUTES = 600
"""Largest --silence in minutes. The silence and the noise are held in memory."""


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run and the recordings."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional] = ()
    """Sound files, or videos with a sound track. For a folder, all such files in it are transcribed."""
    head: str | None = None
    """Name of the head that writes transcripts. Default: the first such head."""
    words: bool = False
    """If true, show the time of each word. If the model has a gate over its streams, also show the weight of each
    stream."""
    window: float = WINDOW
    """Maximum length in seconds of what is transcribed at once. A longer recording is read in parts that end at pauses;
    inf reads it as a whole. A model of short recordings needs a short window."""
    silence: float = 0.0
    """Minutes of digital silence, and of white noise, to transcribe as a check: neither contains speech."""


def main(words: list[str]) -> None:
    """Prints one line for each file: its name, a tab and the transcript; with --words, a table of its words below.

    For folders and for noise it also prints the number of words per minute. Of several files, those that cannot be
    read are named and left out.
    """
    arguments = parse(Arguments, words, "weft transcribe")
    if not arguments.files and not arguments.silence:
        raise WeftError("weft transcribe needs one file or more")
    if not 0 <= arguments.silence <= MOST_MINUTES:
        raise WeftError(
            f"--silence is {arguments.silence:g}, expected 0 to {MOST_MINUTES:,} minutes"
        )
    if not arguments.window >= LEAST_WINDOW:  # also NaN
        raise WeftError(
            f"--window is {arguments.window:g}, expected at least {LEAST_WINDOW:g} s; inf reads a recording as a whole"
        )
    from weft.heads.transcripts import TranscriptOutput
    from weft.runs.run import load
    from weft.runs.transcribing import recording_streams, transcribe

    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, TranscriptOutput)
    kinds = recording_streams(run, head)
    files = _found(arguments.files, set(kinds.values()))
    if files:
        found = transcribe(run, head, files, arguments.window)
        for one in found:
            print(f"{one.file}\t{one.text}")
            if arguments.words and one.text:
                print(_word_table(one.words).text())
        if any(file.is_dir() for file in arguments.files):
            _print_rate("recordings", [one.text for one in found], [one.seconds for one in found])
        if len(found) < len(files):
            line = say(
                f"{len(found):,} of {len(files):,} files transcribed, the others are left out"
            )
            print(line, file=sys.stderr)
    if arguments.silence:
        _transcribe_noise(run, head, kinds, arguments.silence)


def _found(paths: Sequence[Path], kinds: "set[Kind]") -> list[Path]:
    """The given files, and the files in given folders that can be read as all of these kinds, sorted by name."""
    from weft.core.kinds import kind_of

    wanted = ("video",) if "video" in kinds else ("audio", "video")
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise WeftError(f"{path}: no such file or folder")
        if not path.is_dir():
            found.append(path)
            continue
        inside = [one for one in sorted(path.rglob("*")) if kind_of(one.name) in wanted]
        if not inside:
            raise WeftError(f"{path}: holds no {' and no '.join(wanted)} file")
        found += inside
    return found


def _word_table(words: "Sequence[Word]") -> "TextTable":
    """A row for each word: start and end in seconds of the recording, and the weights of the streams in percent."""
    from weft.core.tables import TableColumn, TextTable

    streams = tuple(words[0].weights) if words else ()
    columns = [say("word"), say("begin (s)"), say("end (s)")]
    columns += [f"{say(plain(stream))} (%)" for stream in streams]
    lines = [
        [
            word.text,
            *("–" if time is None else f"{time:.2f}" for time in (word.start, word.end)),
            *(f"{100 * word.weights[stream]:.0f}" for stream in streams),
        ]
        for word in words
    ]
    named = [TableColumn(name, right=number > 0) for number, name in enumerate(columns)]
    return TextTable(named, lines)


def _transcribe_noise(run: "Run", head: str, kinds: "dict[str, Kind]", minutes: float) -> None:
    """Transcribes silence and white noise. Raises WeftError if the head reads more than sounds."""
    import numpy as np

    from weft.core.media import Media
    from weft.evaluation.false_words import PIECE, pieces, white_noise
    from weft.modalities.audio import Audio

    for stream, kind in kinds.items():
        if kind != "audio":
            raise WeftError(f"{run.folder}: stream '{stream}' reads videos, --silence needs sounds")
    modality = run.modalities[next(iter(kinds))]
    assert isinstance(modality, Audio)
    rate = modality.config.rate
    noise = white_noise(rate, minutes)
    silence = [np.zeros(round(PIECE * rate), np.float32)] * pieces(minutes)
    for name, sounds in (("silence", silence), ("white noise", noise)):
        given = {stream: [Media.sound(one, rate) for one in sounds] for stream in kinds}
        said = run.predict(head=head, **given).said
        for number, text in enumerate(said):
            if text:
                print(f"{name}, {number * PIECE:g} s\t{text}")
        _print_rate(name, said, [PIECE] * len(said))


def _print_rate(of: str, said: Sequence[str], seconds: Sequence[float]) -> None:
    from weft.evaluation.false_words import words_a_minute

    print(words_a_minute(said, seconds).line(of))
