"""The error of drawn sounds is that of their real frames, however long the others of the batch are."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from weft.core.records import Batch, Features, Field
from weft.decoders.sound_convolutions import SoundConvolutionsConfig
from weft.heads.sounds import SoundOutput
from weft.modalities.pictures import stacked
from weft.objectives.reconstruction import ReconstructionConfig

WIDTH, FRAMES, BANDS = 6, 8, 4
CONFIG = ReconstructionConfig({"audio": 1.0})


def cost(config: ReconstructionConfig, sounds: list[Tensor], poison: float = 0.0) -> Tensor:
    """(B,) of these sounds; the context of each is a function of its first number."""
    torch.manual_seed(0)
    decoder = SoundConvolutionsConfig(WIDTH, FRAMES, BANDS, (8, 4), condition=8).build().eval()
    head = SimpleNamespace(output=SoundOutput(), decoder=decoder)
    model: Any = SimpleNamespace(head=lambda name: head)
    streams: Any = SimpleNamespace(by_rows=lambda compute, *rows: [compute(*rows)])
    field = stacked(sounds)
    field = Field(field.values.masked_fill(~field.real[..., None], poison), field.mask)
    pooled = torch.stack([sound[0, 0] * torch.arange(WIDTH) for sound in sounds])
    context = Features(pooled[:, None], torch.ones(len(sounds), 1, dtype=torch.bool), pooled)
    ids, groups = tuple(map(str, range(len(sounds)))), torch.arange(len(sounds))
    batch = Batch(inputs={"audio": field}, ids=ids, groups=groups)
    found = config.build().cost(model, "audio", batch, streams, context)
    assert found is not None
    return found.each.detach()


def sounds(*lengths: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n, BANDS, generator=generator) for n in lengths]


@pytest.mark.parametrize("config", [CONFIG, CONFIG.replace(pixel="absolute")])
def test_a_sound_alone_costs_what_it_costs_in_a_batch(config: ReconstructionConfig) -> None:
    given = sounds(8, 3, 5)
    together = cost(config, given)
    torch.testing.assert_close(cost(config, given, torch.nan), together)
    for row, sound in enumerate(given):
        torch.testing.assert_close(cost(config, [sound])[0], together[row])


def test_spectra_do_not_see_padding() -> None:
    config = CONFIG.replace(spectral=0.5)
    torch.testing.assert_close(
        cost(config, sounds(8, 3), torch.nan), cost(config, sounds(8, 3), 0.0)
    )


def test_a_sound_longer_than_what_is_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="'audio' has 9 frames, expected at most 8, which head"):
        cost(CONFIG, sounds(9, 2))
