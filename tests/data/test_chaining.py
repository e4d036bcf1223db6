"""Rows of training that are several recordings, one after another: sound, words and their times alike."""

import numpy as np
import pytest
import torch

from weft.core.errors import DataError
from weft.core.media import Joined, Media
from weft.core.samples import Sample
from weft.data.chaining import ChainConfig, Chaining
from weft.data.columns import ModalitySource, TargetSource
from weft.data.loader import Loader
from weft.data.row_changes import RowChanges
from weft.data.targets.word_times import WordTimesConfig
from weft.modalities.audio import AudioConfig

RATE = 1000
AUDIO = AudioConfig(rate=RATE, output="waveform").build()


def rows(count: int = 6) -> list[Sample]:
    """Row n says wn for n + 1 tenths of a second, in samples of n / 10; the speakers take turns."""
    return [
        Sample(
            f"s{n}",
            f"g{n}",
            {
                "audio": Media.sound(np.full((n + 1) * RATE // 10, n / 10, np.float32), RATE),
                "text": f"w{n}",
                "speaker": "ab"[n % 2],
            },
            f"t.csv:{n}",
        )
        for n in range(count)
    ]


def chained(config: ChainConfig, row: int = 0, seed: int = 0) -> Sample:
    made = Chaining(config, 6)(rows()[row], torch.Generator().manual_seed(seed), rows().__getitem__)
    assert made is not None
    return made


def heard(sample: Sample) -> np.ndarray:
    item = AUDIO.decode(sample.items["audio"])
    return AUDIO.transform(item, train=False, generator=torch.Generator())[:, 0].numpy()


@pytest.mark.parametrize("seed", range(5))
def test_sound_and_words_are_those_of_the_recordings_in_turn(seed: int) -> None:
    sample = chained(ChainConfig(rows=(3, 3)), seed=seed)
    numbers = [int(word[1:]) for word in sample.items["text"].split()]
    assert len(numbers) == 3
    assert numbers[0] == 0
    expected = np.concatenate([np.full((n + 1) * RATE // 10, n / 10, np.float32) for n in numbers])
    np.testing.assert_allclose(heard(sample), expected)
    ends = np.cumsum([(n + 1) / 10 for n in numbers])
    assert [word["word"] for word in sample.items["words"]] == [f"w{n}" for n in numbers]
    np.testing.assert_allclose([word["end"] for word in sample.items["words"]], ends)
    np.testing.assert_allclose([word["start"] for word in sample.items["words"]], [0, *ends[:-1]])


def test_numbers_of_recordings_are_in_range_and_all_occur() -> None:
    counts = {len(chained(ChainConfig(rows=(1, 4)), seed=s).items["words"]) for s in range(40)}
    assert counts == {1, 2, 3, 4}
    alone = chained(ChainConfig(rows=(1, 1)))
    assert isinstance(alone.items["audio"], Media)
    assert isinstance(chained(ChainConfig(rows=(2, 2))).items["audio"], Joined)


def test_all_recordings_are_of_one_speaker_where_that_is_asked_for() -> None:
    for seed in range(10):
        sample = chained(ChainConfig(rows=(4, 4), same="speaker"), seed=seed)
        assert {int(word[1:]) % 2 for word in sample.items["text"].split()} == {0}


def test_times_of_words_are_those_of_the_rows_where_they_have_some() -> None:
    timed = rows()
    timed[0].items["words"] = [{"word": "w0", "start": 0.02, "end": 0.05}]  # type: ignore[index]
    made = Chaining(ChainConfig(rows=(2, 2)), 6)(timed[0], torch.Generator(), timed.__getitem__)
    assert made is not None
    first, second = made.items["words"]
    assert (first["start"], first["end"]) == (0.02, 0.05)
    assert second["start"] >= 0.1


def test_a_row_without_words_is_named() -> None:
    sample = Sample("s", "s", {"audio": rows()[0].items["audio"]}, "t.csv:9")
    with pytest.raises(DataError, match="t.csv:9.*no 'audio' and 'text'"):
        Chaining(ChainConfig(), 6)(sample, torch.Generator(), rows().__getitem__)


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    def batch() -> torch.Tensor:
        data = rows()
        sources = {
            "audio": ModalitySource(data, "audio", AUDIO),
            "times": TargetSource(data, WordTimesConfig().build()),
        }
        changes = RowChanges(splicing=Chaining(ChainConfig(), len(data)))
        loader = Loader(data, sources, batch_size=4, seed=3, workers=0, changes=changes)
        (found,) = loader.batches(5, 6)
        assert found.targets["times"].isfinite().any(2).sum(1).max() <= 5
        return found.inputs["audio"].values  # type: ignore[union-attr]

    assert torch.equal(batch(), batch())


def test_fewest_stands_first() -> None:
    with pytest.raises(ValueError, match=r"rows is \(3, 2\), expected the fewest first"):
        ChainConfig(rows=(3, 2))
