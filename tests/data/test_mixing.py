"""Rows of training mixed in pairs: a pure function of (seed, step), with the ratio as target."""

from typing import Any

import numpy as np
import pytest
import torch

from weft.core.media import Media
from weft.core.samples import Sample
from weft.data.columns import ModalitySource, TargetSource
from weft.data.loader import Loader
from weft.data.mixing import OTHER, RATIO, MixConfig, Mixing, mixed_target
from weft.data.row_changes import RowChanges
from weft.data.targets.classes import ClassesConfig
from weft.modalities.audio import AudioConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig

RATE = 8000
AUDIO = AudioConfig(rate=RATE).build()


def tone(hertz: float, samples: int = 800) -> np.ndarray:
    return np.sin(np.arange(samples) * 2 * np.pi * hertz / RATE).astype(np.float32) / 2


def rows(count: int = 6, lacking: tuple[int, ...] = ()) -> list[Sample]:
    found = []
    for n in range(count):
        items: dict[str, Any] = {"label": f"class {n % 3}"}
        if n not in lacking:
            items["audio"] = Media.sound(tone(200.0 * (n + 1), 800 + 80 * n), RATE)
        found.append(Sample(f"s{n}", f"g{n}", items, f"t.csv:{n}"))
    return found


def loader(dataset: list[Sample], mix: MixConfig | None, **options: Any) -> Loader:
    classes = ClassesConfig("label").build()
    classes.fit([row.items["label"] for row in dataset])
    sources = {
        "audio": ModalitySource(dataset, "audio", AUDIO, optional=True),
        "label": TargetSource(dataset, classes),
    }
    mixing = None if mix is None else Mixing(mix, {"audio": AUDIO}, len(dataset))
    return Loader(
        dataset, sources, batch_size=4, seed=3, changes=RowChanges(mixing=mixing), **options
    )


@pytest.mark.parametrize("workers", [0, 3])
def test_the_step_alone_decides(workers: int) -> None:
    dataset, mix = rows(), MixConfig(("audio",))
    expected = [loader(dataset, mix).batch(n) for n in range(2, 6)]
    found = list(loader(dataset, mix, workers=workers).batches(2, 6))
    for one, other in zip(expected, found, strict=True):
        assert torch.equal(one.inputs["audio"].values, other.inputs["audio"].values)  # type: ignore[union-attr]
        assert all(torch.equal(one.targets[name], other.targets[name]) for name in one.targets)
        assert set(one.targets) == {"label", RATIO, f"{OTHER}label"}


def test_two_ranks_see_what_one_does() -> None:
    dataset, mix = rows(), MixConfig(("audio",))
    whole = loader(dataset, mix).batch(1)
    parts = [loader(dataset, mix, rank=n, world_size=2).batch(1) for n in range(2)]
    assert torch.equal(whole.targets[RATIO], torch.cat([part.targets[RATIO] for part in parts]))


def test_the_own_row_is_the_larger_part_and_a_share_stays_as_it_is() -> None:
    plain = loader(rows(), None)
    half = loader(rows(), MixConfig(("audio",), share=0.5))
    ratios = []
    for step in range(40):
        batch, same = half.batch(step), plain.batch(step)
        ratio_B, _ = mixed_target(batch, "label") or (torch.ones(0), None)
        assert torch.equal(batch.targets["label"], same.targets["label"])
        for row in (ratio_B == 1).nonzero()[:, 0].tolist():
            audio, before = batch.inputs["audio"], same.inputs["audio"]
            assert torch.equal(audio.values[row], before.values[row])  # type: ignore[union-attr]
        ratios += ratio_B.tolist()
    assert min(ratios) >= 0.5
    assert 0.35 < float((torch.tensor(ratios) == 1).float().mean()) < 0.65
    assert mixed_target(plain.batch(0), "label") is None


def test_rows_without_the_stream_are_not_mixed() -> None:
    batch = loader(rows(lacking=(0, 1, 2, 3, 4)), MixConfig(("audio",))).batch(0)
    lacking = [row for row, name in enumerate(batch.ids) if name != "s5"]
    assert (batch.targets[RATIO][lacking] == 1).all()


def test_powers_of_sounds_add() -> None:
    generator = torch.Generator()
    one, other = (
        AUDIO.transform(AUDIO.decode(Media.sound(s, RATE)), train=False, generator=generator)
        for s in (tone(500), np.random.default_rng(0).normal(0, 0.1, 400).astype(np.float32))
    )
    mixed = AUDIO.mix(one, other, 0.7)
    powers = [(values * 4 - 14).exp() for values in (one, other, mixed)]
    count = len(other)
    torch.testing.assert_close(powers[2][:count], 0.7 * powers[0][:count] + 0.3 * powers[1])
    torch.testing.assert_close(powers[2][count:], 0.7 * powers[0][count:])


def test_pictures_lie_over_each_other() -> None:
    image = ImageConfig(size=4).build()
    black, white = (torch.full((3, 4, 4), v, dtype=torch.uint8) for v in (0, 200))
    assert (image.mix(white, black, 0.75) == 150).all()


def test_what_cannot_be_mixed_is_refused() -> None:
    text = TextConfig().build()
    with pytest.raises(ValueError, match="mix.streams names 'text', a Text, expected sounds"):
        Mixing(MixConfig(("text",)), {"text": text}, 3)
    with pytest.raises(ValueError, match="mix.streams names 'audio', no stream"):
        Mixing(MixConfig(("audio",)), {"text": text}, 3)
