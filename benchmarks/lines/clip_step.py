"""One training step of CLIP: forward, backward, clipping and AdamW on 32 pictures and captions.

Shape: 12 x 384 vision transformer at 128 px in patches of 16, 6 x 384 text transformer of context 77,
49,408 tokens, embeddings of 384. Captions are as long as those of Flickr8k. open_clip runs its own
model, loss and optimizer settings; transformers its CLIPModel with the same optimizer; ours is
`Player.turn`. Both sides start from the same weights where they can be exchanged (open_clip), and the
largest relative difference of the gradients is printed.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.clip_weights import from_open_clip
from benchmarks.measure import (
    Comparison,
    Setting,
    alternate,
    faster,
    in_process,
    peak_memory,
    smaller,
    value,
)
from weft.architectures.clip import clip
from weft.architectures.model import Model, ModelConfig
from weft.core.precision import Precision, autocast, bf16_is_faster
from weft.core.records import Batch, Field
from weft.encoders.vit import ViTConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep

BATCH, IMAGE, PATCH, WIDTH, CONTEXT, VOCABULARY = 32, 128, 16, 384, 77, 49408
END = VOCABULARY - 1
LENGTHS = (
    (7, 2),
    (9, 4),
    (10, 4),
    (11, 4),
    (12, 4),
    (13, 4),
    (14, 3),
    (16, 3),
    (18, 2),
    (21, 1),
    (25, 1),
)
"""Tokens of a caption with both ends, and how many of 32: the quantiles of Flickr8k."""

Step = Callable[[], object]


def measure(setting: Setting) -> list[Comparison]:
    found = [gradients()]
    aims: dict[Precision, float] = {"fp32": 1.5, "bf16": 1.8}
    for precision, aim in aims.items():
        if precision == "bf16" and not bf16_is_faster(setting.device):
            for peer in ("open_clip", "transformers"):
                note = "this processor has no bf16 instructions and emulates them"
                found.append(Comparison(f"step, bf16, against {peer}", note=note))
            continue
        for peer in ("open_clip", "transformers"):
            ours, theirs = SIDES["weft"](precision), SIDES[peer](precision)
            times = alternate(ours, theirs, rounds=setting.rounds)
            asked = aim if peer == "open_clip" else None
            found.append(faster(f"step, {precision}, against {peer}", *times, at_least=asked))
    return found + memory(setting)


def memory(setting: Setting) -> list[Comparison]:
    """Peak memory of processes that take three fp32 steps."""
    found: dict[str, list[list[float]]] = {side: [] for side in SIDES}
    for _ in range(2):
        for side, kept in found.items():
            kept.append(in_process("benchmarks.lines.clip_step", side, threads=setting.threads))
    ours = found.pop("weft")
    rows: list[Comparison] = []
    for peer, theirs in found.items():
        whole = [[peak for peak, _ in side] for side in (ours, theirs)]
        step = [[peak - before for peak, before in side] for side in (ours, theirs)]
        aim = 0.8 if peer == "open_clip" else None
        rows.append(smaller(f"peak memory of a step, against {peer}", *step, at_most=aim))
        rows.append(smaller(f"peak memory of the process, against {peer}", *whole))
    return rows


def gradients() -> Comparison:
    """The largest difference of any parameter's gradient, relative to the largest gradient of it."""
    model, loss = open_clip_model()
    ours = our_model()
    from_open_clip(model, ours)
    objective = SoftmaxContrastiveConfig().build()
    with torch.no_grad():
        model.logit_scale.copy_(objective.temperature.log_scale)
    images, ids, _ = data()
    loss(**model(normalized(images), ids)).backward()
    step = TrainStep(ours, {"contrastive": objective})
    step(batch()).total.backward()
    reference = our_model()
    from_open_clip(model, reference, gradients=True)
    wanted = dict(reference.named_parameters())
    worst = max(
        float((p.grad - wanted[name].detach()).abs().max() / wanted[name].detach().abs().max())
        for name, p in ours.named_parameters()
        if p.grad is not None
    )
    return value(
        "largest relative difference of gradients",
        worst,
        at_most=1e-3,
        note="against open_clip, fp32, same weights",
    )


