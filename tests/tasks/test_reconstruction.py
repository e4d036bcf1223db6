"""How near reconstructions are: PSNR, log-spectral distance and tokens against plain loops."""

import math

import numpy as np
import pytest
import torch
from every_task import member

from weft.core.records import Field
from weft.data.learned import Learned
from weft.heads.pictures import PictureOutput, PictureValues
from weft.heads.sounds import SoundOutput
from weft.heads.texts import TextOutput, TextValues
from weft.inference.member import Member
from weft.modalities.audio import Audio, AudioConfig
from weft.modalities.pictures import stacked
from weft.modalities.spectrogram import SpectrogramConfig
from weft.tasks import reconstruction
from weft.tasks.reconstruction import LSD, MEAN, PSNR, TOKENS

BANDS, STD = 4, 3.0
AUDIO = AudioConfig(
    rate=8000,
    output="spectrogram",
    normalise="fixed",
    std=STD,
    spectrogram=SpectrogramConfig(mels=BANDS),
)


def likeness(known: Learned, output, values, field):  # type: ignore[no-untyped-def]
    model = member([]).model
    return reconstruction._likeness(Member(model, {}, known), output, values, field)


def test_psnr_of_pictures_is_that_of_their_bytes() -> None:
    random = torch.Generator().manual_seed(0)
    made, true = torch.randint(0, 256, (2, 3, 3, 4, 4), generator=random).to(torch.uint8)
    found = likeness(Learned(), PictureOutput(), PictureValues(made), Field(true))
    assert found.metric is PSNR
    assert found.of == MEAN
    for row in range(3):
        error = np.mean((made[row].double().numpy() - true[row].double().numpy()) ** 2)
        assert float(found.each[row]) == pytest.approx(10 * math.log10(255**2 / error), abs=1e-3)


def test_the_distance_of_sounds_is_over_the_frames_that_both_have() -> None:
    """In decibels; padding is not heard."""
    random = torch.Generator().manual_seed(1)
    made, true = ([torch.randn(n, BANDS, generator=random) for n in (5, 2)] for _ in range(2))
    true[0] = true[0][:3]
    audio, output = AUDIO.build(), SoundOutput()
    known = Learned({"audio": audio})
    assert isinstance(audio, Audio)
    field = stacked(true)
    field = Field(field.values.masked_fill(~field.real[..., None], 1e6), field.mask)
    found = likeness(known, output, output.as_drawn(stacked(made), known), field)
    assert found.metric is LSD
    assert LSD.better == "lower"
    for row, frames in enumerate((3, 2)):
        apart = (made[row][:frames] - true[row][:frames]).double().numpy()
        decibels = 10 / math.log(10) * STD * apart  # of natural logarithms of energies
        expected = np.mean([math.sqrt(np.mean(frame**2)) for frame in decibels])
        assert float(found.each[row]) == pytest.approx(expected, rel=1e-5)
    assert found.of == MEAN
    assert 0 < found.plain < 100
    same = likeness(known, output, output.as_drawn(field, known), field)
    assert not same.each.any()


def test_tokens_are_right_at_their_places() -> None:
    rows = member([])
    text = rows.modalities["text"]
    wanted = ["a red thing number", "a blue thing"]
    field = text.collate([text.transform(one, train=False, generator=torch.Generator()) for one in wanted])  # fmt: skip
    made = TextValues(("a red thing", "a red thing"))
    found = likeness(rows.learned, TextOutput(), made, field)
    assert found.metric is TOKENS
    assert found.each.tolist() == pytest.approx([75, 200 / 3])
    assert found.plain == pytest.approx(100 * (2 / 4 + 2 / 4) / 2)
