"""Training rows that become noise: a pure function of (seed, step), with the empty transcript as target."""

from typing import Any

import pytest
import torch
from made_media import tone

from weft.core.media import Media
from weft.core.records import Batch, Field
from weft.core.samples import Sample
from weft.data.columns import ModalitySource, TargetSource
from weft.data.loader import Loader
from weft.data.noise_only import NoiseOnly, NoiseOnlyConfig
from weft.data.row_changes import RowChanges
from weft.data.targets import NO_CLASS
from weft.data.targets.transcript import BLANK, TranscriptConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.noise import noise
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.text import TextConfig

RATE = 8000
AUDIO = AudioConfig(rate=RATE, spectrogram=SpectrogramConfig(mels=8)).build()
ROWS = [
    Sample(
        f"s{n}",
        f"g{n}",
        {"audio": Media.sound(tone(0.2, rate=RATE), RATE), "text": "ab"},
        f"t.csv:{n}",
    )
    for n in range(6)
]


def loader(
    share: float | None, seconds: tuple[float, float] = (0.3, 0.5), **options: Any
) -> Loader:
    target = TranscriptConfig("text").build()
    target.fit(["ab"])
    sources = {
        "audio": ModalitySource(ROWS, "audio", AUDIO),
        "transcript": TargetSource(ROWS, target),
    }
    config = None if share is None else NoiseOnlyConfig(share, seconds=seconds)
    only = config and NoiseOnly(config, {"audio": AUDIO}, {"transcript": target})
    return Loader(
        ROWS, sources, batch_size=6, seed=3, changes=RowChanges(noise_only=only), **options
    )


def sounds(batch: Batch) -> Field:
    found = batch.inputs["audio"]
    assert isinstance(found, Field)
    return found


def silent(batch: Batch) -> torch.Tensor:
    return batch.targets["transcript"][:, 0] == BLANK


@pytest.mark.parametrize("workers", [0, 3])
def test_the_step_alone_decides(workers: int) -> None:
    expected = [loader(0.5).batch(n) for n in range(2, 5)]
    found = list(loader(0.5, workers=workers).batches(2, 5))
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(sounds(one).values, sounds(other).values)
        assert torch.equal(one.targets["transcript"], other.targets["transcript"])


def test_two_ranks_see_what_one_does() -> None:
    whole = loader(0.5).batch(1)
    parts = [loader(0.5, rank=n, world_size=2).batch(1) for n in range(2)]
    assert torch.equal(silent(whole), torch.cat([silent(part) for part in parts]))


def test_a_share_of_the_rows_is_noise_and_the_others_stay() -> None:
    share, plain = loader(0.3), loader(None)
    noisy = []
    for step in range(30):
        batch, same = share.batch(step), plain.batch(step)
        noisy += silent(batch).tolist()
        frames_B = sounds(batch).real.sum(1)
        for row in range(6):
            if silent(batch)[row]:
                assert batch.targets["transcript"][row].tolist()[1:] in ([], [NO_CLASS])
                assert 31 <= frames_B[row] <= 51
            else:
                count = int(frames_B[row])
                assert torch.equal(sounds(batch).values[row, :count], sounds(same).values[row])
    assert 0.2 < sum(noisy) / len(noisy) < 0.4


def test_noise_is_finite_and_as_loud_as_it_may_be() -> None:
    for seed in range(60):
        samples = noise(1 + 50 * seed, RATE, torch.Generator().manual_seed(seed))
        assert samples.shape == (1 + 50 * seed,)
        assert samples.abs().max() <= 1.001  # and not NaN


def test_what_makes_no_noise_is_refused() -> None:
    text = TextConfig().build()
    with pytest.raises(ValueError, match="noise_only.stream is 'audio', a Text, expected sounds"):
        NoiseOnly(NoiseOnlyConfig(0.1), {"audio": text}, {})
    with pytest.raises(ValueError, match="seconds is"):
        NoiseOnlyConfig(0.1, seconds=(2.0, 1.0))
