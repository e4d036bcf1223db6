"""Predict classes, numbers or texts for a table, a folder or one recording, and write them as CSV.

weft predict RUN TABLE_OR_FOLDER_OR_RECORDING [--out FILE.csv]
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._outputs import check_output
from weft.commands._own_data import OwnData
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.language import say
from weft.core.text import counted

if TYPE_CHECKING:
    from weft.data.formats import Dataset


@dataclass(frozen=True)
class Arguments(OwnData, Trusting):
    """The run and the rows."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    data: Annotated[Path, tyro.conf.Positional]
    """Table or folder in any known format, or one video, sound or picture. The column to predict may be missing. The
    text of a single file is read from the .txt file of the same name. Missing streams are reported."""
    head: str | None = None
    """Name of the head that predicts. Default: the first head."""
    out: Path | None = None
    """CSV file for the predictions. Default: standard output."""


def main(words: list[str]) -> None:
    """Writes one line for each row: its id, the prediction, and the probabilities if there are any."""
    arguments = parse(Arguments, words, "weft predict")
    if arguments.out is not None:
        check_output(arguments.out, [arguments.data])
        _require_csv(arguments.out)
    from weft.core.errors import DataError
    from weft.runs.new_rows import rows_like
    from weft.runs.one_recording import is_recording, one_recording
    from weft.runs.predicting import predict_rows
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    bad: list[DataError] = []
    rows: Dataset
    if is_recording(arguments.data):
        recording = one_recording(run, arguments.data, arguments.head)
        print(recording.line, file=sys.stderr)
        rows = [recording.row]
    else:
        said = arguments.said(arguments.data)
        rows = rows_like(run.recipe, arguments.data, bad.append, said)
    found = predict_rows(run, rows, arguments.head)
    for error in bad:
        print(say(f"left out: {error}"), file=sys.stderr)
    if found.left_out and arguments.out is None:
        lacking = counted(found.left_out, "row")
        line = say(
            f"left out: {lacking} without readable values in the columns that this run reads"
        )
        print(line, file=sys.stderr)
    if arguments.out is None:
        sys.stdout.write(found.csv())
        return
    found.save(arguments.out)
    left = found.left_out + len(bad)
    predicted = counted(len(found.rows), "row")
    print(say(f"{predicted} predicted, {left:,} left out: {arguments.out}"))


def _require_csv(out: Path) -> None:
    """Raises WeftError for a file name with the suffix of another format than CSV."""
    if out.suffix.lower() not in ("", ".csv", ".txt"):
        raise WeftError(
            f"--out is {out}, expected a name that ends with .csv: what is written is CSV"
        )
