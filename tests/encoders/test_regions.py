import pytest
import torch
from torch import nn

from weft.core.records import Field
from weft.encoders.regions import RegionsConfig
from weft.layers.transformer import TransformerConfig

BOXES = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.25, 0.5, 1.0, 0.75]]])
FEATURES = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(0))
FIELD = Field(torch.cat([BOXES, FEATURES], dim=2))


def built(**settings: object) -> nn.Module:
    torch.manual_seed(0)
    return RegionsConfig(3, dim=8).replace(**settings).build().eval()


def test_vilbert_normalises_the_sum_of_feature_and_box_with_area() -> None:
    encoder = built(position="box_area")
    geometry = torch.cat([BOXES, torch.tensor([[[0.25], [0.1875]]])], dim=2)
    wanted = encoder.norm(encoder.feature(FEATURES) + encoder.position(geometry))
    torch.testing.assert_close(encoder(FIELD).tokens, wanted)
    torch.testing.assert_close(encoder(FIELD).pooled, wanted.mean(dim=1))


def test_lxmert_averages_normalised_feature_and_box() -> None:
    encoder = built(norm="each")
    wanted = (
        encoder.feature_norm(encoder.feature(FEATURES))
        + encoder.position_norm(encoder.position(BOXES))
    ) / 2
    torch.testing.assert_close(encoder(FIELD).tokens, wanted)


def test_without_positions_boxes_do_not_matter() -> None:
    encoder = built(position="none", norm="none")
    torch.testing.assert_close(encoder(FIELD).tokens, encoder.feature(FEATURES))


def test_settings_and_inputs_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"regions .* has shape \(1, 2, 7\), expected .* F = 9"):
        RegionsConfig(5, dim=8).build()(FIELD)
    with pytest.raises(ValueError, match="feature_dim is 0"):
        RegionsConfig(0)
    with pytest.raises(ValueError, match=r"transformer.dim is 4, expected 8"):
        RegionsConfig(3, dim=8, transformer=TransformerConfig(4, 1, 1, norm="post"))
    with pytest.raises(ValueError, match=r"transformer.norm is 'pre'"):
        RegionsConfig(3, dim=8, transformer=TransformerConfig(8, 1, 1))
