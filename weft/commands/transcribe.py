"""Write what is said in sounds, or in videos, with a run that was trained for it.

weft transcribe RUN FILE [FILE ...]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError


@dataclass(frozen=True)
class Arguments(Trusting):
    """The run and the recordings."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    files: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Sounds, or videos with a sound track."""
    head: str | None = None
    """Head of the model that writes transcripts; the first one if not given."""


def main(words: list[str]) -> None:
    """Prints one line for each file: its name, a tab and the transcript."""
    arguments = parse(Arguments, words, "weft transcribe")
    if not arguments.files:
        raise WeftError("weft transcribe needs one file or more")
    from weft.core.interfaces import ReadsMedia
    from weft.core.media import Media
    from weft.heads.transcripts import TranscriptOutput
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, TranscriptOutput)
    streams = run.model.streams_of(head)
    values = {}
    for stream in streams:
        modality = run.modalities[stream]
        if not isinstance(modality, ReadsMedia) or modality.media not in ("audio", "video"):
            raise WeftError(
                f"{run.folder}: stream '{stream}' reads neither sounds nor videos; use weft ask"
            )
        values[stream] = [Media.file(file, modality.media) for file in arguments.files]
    found = run.predict(head=head, **values)
    for row, text in zip(found.rows, found.said, strict=True):
        print(f"{arguments.files[row]}\t{text}")
