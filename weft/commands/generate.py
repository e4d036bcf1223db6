"""Generate pictures or sounds from a text, or from other inputs, with a run that was trained for it."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from weft.commands._outputs import check_output
from weft.commands._own_input import OwnInputs
from weft.commands._parsing import Trusting, parse
from weft.core.errors import WeftError
from weft.core.files import check_writable, write_bytes
from weft.core.language import say
from weft.core.ranges import COUNT, GENERATED, NOT_NEGATIVE, at_least, require

if TYPE_CHECKING:
    from weft.heads.drawn import DrawnOutput, DrawnValues


@dataclass(frozen=True)
class Arguments(OwnInputs, Trusting):
    """The run, the input, and the output file or folder."""

    run: Annotated[Path, tyro.conf.Positional]
    """Run directory."""
    out: Path = Path("generated")
    """Output file, such as heart.png, or a folder. Several pictures in one file form a single picture. Several sounds
    need a folder."""
    n: int = 1
    """Number of outputs to generate from each input."""
    seed: int | None = None
    """Random seed of the noise. Another seed gives other outputs. Default: the seed of the recipe. A variational autoencoder
    without a seed, and with --n 1, generates from the mean of its latent distribution."""
    guidance: float | None = None
    """Guidance scale of a flow. 1 samples as trained; 2 follows the text more closely with less variety. Default: the
    value of the recipe."""
    steps: int | None = None
    """Number of sampling steps of a flow. Default: the value of the recipe."""
    head: str | None = None
    """Name of the head that generates. Default: the first such head."""

    def __post_init__(self) -> None:
        require(self, n=GENERATED, seed=at_least(0), guidance=NOT_NEGATIVE, steps=COUNT)


def main(words: list[str]) -> None:
    """Writes the files, and prints the name of each and the speed of generation."""
    arguments = parse(Arguments, words, "weft generate")
    as_file = bool(arguments.out.suffix) and not arguments.out.is_dir()
    if as_file:
        check_output(arguments.out, arguments.files)
    else:
        check_writable(arguments.out, folder=True)
    from weft.heads.drawn import DrawnOutput, DrawnValues
    from weft.runs.generating import check_inputs, generate
    from weft.runs.run import load

    run = load(arguments.run, trust=arguments.trust)
    head = run.head(arguments.head, DrawnOutput)
    output = run.model.head(head).output
    assert isinstance(output, DrawnOutput)
    values = arguments.values(run, run.model.streams_of(head))
    check_inputs(run, head, arguments.n, values)
    given = max(len(v) if isinstance(v, list) else 1 for v in values.values())
    if as_file:
        _check_file(arguments.out, output, arguments.n * given)
    began = time.perf_counter()
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
    if as_file:
        files = [arguments.out]
        # Of several texts each has a row of its own.
        columns = arguments.n if given > 1 and arguments.n > 1 else None
        write_bytes(arguments.out, drawn.whole(columns).encoded(0))
    else:
        files = _folder(drawn, arguments.out, output.suffix)
    took_s = time.perf_counter() - began
    for path in files:
        print(say(f"written: {path}"))
    print(say(_speed(drawn, took_s)))


def _speed(drawn: "DrawnValues", took_s: float) -> str:
    """The speed of generation as a sentence. It includes the vocoder and writing, but not loading the model."""
    from weft.heads.sounds import SoundValues

    said = f"{len(drawn):,} generated in {took_s:.1f} s, {len(drawn) / took_s:.3g} a second"
    if not isinstance(drawn, SoundValues):
        return said
    sound_s = sum(drawn.seconds(row) for row in range(len(drawn)))
    factor = took_s / sound_s if sound_s else math.inf  # a sound of one frame has length 0
    return f"{said}; {sound_s:.1f} s of sound, real-time factor {factor:.3f}"


def _check_file(out: Path, output: "DrawnOutput", count: int) -> None:
    """Raises WeftError, before anything is generated, if one file cannot hold `count` values or has a wrong suffix."""
    if count > 1 and not output.joined:
        raise WeftError(f"--out is a file, {out}, for {count} values; expected a folder")
    if out.suffix.lower() != output.suffix:
        raise WeftError(
            f"--out is {out}, expected a name that ends with {output.suffix}, or a folder"
        )


def _folder(drawn: "DrawnValues", out: Path, suffix: str) -> list[Path]:
    """Writes one numbered file for each value."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for row in range(len(drawn)):
        path = out / f"{row + 1:0{len(str(len(drawn)))}}{suffix}"
        write_bytes(path, drawn.encoded(row))
        paths.append(path)
    return paths
