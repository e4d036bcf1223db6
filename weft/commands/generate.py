"""Draw pictures or sounds from a text, or from other inputs, with a run that was trained for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._own_input import OwnInputs
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.files import check_writable, write_bytes
from weft.core.language import say

if TYPE_CHECKING:
    from weft.heads.drawn import DrawnValues


@dataclass(frozen=True)
class Arguments(OwnInputs, Trusting):
    """The run, what to draw from, and where to."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Path = Path("generated")
    """A file, such as heart.png, where one value is drawn or several are pictures, which become one; or a folder."""
    n: int = 1
    """How many are drawn from each input."""
    seed: int | None = None
    """Of the noise: another one draws others. The recipe's if not given."""
    guidance: float | None = None
    """Of a flow: 1 as it was trained, 2 truer to the text and less varied. The recipe's if not given."""
    steps: int | None = None
    """Of a flow. The recipe's if not given."""
    head: str | None = None
    """Head of the model that draws; the first one if not given."""


def main(words: list[str]) -> None:
    """Writes the files, and prints the name of each."""
    arguments = parse(Arguments, words, "weft generate")
    as_file = bool(arguments.out.suffix) and not arguments.out.is_dir()
    check_writable(arguments.out if as_file else arguments.out / "file")
    from weft.heads.drawn import DrawnOutput, DrawnValues
    from weft.runs.generating import check_texts, generate
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, DrawnOutput)
    if any(not text.strip() for text in arguments.text):
        raise WeftError("--text is empty, expected what to draw")
    values = arguments.values(run, run.model.streams_of(head))
    check_texts(run, values)
    found = generate(
        run,
        head,
        n=arguments.n,
        seed=arguments.seed,
        guidance=arguments.guidance,
        steps=arguments.steps,
        **values,
    )
    drawn = found.values
    assert isinstance(drawn, DrawnValues)
    files = _one_file(drawn, arguments.out) if as_file else _folder(drawn, arguments.out)
    for path in files:
        print(say(f"written: {path}"))


def _one_file(drawn: "DrawnValues", out: Path) -> list[Path]:
    """All in one file. Raises WeftError where they do not fit, or the name has another suffix than they need."""
    from weft.heads.pictures import PictureValues

    whole = drawn.grid() if isinstance(drawn, PictureValues) else drawn
    if len(whole) != 1:
        raise WeftError(f"--out is a file, {out}, for {len(whole)} values; expected a folder")
    suffix, content = whole.encoded(0)
    if out.suffix.lower() != suffix:
        raise WeftError(f"--out is {out}, expected a name that ends with {suffix}, or a folder")
    write_bytes(out, content)
    return [out]


def _folder(drawn: "DrawnValues", out: Path) -> list[Path]:
    """A file of each, numbered."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for row in range(len(drawn)):
        suffix, content = drawn.encoded(row)
        path = out / f"{row + 1:0{len(str(len(drawn)))}}{suffix}"
        write_bytes(path, content)
        paths.append(path)
    return paths