def data() -> tuple[Tensor, Tensor, Tensor]:
    """uint8 pictures, ids (B, 77) padded with 0, and lengths (B,)."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, IMAGE, IMAGE), generator=generator).to(torch.uint8)
    lengths = torch.tensor([length for length, times in LENGTHS for _ in range(times)])
    lengths = lengths[torch.randperm(BATCH, generator=generator)]
    ids = torch.randint(1, VOCABULARY - 2, (BATCH, CONTEXT), generator=generator)
    places = torch.arange(CONTEXT)
    ids[:, 0] = VOCABULARY - 2
    ids[places == lengths[:, None] - 1] = END
    return images, ids.masked_fill(places >= lengths[:, None], 0), lengths


def batch() -> Batch:
    """The rows as our loader collates them: padded to the longest caption."""
    images, ids, lengths = data()
    longest = int(lengths.max())
    mask = torch.arange(longest) < lengths[:, None]
    return Batch(
        inputs={"image": Field(images), "text": Field(ids[:, :longest], mask)},
        targets={},
        ids=tuple(map(str, range(BATCH))),
        groups=torch.arange(BATCH),
    )


def normalized(images: Tensor) -> Tensor:
    return (images / 255 - 0.5) / 0.5


def our_config() -> ModelConfig:
    """CLIP as it was published: a norm before the first block, patches without bias."""
    config = clip(
        vocab_size=VOCABULARY, image_size=IMAGE, patch_size=PATCH, width=WIDTH, max_length=CONTEXT
    )
    image = config.encoders["image"]
    assert isinstance(image, ViTConfig)
    image = image.replace(input_norm=True, patch_bias=False, norm_eps=1e-5)
    return config.replace(encoders={**config.encoders, "image": image})


def our_model() -> Model:
    torch.manual_seed(0)
    return our_config().build()


def weft_step(precision: Precision) -> Step:
    step = TrainStep(our_model(), {"contrastive": SoftmaxContrastiveConfig().build()})
    optim = OptimConfig(lr=1e-4, eps=1e-6)
    trained = single_player(step, optim, RunConfig(batch_size=BATCH, precision=precision))
    rows = batch()
    return lambda: trained.turn(rows)


def open_clip_model() -> tuple[Any, nn.Module]:
    open_clip = peers.open_clip()
    torch.manual_seed(0)
    model = open_clip.CLIP(
        WIDTH,
        {"layers": 12, "width": WIDTH, "head_width": 64, "patch_size": PATCH, "image_size": IMAGE},
        {
            "context_length": CONTEXT,
            "vocab_size": VOCABULARY,
            "width": WIDTH,
            "heads": 6,
            "layers": 6,
        },
        output_dict=True,
    )
    return model, open_clip.ClipLoss()


def open_clip_step(precision: Precision) -> Step:
    model, loss = open_clip_model()
    images, ids, _ = data()
    pixels = normalized(images)
    return peer_step(model, lambda: loss(**model(pixels, ids)), precision)


def transformers_step(precision: Precision) -> Step:
    transformers = peers.transformers()
    torch.manual_seed(0)
    shape = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": 6}
    ends = {"bos_token_id": VOCABULARY - 2, "eos_token_id": END, "pad_token_id": 0}
    text = {"vocab_size": VOCABULARY, "num_hidden_layers": 6, "max_position_embeddings": CONTEXT}
    vision = {"num_hidden_layers": 12, "image_size": IMAGE, "patch_size": PATCH}
    config = transformers.CLIPConfig(
        text_config={**shape, **ends, **text, "hidden_act": "gelu", "projection_dim": WIDTH},
        vision_config={**shape, **vision, "hidden_act": "gelu", "projection_dim": WIDTH},
        projection_dim=WIDTH,
    )
    model = transformers.CLIPModel(config).train()
    images, ids, lengths = data()
    inputs = {
        "pixel_values": normalized(images),
        "input_ids": ids,
        "attention_mask": (torch.arange(CONTEXT) < lengths[:, None]).long(),
    }
    return peer_step(model, lambda: model(**inputs, return_loss=True).loss, precision)


def peer_step(
    model: nn.Module,
    forward: Callable[[], Any],
    precision: Precision,
    *,
    fused: bool = False,
    device: str = "cpu",
) -> Step:
    """Decay for matrices only; torch's default AdamW, as open_clip trains, or the fused one."""
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), eps=1e-6, fused=fused)

    def step() -> None:
        optimizer.zero_grad()
        with autocast(precision, device):
            loss = forward()
            if isinstance(loss, dict):
                loss = loss["contrastive_loss"]
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


SIDES: dict[str, Callable[[Precision], Step]] = {
    "weft": weft_step,
    "open_clip": open_clip_step,
    "transformers": transformers_step,
}

if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]) if len(sys.argv) > 2 else torch.get_num_threads())
    one_step = SIDES[sys.argv[1]]("fp32")
    held = peak_memory()
    for _ in range(3):
        one_step()
    print(json.dumps([peak_memory(), held]))
