"""What autoencoders make of digits: of streams of rows, and of samples of the latent, as judges say it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks import mvtcae
from benchmarks.mvtcae import Arrays
from weft.core.draws import normal
from weft.core.records import Batch, Features, Field
from weft.core.samples import Sample
from weft.fusion.joint_posterior import JointPosterior, latent
from weft.heads.drawn import DrawnOutput, DrawnValues
from weft.heads.output import Part
from weft.runs.coherence import seen_classes
from weft.runs.latents import mixture_samples, samples_like
from weft.runs.run import Run

STREAMS, PART = ("image", "audio", "text"), 100
Said = dict[str, list[str]]
"""Stream -> the digit of each row, as a judge or a text says it."""
Made = Callable[[tuple[str, ...]], Said]
"""What a system makes of these streams of all rows."""


class Eyes:
    """Judges, the words of the training rows, and how the first run shows what is made: any system's arrays as digits."""

    def __init__(self, run: Run, judges: Sequence[Run], words: Mapping[str, str]) -> None:
        self.run, self.judges, self.words = run, judges, words

    def drawn(self, stream: str, values: DrawnValues) -> list[str]:
        judge = next(one for one in self.judges if stream in one.model.encoders)
        return seen_classes(judge, stream, values)

    def arrays(self, made: Mapping[str, Tensor]) -> Said:
        """Of arrays as MVTCAE makes them."""
        pixels = (made["image"].clamp(0, 1) * 255).round().to(torch.uint8)
        fields = {"image": Field(pixels), "audio": Field(made["audio"])}
        said = {
            s: self.drawn(s, self.output(s).as_drawn(f, self.run.learned))
            for s, f in fields.items()
        }
        return {**said, "text": [str(n) for n in made["text"].argmax(1).tolist()]}

    def output(self, stream: str) -> DrawnOutput:
        found = self.run.model.head(stream).output
        assert isinstance(found, DrawnOutput)
        return found

    def real(self, batch: Batch) -> dict[str, list[str]]:
        """Of the real values of the rows."""
        fields = {s: batch.inputs[s] for s in ("image", "audio")}
        return {
            s: self.drawn(s, self.output(s).as_drawn(f, self.run.learned))
            for s, f in fields.items()
            if isinstance(f, Field)
        }


@torch.no_grad()
def of_run(run: Run, rows: Sequence[Sample], eyes: Eyes, samples: int) -> tuple[Made, Said, Said]:
    """What the run makes of streams of these rows, of samples of its prior, and of a mixture fitted to the training rows."""
    batch, fusion = run.read(rows), run.model.fusion
    assert isinstance(fusion, JointPosterior)
    parts = [batch.rows(slice(n, n + PART)) for n in range(0, len(batch), PART)]
    each = {s: [run.model.encode(s, part.inputs[s]) for part in parts] for s in STREAMS}
    experts = [fusion.experts({s: each[s][n] for s in STREAMS}) for n in range(len(parts))]

    def made(given: tuple[str, ...]) -> Said:
        chosen_S1 = torch.tensor([s in given for s in fusion.streams])[:, None]
        means = [fusion.joined(one, chosen_S1.expand_as(one.present)).mean for one in experts]
        return _said(run, torch.cat(means), eyes)

    fitted = mixture_samples(run, fusion, samples)
    return made, _said(run, prior(samples, fusion.dim), eyes), _said(run, fitted, eyes)


def prior(samples: int, dim: int) -> Tensor:
    """(samples, dim) the same for every system."""
    return normal(torch.arange(samples), "prior 0", dim)


@torch.no_grad()
def _said(run: Run, latent_NL: Tensor, eyes: Eyes) -> Said:
    found: Said = {}
    for name in run.model.heads:
        head, values = run.model.head(name), []
        for part in torch.split(latent_NL, PART):
            context: Features = latent(part, torch.ones(len(part), dtype=torch.bool))
            values.append(head.output.read([Part(head.decoder, context, run.learned)]))
        joined: Any = type(values[0]).join(values)
        if isinstance(head.output, DrawnOutput):
            found[name] = eyes.drawn(head.output.stream, joined)
        else:
            found[name] = [eyes.words.get(joined.said(n), "") for n in range(len(latent_NL))]
    return found


def of_mvtcae(
    model: Any, arrays: Arrays, trained_on: Arrays, eyes: Eyes, samples: int
) -> tuple[Made, Said, Said]:
    """The same of the peer. trained_on: its training rows."""
    fitted = samples_like(mvtcae.latents(model, trained_on), samples)
    return (
        lambda given: eyes.arrays(mvtcae.drawn(model, arrays, given)),
        eyes.arrays(mvtcae.sampled(model, prior(samples, model.latent_dim))),
        eyes.arrays(mvtcae.sampled(model, fitted)),
    )


def arrays_of(run: Run, rows: Sequence[Sample], words: Mapping[str, str]) -> Arrays:
    """The streams as the run reads them; zeros where a row lacks one."""
    batch = run.read(rows)
    image, audio = batch.inputs["image"], batch.inputs["audio"]
    assert isinstance(image, Field)
    assert isinstance(audio, Field)
    text = torch.zeros(len(rows), mvtcae.WORDS)
    for n, row in enumerate(rows):
        if row.items.get("text") is not None:
            text[n, int(words[str(row.items["text"])])] = 1
    there = {s: torch.tensor([row.items.get(s) is not None for row in rows]) for s in STREAMS}
    return Arrays(
        {"image": image.values.float() / 255, "audio": audio.values.float(), "text": text}, there
    )
