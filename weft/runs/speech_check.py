"""Checks transcripts and sounds before a speech recogniser trains, and whether they fit each other.

Only some rows are read, sampled with the run's seed. Findings that make training impossible are errors. All others are
logged and saved as PREFLIGHT in the run directory.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from weft.architectures.model import Model
from weft.core.distributed import rank
from weft.core.documents import write_checked
from weft.core.errors import WeftError
from weft.core.interfaces import ReadsRecordings
from weft.core.language import say
from weft.core.media import Media, small_value
from weft.core.needs import Needing
from weft.core.ranges import SLACK
from weft.core.records import Batch, Features, Field
from weft.core.samples import group_key
from weft.data.formats import Dataset
from weft.data.learned import Learned
from weft.data.prepare.recordings import CLIPPED, FULL_SCALE, SILENT
from weft.data.sources import read_once
from weft.data.targets.transcript import Transcript
from weft.data.targets.word_times import WordTimes
from weft.decoders.ctc import repeats
from weft.heads.transcripts import TranscriptOutput
from weft.inference.member import ViewedSource
from weft.modalities.audio import Audio, AudioConfig
from weft.modalities.audio_decoding import read_sound, sound_facts
from weft.modalities.video_decoding import recording_seconds
from weft.runs.parts import open_split
from weft.runs.recipe import Recipe
from weft.training.streams import Streams

log = logging.getLogger("weft.runs")
PREFLIGHT = "preflight.json"
"""File of a run directory with the findings."""
TRANSCRIPTS, HEADERS, SOUNDS, GROUP = 2000, 256, 32, 8
"""Maximum number of rows whose transcript is read; whose sound header is read; whose sound is read; and rows in one
batch of the model."""
SOFT = -40.0
"""dB of full scale: a sound whose peak is below is soft, which matters unless the modality sets the level."""
LONGEST = 30.0
"""Maximum seconds of a sound that are read."""


@dataclass(frozen=True)
class Finding:
    """A fault of `count` rows among `read`; example: the file, and the line, of the first."""

    what: str
    count: int
    read: int
    example: str

    def __str__(self) -> str:
        return f"{self.what} ({self.count:,} of {self.read:,} read, first {self.example})"


@dataclass(frozen=True)
class Row:
    """A row and its transcript; None if it has none."""

    index: int
    source: str
    text: str | None


def check_speech(
    recipe: Recipe,
    folder: Path,
    model: Model,
    learned: Learned,
    sources: Mapping[str, ViewedSource],
    training: Dataset,
) -> None:
    """Logs the findings for each head that learns transcripts. For other recipes nothing is read.

    Raises WeftError if no transcript can be learned: none fits its sound, or every sound is silent.
    """
    found: list[Finding] = []
    for head in _heads(recipe):
        output = model.head(head).output
        if isinstance(output, TranscriptOutput):
            target = output.transcript(learned)
            rows = _rows(training, target, recipe.run.seed)
            found += _of_texts(recipe, target, rows)
            found += _of_times(learned, training, rows)
            rows = [row for row in rows if row.text is not None]
            streams = model.streams_of(head)
            for stream in streams:
                found += _of_sounds(stream, learned, training, rows)
            found += _of_windows(streams, learned, training, rows)
            used = {stream: sources[stream] for stream in streams}
            found += _of_lengths(model, head, target, used, training, rows)
    if found and rank() == 0:
        write_checked(folder / PREFLIGHT, {"findings": [asdict(one) for one in found]})
        for one in found:
            log.warning("%s", say(str(one)))


def _heads(recipe: Recipe) -> list[str]:
    """Returns the heads that an objective trains, each once."""
    needs = [one.needs for one in recipe.objectives.values() if isinstance(one, Needing)]
    return list(dict.fromkeys(name for one in needs for name in one.heads))


def _rows(dataset: Dataset, target: Transcript, seed: int) -> list[Row]:
    """Samples at most TRANSCRIPTS rows. Unreadable ones are left out; the loader reports them."""
    drawn = np.random.default_rng(seed).permutation(len(dataset))[:TRANSCRIPTS]
    found = []
    for index in sorted(drawn.tolist()):
        with suppress(WeftError):
            sample = dataset[index]
            raw = sample.items.get(target.column)
            text = None if raw is None else target.text(small_value(raw))
            found.append(Row(index, sample.source, text))
    return found


def _of_texts(recipe: Recipe, target: Transcript, training: Sequence[Row]) -> Iterator[Finding]:
    """Finds missing and empty transcripts, and units that do not occur in training."""
    splits = {recipe.data.train: training}
    with read_once():
        for split in (recipe.data.validation, recipe.data.test):
            with suppress(WeftError):  # the split does not exist
                splits[split] = _rows(open_split(recipe, split), target, recipe.run.seed)
    for split, rows in splits.items():
        for text, what in (
            (None, f"{split}: transcript is missing"),
            ("", f"{split}: transcript is empty, which means that nothing is said"),
        ):
            such = [row for row in rows if row.text == text]
            if such:
                yield Finding(what, len(such), len(rows), such[0].source)
        lacking = [(row, unit) for row in rows for unit in target.unknown(row.text or "")]
        if lacking:
            first, unit = lacking[0]
            names = Counter(unit for _, unit in lacking)
            shown = ", ".join(f"'{name}'" for name, _ in names.most_common(5))
            other = next((one for one in target.units if one.casefold() == unit.casefold()), None)
            hint = f"; training has '{other}', see lowercase" if other else ""
            what = f"{split}: transcript has units that are not learned: {shown}{hint}"
            count = len({row.index for row, _ in lacking})
            yield Finding(what, count, len(rows), first.source)


def _of_times(learned: Learned, dataset: Dataset, rows: Sequence[Row]) -> Iterator[Finding]:
    """Finds rows without word times, if these are a target."""
    columns = [t.column for t in learned.targets.values() if isinstance(t, WordTimes)]
    read = _spread(rows, HEADERS)
    for column in columns:
        lacking = [row for row in read if dataset[row.index].items.get(column) is None]
        if lacking:
            what = f"'{column}' is missing, so that words are not learned at their times"
            yield Finding(what, len(lacking), len(read), lacking[0].source)


def _of_sounds(
    stream: str, learned: Learned, dataset: Dataset, rows: Sequence[Row]
) -> Iterator[Finding]:
    """Finds sounds with too low a sample rate, clipped, soft and silent ones."""
    modality = learned.modalities[stream]
    if not isinstance(modality, Audio):
        return
    config = modality.config
    yield from _of_rates(stream, config, dataset, rows)
    silent, soft, clipped = [], [], []
    sounds = 0
    for row in _spread(rows, SOUNDS):
        with suppress(WeftError):
            sound = dataset[row.index].items.get(stream)
            if not isinstance(sound, Media):
                continue
            loud_S = np.abs(read_sound(sound, round(sound_facts(sound).rate), seconds=LONGEST))
            if loud_S.max() < 10 ** (SILENT / 20):
                silent.append(row)
            elif config.level == "kept" and loud_S.max() < 10 ** (SOFT / 20):
                soft.append(row)
            if (loud_S >= FULL_SCALE).mean() > CLIPPED:
                clipped.append(row)
            sounds += 1
    if silent and len(silent) == sounds:
        raise WeftError(
            f"{silent[0].source}: {stream}: all {sounds} sounds that were read are silent: no sample is above "
            f"{SILENT:g} dB of full scale"
        )
    if silent:
        what = f"{stream}: sound with a transcript is silent: no sample is above {SILENT:g} dB of full scale"
        yield Finding(what, len(silent), sounds, silent[0].source)
    if soft:
        what = f"{stream}: sound is soft: no sample is above {SOFT:g} dB of full scale, and the level is kept"
        yield Finding(what, len(soft), sounds, soft[0].source)
    if clipped:
        what = f"{stream}: sound is clipped: more than {100 * CLIPPED:g} % of the samples are at full scale"
        yield Finding(what, len(clipped), sounds, clipped[0].source)


def _of_rates(
    stream: str, config: AudioConfig, dataset: Dataset, rows: Sequence[Row]
) -> Iterator[Finding]:
    """Finds sounds with too low a sample rate, by their headers."""
    high = (config.spectrogram.high or config.rate / 2) if config.output == "spectrogram" else None
    needed = config.rate if high is None else 2 * high
    slow, headers = [], 0
    for row in _spread(rows, HEADERS):
        with suppress(WeftError):
            sound = dataset[row.index].items.get(stream)
            if not isinstance(sound, Media):
                continue
            if (rate := sound_facts(sound).rate) < needed:
                slow.append((rate, row))
            headers += 1
    if slow:
        lowest = min(rate for rate, _ in slow)
        own = config.output == "spectrogram" and config.spectrogram.high is not None
        setting = f"spectrogram.high {lowest / 2:g}" if own else f"rate {lowest}"
        what = (
            f"{stream}: sound has fewer than the {needed:g} samples a second that the highest frequency needs, so its "
            "high frequencies are empty: harmless if all sounds have the same rate, otherwise set "
            f"--data.streams.{stream}.{setting}"
        )
        yield Finding(what, len(slow), headers, slow[0][1].source)


def _of_windows(
    streams: Sequence[str], learned: Learned, dataset: Dataset, rows: Sequence[Row]
) -> Iterator[Finding]:
    """Finds recordings that are longer than the shortest window, if the streams have different ones: then simultaneous
    tokens come from different times."""
    windows = {
        stream: modality.window
        for stream in streams
        if isinstance(modality := learned.modalities[stream], ReadsRecordings)
    }
    if len(set(windows.values())) < 2:
        return
    shortest = min(windows, key=lambda stream: windows[stream])
    longer, read = [], 0
    for row in _spread(rows, HEADERS):
        with suppress(WeftError):
            recording = dataset[row.index].items.get(shortest)
            if isinstance(recording, Media):
                read += 1
                if recording_seconds(recording) > windows[shortest] + SLACK:
                    longer.append(row)
    if longer:
        what = (
            f"{shortest}: recording is longer than the {windows[shortest]:g} s that are read, other streams read more, "
            "so that they are not simultaneous"
        )
        yield Finding(what, len(longer), read, longer[0].source)


def _of_lengths(
    model: Model,
    head: str,
    target: Transcript,
    sources: Mapping[str, ViewedSource],
    dataset: Dataset,
    rows: Sequence[Row],
) -> Iterator[Finding]:
    """Finds transcripts that need more time steps than their row has.

    The model reads the rows with the least time for each unit first, and stops once all rows of a batch fit.
    """
    needed = {row.index: _needed(target, row.text or "") for row in rows}
    chosen = [row for row in _spread(rows, HEADERS) if needed[row.index] > 0]
    chosen.sort(key=lambda row: _seconds(dataset, row, sources) / needed[row.index])
    short: list[Row] = []
    worst = ""
    read = 0
    for first in range(0, len(chosen), GROUP):
        places = _places(model, head, sources, chosen[first : first + GROUP])
        failing = [row for row, count in places if count < needed[row.index]]
        read += len(places)
        if failing and not short:
            row, count = next(one for one in places if one[0] == failing[0])
            worst = f"{needed[row.index]} frames needed, {count} available"
        short += failing
        if places and not failing:
            break
    if not short:
        return
    what = f"transcript needs more encoder frames than its row has, and is not learned: {worst}"
    if read == len(short):
        raise WeftError(
            f"{short[0].source}: no transcript of the {read} rows that were read can be learned: {worst} (an "
            "encoder with less downsampling in time gives more frames)"
        )
    yield Finding(what, len(short), len(chosen), short[0].source)


def _needed(target: Transcript, text: str) -> int:
    """Returns the number of time steps of the shortest alignment."""
    ids = target.encode(text)
    return len(ids) + int(repeats(torch.tensor([ids], dtype=torch.int64).view(1, -1)))


def _seconds(dataset: Dataset, row: Row, sources: Mapping[str, ViewedSource]) -> float:
    """Returns the seconds of the row's sound, by its header; 1 if there is none."""
    with suppress(WeftError):
        for stream in sources:
            sound = dataset[row.index].items.get(stream)
            if isinstance(sound, Media) and sound.kind == "audio":
                return sound_facts(sound).seconds
    return 1.0


