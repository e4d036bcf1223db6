"""Masked image modelling: what is hidden, and what it costs."""

from dataclasses import replace

import pytest
import tiny_objectives as tiny
import torch

from weft.core.records import Batch, Field
from weft.objectives.masked_patches import GREY, MaskedPatches, MaskedPatchesConfig, patches_of

CONFIG = MaskedPatchesConfig(dim=tiny.DIM, patch_size=4)


def objective(config: MaskedPatchesConfig = CONFIG) -> MaskedPatches:
    torch.manual_seed(0)
    return config.build()


def test_whole_blocks_become_grey_at_the_share_asked_for() -> None:
    torch.manual_seed(0)
    field = Field(torch.zeros(50, 3, 32, 32, dtype=torch.uint8))
    built = objective(CONFIG.replace(block=2))
    rows = Batch({"image": field}, [str(n) for n in range(50)], torch.arange(50))
    blocks = built.choose(rows, field)
    assert blocks.shape == (50, 4, 4)
    assert blocks.float().mean() == pytest.approx(0.6, abs=0.03)
    grey = built.hidden(field.values, blocks) == GREY
    cells = grey.view(50, 3, 4, 8, 4, 8).permute(0, 2, 4, 1, 3, 5).flatten(3)
    assert torch.equal(cells.all(3), blocks)
    assert torch.equal(cells.any(3), blocks)


@pytest.mark.parametrize("block", [1, 2])
def test_the_cost_is_the_error_of_the_hidden_patches(block: int) -> None:
    model, rows = tiny.model().eval(), tiny.without(tiny.batch(), "image", [2])
    built = objective(CONFIG.replace(block=block))
    rows = replace(rows, seeds=torch.arange(6))
    loss = built(model, rows, tiny.streams(model, rows))
    field = rows.inputs["image"]
    assert isinstance(field, Field)
    blocks = built.choose(rows, field)
    assert not blocks[2].any()
    grey = replace(field, values=built.hidden(field.values, blocks))
    features = {
        "text": model.encode("text", rows.inputs["text"]),
        "image": model.encode("image", grey),
    }
    tokens = model.fuse(features)["image"].tokens[:, 1:]
    costs = []
    for row in range(6):
        for place in range(16):
            down, right = divmod(place, 4)
            if blocks[row, down // block, right // block]:
                pixels = field.values[row, :, 4 * down : 4 * down + 4, 4 * right : 4 * right + 4]
                wanted = pixels.flatten() / 127.5 - 1
                costs.append((built.out(tokens[row, place]) - wanted).abs().mean())
    torch.testing.assert_close(loss.total, torch.stack(costs).mean())
    assert 0 < loss.terms["even"].item() < 1


def test_patches_are_in_the_order_of_the_encoder() -> None:
    model, rows = tiny.model(), tiny.batch()
    encoder = model.encoder("image")
    pixels = rows.inputs["image"].values
    found = encoder.patch(patches_of(pixels, 4)) + encoder.positions[1:]
    torch.testing.assert_close(
        found, encoder.embed(rows.inputs["image"])[:, 1:], atol=1e-5, rtol=1e-5
    )


def test_a_hidden_patch_is_the_bias_of_the_encoder() -> None:
    encoder = tiny.model().encoder("image")
    grey = Field(torch.full((1, 3, 16, 16), GREY, dtype=torch.uint8))
    found = encoder.embed(grey)[0, 1:] - encoder.positions[1:]
    torch.testing.assert_close(found, encoder.patch.bias.expand(16, 8), atol=0.02, rtol=0)


def test_what_does_not_fit_is_named() -> None:
    model, rows = tiny.model(), tiny.batch()
    with pytest.raises(ValueError, match="16 x 16 pixels, expected multiples of 12"):
        objective(CONFIG.replace(block=3))(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match=r"17 tokens, expected one for each of the 64 patches"):
        objective(CONFIG.replace(patch_size=2))(model, rows, tiny.streams(model, rows))
    with pytest.raises(ValueError, match="mask_ratio is 2"):
        CONFIG.replace(mask_ratio=2.0)
