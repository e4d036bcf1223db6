"""Published models with random weights, and ours that were read from their files."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from weft.architectures.checkpoints import read_checkpoint
from weft.architectures.model import Model
from weft.core.records import Features, Field

VOCABULARY = 40
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 12,
}
IDS = torch.tensor([[2, 7, 9, 11, 3], [2, 5, 3, 0, 0]])
TEXT = Field(IDS.masked_fill(IDS == 0, 10**9), IDS > 0)


def shaken(model: torch.nn.Module) -> Any:
    """Random values everywhere, biases and norms too, so that none can be lost unseen."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.02, std=0.2)
    return model.eval()


def images(height: int = 16, width: int = 16) -> Field:
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, height, width)
    return Field(torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator))


def ours(model: Any, folder: Path) -> Model:
    model.save_pretrained(folder)
    return read_checkpoint(str(folder)).build().eval()


def fused(model: Model, image: Field) -> dict[str, Features]:
    with torch.no_grad():
        return model.fuse(
            {"text": model.encode("text", TEXT), "image": model.encode("image", image)}
        )


def assert_same_tokens(got: Features, wanted: Tensor) -> None:
    torch.testing.assert_close(got.tokens[got.mask], wanted[got.mask], atol=1e-4, rtol=1e-4)


def regions() -> tuple[Field, dict[str, Tensor]]:
    """Three regions and two, as ours and as theirs."""
    features = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(2))
    mask = torch.tensor([[True, True, True], [True, True, False]])
    boxes = torch.rand(2, 3, 4)
    theirs = {
        "input_ids": IDS,
        "attention_mask": (IDS > 0).long(),
        "visual_embeds": features,
        "visual_attention_mask": mask.long(),
    }
    return Field(torch.cat([boxes, features], dim=2), mask), theirs
