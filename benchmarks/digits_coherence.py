"""Coherence of an autoencoder of digits: python benchmarks/digits_coherence.py RUN ... --judge PICTURES SOUNDS [--peer FILE]

Each stream (picture, sound, word) is made of each other one, and of the pair of the other two, on the rows of a split;
judges that were trained on real values say which digit it is: cross coherence is how often it is the row's. Joint
coherence is how often all that is made of one sample of the prior is the same digit; "mixture" is the same of samples
of a mixture of normal distributions that is fitted to the latents of the training rows. Beside them what the judges say of
the real values as the first run reads and shows them, sounds through the same log-mel frames and Griffin-Lim.

Further runs, such as one that was trained with half of the modalities missing, are compared with the first. --peer
trains multivae's MVTCAE (pip install multivae) on the first run's training rows, with its steps, batch size, latent,
optimizer and average of the weights, and compares it, too; FILE keeps it. Its setting is chosen on the validation split
among three that are trained for a tenth of the steps. Everything is made of the mean of a posterior. Differences are
of the same rows, with 95% bootstrap intervals; samples of priors are not paired.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import weft
from benchmarks import mvtcae
from benchmarks.digit_makers import STREAMS, Eyes, Made, Said, arrays_of, of_mvtcae, of_run
from benchmarks.mvtcae import SETTINGS, Setting
from weft.core.samples import group_key
from weft.evaluation.bootstrap import Bootstrap, Estimate
from weft.evaluation.comparison import compare
from weft.runs.parts import open_split
from weft.runs.run import Run

SHARE = 10
JOINT, MIXTURE = "joint", "mixture"


@dataclass(frozen=True)
class Judged:
    """name: of the system. cross: (given, made) -> (N,) 1 where the digit is the row's. joint, mixture: (M,) of samples of
    the prior, and of the mixture that is fitted to the training rows."""

    name: str
    cross: dict[tuple[tuple[str, ...], str], Tensor]
    joint: Tensor
    mixture: Tensor

    def means(self) -> dict[str, Tensor]:
        """(N,) of each row the mean over what is made of one stream, and over what is made of two."""
        of = {"one": 1, "two": 2}
        return {
            f"mean of {name}": torch.stack([v for k, v in self.cross.items() if len(k[0]) == n]).mean(0)
            for name, n in of.items()
        }  # fmt: skip

    @property
    def score(self) -> float:
        """The mean of both cross coherences and the joint one, by which a setting is chosen."""
        every = [*(float(one.mean()) for one in self.means().values()), float(self.joint.mean())]
        return sum(every) / len(every)


def ways(streams: Sequence[str] = STREAMS) -> list[tuple[tuple[str, ...], str]]:
    """(given, made): each stream of each other one, then of each pair of others."""
    return [
        (given, made)
        for count in (1, 2)
        for made in streams
        for given in combinations([one for one in streams if one != made], count)
    ]


def coherent(said: Said) -> Tensor:
    """(N,) 1 where all streams say the same digit; a text that is none says ""."""
    rows = zip(*said.values(), strict=True)
    return torch.tensor([float(len(set(row)) == 1 and row[0] != "") for row in rows])


def hits(said: Sequence[str], true: Sequence[str]) -> Tensor:
    """(N,) 1 where they agree."""
    return torch.tensor([float(a == b) for a, b in zip(said, true, strict=True)])


def judged(name: str, made: Made, sampled: Said, fitted: Said, true: Sequence[str]) -> Judged:
    """All ways of a system; each set of streams is read once."""
    by_given = {given: made(given) for given in dict.fromkeys(given for given, _ in ways())}
    cross = {(given, to): hits(by_given[given][to], true) for given, to in ways()}
    return Judged(name, cross, coherent(sampled), coherent(fitted))


def table(systems: Sequence[Judged], groups: Tensor) -> list[str]:
    """Lines: each way of each system in percent, and of the second one on the difference from the first."""
    first = systems[0]

    def line(said: str, values: Sequence[Tensor], of: Tensor) -> str:
        cells = [f"{said:22}", _percent(Bootstrap(of).mean(values[0], of).estimate())]
        for other in values[1:]:
            found = compare(values[0], other, of)
            cells.append(f"{_percent(found.second)}, difference {_percent(found.difference)}")
        return " | ".join(cells)

    lines = [" | ".join([f"{'given -> made':22}", *(one.name for one in systems)])]
    for way in first.cross:
        lines.append(
            line(f"{' + '.join(way[0])} -> {way[1]}", [s.cross[way] for s in systems], groups)
        )
    for name in first.means():
        lines.append(line(name, [s.means()[name] for s in systems], groups))
    of_samples = torch.arange(len(first.joint))
    lines.append(line(JOINT, [s.joint for s in systems], of_samples))
    lines.append(line(MIXTURE, [s.mixture for s in systems], of_samples))
    return lines


def _percent(one: Estimate) -> str:
    return str(one.percent())


def peer(run: Run, eyes: Eyes, file: Path, steps: int, samples: int) -> tuple[str, Any]:
    """MVTCAE from the file, or trained and kept there: its name and the model."""
    if file.exists():
        kept = torch.load(file, weights_only=True)
        model = mvtcae.built(run.recipe, Setting(*kept["setting"]))
        model.load_state_dict(kept["model"])
        return f"multivae MVTCAE, {Setting(*kept['setting'])}", model.eval()
    rows, held_out = (
        list(open_split(run.recipe, split))
        for split in (run.recipe.data.train, run.recipe.data.validation)
    )
    arrays, validation = arrays_of(run, rows, eyes.words), arrays_of(run, held_out, eyes.words)
    true, scores = [str(row.items["digit"]) for row in held_out], {}
    for setting in SETTINGS:
        model = mvtcae.trained(run.recipe, setting, arrays, max(1, steps // SHARE))
        found = judged(str(setting), *of_mvtcae(model, validation, arrays, eyes, samples), true)
        scores[setting] = found.score
        print(f"validation, {setting}: {100 * found.score:.1f}", flush=True)
    best = max(scores, key=lambda one: scores[one])
    model = mvtcae.trained(run.recipe, best, arrays, steps)
    torch.save({"setting": (best.beta, best.rescaled), "model": model.state_dict()}, file)
    return f"multivae MVTCAE, {best}", model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--judge", type=Path, nargs="+", required=True)
    parser.add_argument("--peer", type=Path, help="file that keeps MVTCAE")
    parser.add_argument("--steps", type=int, help="of MVTCAE; those of the first run by default")
    parser.add_argument("--samples", type=int, default=1000, help="of each prior")
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    runs, judges = [weft.load(one) for one in given.runs], [weft.load(one) for one in given.judge]
    rows = list(open_split(runs[0].recipe, given.split))
    training = list(open_split(runs[0].recipe, runs[0].recipe.data.train))
    words = {str(row.items["text"]): str(row.items["digit"]) for row in training}
    true = [str(row.items["digit"]) for row in rows]
    eyes, groups = (
        Eyes(runs[0], judges, words),
        torch.tensor([group_key(row.group) for row in rows]),
    )
    for stream, said in eyes.real(runs[0].read(rows)).items():
        print(
            f"judge of real values, {stream}: {100 * float(hits(said, true).mean()):.1f} %",
            flush=True,
        )
    systems = [
        judged(str(run.folder), *of_run(run, rows, eyes, given.samples), true) for run in runs
    ]
    sizes = {str(run.folder): run.model for run in runs}
    if given.peer is not None:
        steps = given.steps or runs[0].recipe.run.steps
        name, model = peer(runs[0], eyes, given.peer, steps, given.samples)
        arrays, trained_on = (arrays_of(runs[0], of, words) for of in (rows, training))
        systems.append(
            judged(name, *of_mvtcae(model, arrays, trained_on, eyes, given.samples), true)
        )
        sizes[name] = model
    for name, model in sizes.items():
        print(f"{name}: {sum(one.numel() for one in model.parameters()):,} parameters")
    print(
        f"{len(rows):,} rows of {given.split}, {given.samples:,} samples of each prior, percent [95% interval]"
    )
    print("\n".join(table(systems, groups)))


if __name__ == "__main__":
    main()
