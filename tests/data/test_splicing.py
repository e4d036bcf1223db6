"""Rows of training put together of parts of several: a pure function of (seed, step), sound, video and words alike."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weft.core.errors import DataError, WeftError
from weft.core.media import Joined, Media
from weft.core.records import Field
from weft.core.samples import Sample
from weft.core.timed import timed_words
from weft.data.columns import ModalitySource, TargetSource
from weft.data.formats import open_dataset
from weft.data.loader import Loader
from weft.data.policy import ErrorPolicy
from weft.data.row_changes import RowChanges
from weft.data.splicing import SpliceConfig, Splicing
from weft.data.targets.transcript import TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.video import VideoConfig

RATE, FRAME_RATE, WORD = 8000, 10, 0.4
"""Samples and frames a second, and seconds of a word."""
WORDS = 3
AUDIO = AudioConfig(rate=RATE, output="waveform").build()
VIDEO = VideoConfig(
    FrameSamplingConfig("dense", frames=40, rate=FRAME_RATE),
    ImageConfig(size=4, fit="squash", crop_scale=None, flip=0),
).build()


def rows(count: int = 5, lacking: tuple[int, ...] = ()) -> list[Sample]:
    """Row n says w10n, w10n+1, w10n+2, of which each is a sound and a picture of that number."""
    found = []
    for row in range(count):
        numbers = np.arange(WORDS) + 10 * row
        sound = np.repeat(numbers / 100, round(WORD * RATE)).astype(np.float32)
        pixels = np.repeat(numbers, round(WORD * FRAME_RATE)).astype(np.uint8)
        words = [
            {"word": f"w{number}", "start": place * WORD, "end": (place + 1) * WORD}
            for place, number in enumerate(numbers.tolist())
        ]
        items: dict[str, Any] = {
            "audio": Media.sound(sound, RATE),
            "video": Media.frames(
                np.broadcast_to(pixels[:, None, None, None], (len(pixels), 8, 8, 3)).copy(),
                FRAME_RATE,
            ),
            "text": " ".join(word["word"] for word in words),
        }
        if row not in lacking:
            items["words"] = words
        found.append(Sample(f"s{row}", f"g{row}", items, f"t.csv:{row}"))
    return found


def transcript(dataset: list[Sample]) -> Any:
    target = TranscriptConfig("text", unit="word").build()
    target.fit([row.items["text"] for row in dataset])
    return target


def loader(dataset: list[Sample], splice: SpliceConfig | None, **options: Any) -> Loader:
    sources = {
        "audio": ModalitySource(dataset, "audio", AUDIO),
        "video": ModalitySource(dataset, "video", VIDEO),
        "transcript": TargetSource(dataset, transcript(dataset)),
    }
    splicing = None if splice is None else Splicing(splice, len(dataset))
    return Loader(
        dataset, sources, batch_size=4, seed=3, changes=RowChanges(splicing=splicing), **options
    )


BOTH = SpliceConfig(("audio", "video"), share=1.0, parts=3)


def test_sound_video_and_transcript_have_the_same_parts() -> None:
    dataset = rows()
    target, made = transcript(dataset), loader(dataset, BOTH)
    seen = set()
    for step in range(10):
        batch = made.batch(step)
        audio, video = batch.inputs["audio"], batch.inputs["video"]
        assert isinstance(audio, Field)
        assert isinstance(video, Field)
        for row in range(4):
            said = target.join(batch.targets["transcript"][row].tolist()).split()
            numbers = np.array([int(word[1:]) for word in said])
            assert (numbers % 10 == np.arange(WORDS)).all()  # each at the place that it had
            heard = audio.values[row, :, 0].numpy() * 100
            np.testing.assert_allclose(heard, np.repeat(numbers, round(WORD * RATE)), rtol=1e-4)
            shown = video.values[row, :, 0, 0, 0].numpy()
            assert (shown == np.repeat(numbers, round(WORD * FRAME_RATE))).all()
            seen.add(len(set((numbers // 10).tolist())))
    assert seen == {1, 2, 3}


@pytest.mark.parametrize("workers", [0, 3])
def test_the_step_alone_decides(workers: int) -> None:
    dataset = rows()
    expected = [loader(dataset, BOTH).batch(n) for n in range(2, 5)]
    found = list(loader(dataset, BOTH, workers=workers).batches(2, 5))
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one.inputs["audio"].values, other.inputs["audio"].values)  # type: ignore[union-attr]
        assert torch.equal(one.targets["transcript"], other.targets["transcript"])


def test_two_ranks_see_what_one_does() -> None:
    dataset = rows()
    whole = loader(dataset, BOTH).batch(1)
    parts = [loader(dataset, BOTH, rank=n, world_size=2).batch(1) for n in range(2)]
    assert torch.equal(
        whole.targets["transcript"], torch.cat([part.targets["transcript"] for part in parts])
    )


def test_a_share_stays_as_it_is() -> None:
    half, plain = (loader(rows(), splice) for splice in (SpliceConfig(("audio",), share=0.5), None))
    same = [
        torch.equal(
            half.batch(n).targets["transcript"][row], plain.batch(n).targets["transcript"][row]
        )
        for n in range(15)
        for row in range(4)
    ]
    assert 0.45 < sum(same) / len(same) < 0.75  # some are put together as they were


def test_rows_without_times_stay_and_give_no_part() -> None:
    dataset = rows(lacking=(0, 1, 2, 3))
    splicing = Splicing(BOTH, len(dataset))
    for seed in range(20):
        draws = torch.Generator().manual_seed(seed)
        assert splicing(dataset[0], draws, lambda row: dataset[row]) is None
        spliced = splicing(dataset[4], draws, lambda row: dataset[row])
        assert spliced is not None
        assert spliced.items["text"] == "w40 w41 w42"


def test_a_part_of_a_part_is_counted_from_its_start() -> None:
    dataset = rows(1)
    items = dataset[0].items
    later = [{**w, "start": w["start"] - WORD, "end": w["end"] - WORD} for w in items["words"][1:]]
    row = Sample("s", "s", {**items, "audio": items["audio"].part(WORD), "words": later}, "t.csv:1")
    spliced = Splicing(SpliceConfig(("audio",), share=1.0), 1)(
        row, torch.Generator(), lambda _: row
    )
    assert spliced is not None
    assert isinstance(spliced.items["audio"], Joined)
    assert [(part.start, part.end) for part in spliced.items["audio"]] == [
        (pytest.approx(WORD), pytest.approx(2 * WORD)),
        (pytest.approx(2 * WORD), None),
    ]
    assert [word["start"] for word in spliced.items["words"]] == pytest.approx([0, WORD])


def said(name: str, count: int) -> Sample:
    """A row of so many words of WORD seconds, half a second before them and one behind, in which nothing is said."""
    times = [0.5 + n * WORD for n in range(count)]
    sound = np.zeros(round((1.5 + count * WORD) * RATE), np.float32)
    for start in times:
        sound[round(start * RATE) : round((start + WORD) * RATE)] = ord(name) / 1000
    words = [{"word": name, "start": start, "end": start + WORD} for start in times]
    items = {"audio": Media.sound(sound, RATE), "words": words, "text": " ".join(name * count)}
    return Sample(name, name, items, f"t.csv:{name}")


def test_words_are_where_they_are_heard_whatever_the_number_of_words() -> None:
    """A part may be a whole short row, and a row of one word may give no part."""
    dataset = [said("abcdef"[n], count) for n, count in enumerate((1, 1, 2, 3, 5, 6))]
    splicing = Splicing(SpliceConfig(("audio",), share=1.0, parts=6), len(dataset))
    put_together = 0
    for seed in range(60):
        draws = torch.Generator().manual_seed(seed)
        spliced = splicing(dataset[4 + seed % 2], draws, lambda row: dataset[row])
        if spliced is None:
            continue
        put_together += 1
        item = AUDIO.decode(spliced.items["audio"])
        heard = AUDIO.transform(item, train=False, generator=draws)[:, 0]
        for word in spliced.items["words"]:
            middle = heard[round((word["start"] + word["end"]) / 2 * RATE)]
            assert round(float(middle) * 1000) == ord(word["word"])
    assert put_together > 40


def test_a_part_that_ends_behind_its_recording_is_as_long_as_its_words() -> None:
    """So that sound and video stay side by side; a part that begins there is an error of the row."""
    first, second = rows(2)
    short = {"audio": Media.sound(np.ones(round(0.35 * RATE), np.float32), RATE)}
    part = Joined([short["audio"].part(0, 0.4), second.items["audio"].part(0, 0.4)])
    item = AUDIO.decode(part)
    assert len(AUDIO.transform(item, train=False, generator=torch.Generator())) == round(0.8 * RATE)
    seen = Joined([first.items["video"].part(0.8, 1.6), second.items["video"].part(0, 0.4)])
    frames = VIDEO.transform(VIDEO.decode(seen), train=False, generator=torch.Generator())
    assert frames[:, 0, 0, 0].tolist() == [2] * 8 + [10] * 4
    with pytest.raises(
        WeftError, match="the part begins at 0.5 s, but the recording ends at 0.350"
    ):
        AUDIO.decode(Joined([short["audio"].part(0.5, 0.6)]))


def test_all_of_a_long_video_is_seen() -> None:
    """Also what lies behind the most frames of a clip, and parts of videos that are not kept whole."""
    for seconds in (10, 40):
        pixels = np.arange(seconds * FRAME_RATE, dtype=np.uint16).astype(np.uint8)
        video = Media.frames(
            np.broadcast_to(pixels[:, None, None, None], (len(pixels), 8, 8, 3)).copy(), FRAME_RATE
        )
        joined = Joined([video.part(seconds - 2, seconds - 1.5), video.part(1, 1.3)])
        frames = VIDEO.transform(VIDEO.decode(joined), train=False, generator=torch.Generator())
        begin = (seconds - 2) * FRAME_RATE
        expected = [*range(begin, begin + 5), 10, 11, 12]
        assert frames[:, 0, 0, 0].tolist() == [number % 256 for number in expected]


def test_a_row_of_which_a_part_cannot_be_read_stays(caplog: pytest.LogCaptureFixture) -> None:
    dataset = rows(4)
    bad = dataset[3]
    gone = bad.items["audio"].of_kind("image")
    dataset[3] = Sample(bad.id, bad.group, {**bad.items, "audio": gone}, bad.source)
    made = loader(dataset, BOTH, errors=ErrorPolicy("skip", limit=1.0))
    for step in range(4):
        made.batch(step)
    assert [row.source for row in made.bad] == [bad.source]
    assert caplog.text.count("a row is not spliced, because one of its parts cannot be read") == 1


def test_words_that_overlap_are_in_order_of_time() -> None:
    words = [
        {"word": "a", "start": 0.0, "end": 1.0},
        {"word": "b", "start": 0.1, "end": 0.3},
        {"word": "c", "start": 0.1, "end": 0.3},
        {"word": "d", "start": 0.5, "end": 1.1},
    ]
    row = Sample("s", "s", {**rows(1)[0].items, "words": words}, "t.csv:1")
    splicing = Splicing(SpliceConfig(("audio",), share=1.0, parts=4), 1)
    for seed in range(20):
        spliced = splicing(row, torch.Generator().manual_seed(seed), lambda _: row)
        assert spliced is not None
        assert timed_words(spliced.items["words"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("w1 w2", "'words' has 'w1 w2', expected word, start and end in seconds"),
        ([{"word": "a", "start": 1, "end": 0.5}], "expected word, start and end"),
        (
            [{"word": "a", "start": 1, "end": 2}, {"word": "b", "start": 0, "end": 1}],
            "in order of time",
        ),
        ([{"word": "a", "start": float("nan"), "end": 2}], "expected word, start and end"),
        ([{"word": "a", "start": 1, "end": float("inf")}], "expected word, start and end"),
        ('[{"word": "a", "start": 1, "end": 0.5}]', "'words' has .* expected word, start and end"),
        ('[{"word": "a", "start": 1, "end": NaN}]', "'words' has .* expected word, start and end"),
        ('[{"word": "a", "start": 1', "'words' has .* expected word, start and end"),
        ("[" * 100_000, "'words' has .* expected word, start and end"),
        ("7", "'words' has 7, expected word, start and end"),
    ],
)
def test_times_that_are_none_are_an_error_of_the_row(words: Any, message: str) -> None:
    row = rows(1)[0]
    bad = Sample(row.id, row.group, {**row.items, "words": words}, row.source)
    with pytest.raises(DataError, match=message):
        Splicing(BOTH, 1)(bad, torch.Generator(), lambda _: bad)


def test_words_as_json_text_in_cells_of_a_table_are_read(tmp_path: Path) -> None:
    """As the lists of JSON lines are, though their pieces between commas occur again and again."""
    said = [{"word": word, "start": 0.2 * n, "end": 0.2 * n + 0.1} for n, word in enumerate("aba")]
    times = [said, said[:2], [], said, said[:1], None]
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "words"])
        writer.writerows(["a b", "" if one is None else json.dumps(one)] for one in times)
    lines = [json.dumps({"text": "a b", "words": one}) for one in times]
    (tmp_path / "b.jsonl").write_text("\n".join(lines))
    target = WordTimesConfig().build()
    cells, lists = (
        [row.items.get("words") for row in open_dataset(tmp_path / name)]
        for name in ("a.csv", "b.jsonl")
    )
    assert cells[5] is None
    read = [[target.read(raw) for raw in values[:5]] for values in (cells, lists)]
    assert (
        read[0]
        == read[1]
        == [[(w["start"], w["end"]) for w in one] for one in times[:5] if one is not None]
    )


def test_what_cannot_be_put_together_is_refused() -> None:
    with pytest.raises(ValueError, match="parts is 1, expected 2 or more"):
        SpliceConfig(("audio",), parts=1)
    with pytest.raises(ValueError, match=r"streams is \(\), expected one recording or more"):
        SpliceConfig(())
    row = Sample("s", "s", {**rows(1)[0].items, "audio": "a.wav"}, "t.csv:1")
    with pytest.raises(DataError, match="'audio' is 'a.wav', expected a recording"):
        Splicing(BOTH, 1)(row, torch.Generator(), lambda _: row)