def _places(
    model: Model,
    head: str,
    sources: Mapping[str, ViewedSource],
    rows: Sequence[Row],
) -> list[tuple[Row, int]]:
    """Returns the number of time steps that the head reads, for each row that has all its streams."""
    kept, values = [], []
    for row in rows:
        with suppress(WeftError):
            generator = torch.Generator()
            found = {
                name: source.load(row.index, train=False, generator=generator, view=0)
                for name, source in sources.items()
            }
            if all(value is not None for value in found.values()):
                kept.append(row)
                values.append(found)
    if not kept:
        return []
    inputs = {
        name: field
        for name, source in sources.items()
        if isinstance(field := source.collate([one[name] for one in values]), Field | Features)
    }
    groups = torch.tensor([group_key(row.source) for row in kept])
    batch = Batch(inputs, [row.source for row in kept], groups)
    batch = batch.to(next(model.parameters()).device)
    training = model.training
    with torch.no_grad():
        context = model.eval().head(head).reads(Streams(model, batch).fused())
    model.train(training)
    return list(zip(kept, context.mask.sum(1).tolist(), strict=True))


def _spread(rows: Sequence[Row], most: int) -> Sequence[Row]:
    """Returns at most `most` of the rows, evenly spaced."""
    if len(rows) <= most:
        return rows
    return [rows[n * len(rows) // most] for n in range(most)]
