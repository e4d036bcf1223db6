"""One training step of CLIP ViT-B/32 and ViT-B/16 on a GPU, bf16, as it is and compiled: --device cuda

Both sides take the same random weights' shape, pictures that already lie on the GPU and captions as long as those
of Flickr8k; open_clip computes all 77 positions of each. MFU is the arithmetic that the real tokens need, a second,
as a share of what the GPU reaches in one large bf16 product, measured here. The breakdown is our step's, from
torch.profiler. python -m benchmarks.lines.gpu_step goes the same way with a tiny model on the CPU, both sides, to
show that it works; its numbers say nothing of a GPU.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmarks import page, peers
from benchmarks.lines.clip_step import LENGTHS, Step, peer_step
from benchmarks.measure import (
    Comparison,
    Measured,
    Setting,
    alternate,
    faster,
    seconds,
    smaller,
    value,
)
from weft.architectures.clip import clip
from weft.architectures.model import ModelConfig
from weft.core.records import Batch, Field
from weft.encoders.vit import ViTConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep

Device = Literal["cpu", "cuda"]
CONTEXT = 77
MIB = 2**20


@dataclass(frozen=True)
class Shape:
    """A CLIP with heads of 64: its picture tower (image, patch, width, depth) and its text tower."""

    name: str
    patch: int
    batch: int
    image: int = 224
    width: int = 768
    depth: int = 12
    text_width: int = 512
    text_depth: int = 12
    embedding: int = 512
    vocabulary: int = 49408

    @property
    def tokens(self) -> int:
        """Of a picture, the class token among them."""
        return (self.image // self.patch) ** 2 + 1


SHAPES = (Shape("ViT-B/32", 32, 512), Shape("ViT-B/16", 16, 256))
TINY = Shape(
    "tiny", 16, 32, image=64, width=128, depth=2, text_width=64, text_depth=2, embedding=64
)


def measure(setting: Setting) -> list[Comparison]:
    if setting.device == "cpu":
        note = "needs a GPU and --device cuda"
        return [Comparison(f"step, {shape.name}, bf16", note=note) for shape in SHAPES]
    peak = product_rate(8192, setting.device)
    return [
        row
        for shape in SHAPES
        for compiled in (False, True)
        for row in compared(shape, compiled, peak, setting)
    ]


def compared(shape: Shape, compiled: bool, peak: float, setting: Setting) -> list[Comparison]:
    """Step, memory, MFU of both sides, and what our step spends its time on."""
    device, name = setting.device, f"{shape.name}, bf16" + (", compiled" if compiled else "")
    torch.manual_seed(0)
    ours, theirs = our_step(shape, device, compiled), open_clip_step(shape, device, compiled)
    times = alternate(ours, theirs, rounds=setting.rounds, warmup=3)
    step = faster(f"step, {name}", *times, note=f"batch of {shape.batch}")
    found = [step]
    for side, took in (("ours", step.ours), ("open_clip", step.theirs)):
        share = 100 * useful_operations(shape) / (took or 1) / peak
        found.append(value(f"MFU, {name}, {side}", share, unit="%"))
    if device == "cuda":
        held = [[added_memory(side)] for side in (ours, theirs)]
        found.append(smaller(f"memory that a step adds, {name}", *held))
    parts = breakdown(ours, device)
    found += [value(f"time, {name}: {part}", 100 * s, unit="%") for part, s in parts.items()]
    return found


def lengths(shape: Shape) -> Tensor:
    """(B,) tokens of each caption."""
    some = torch.tensor([length for length, times in LENGTHS for _ in range(times)])
    return some.repeat(-(-shape.batch // len(some)))[: shape.batch]


def useful_operations(shape: Shape) -> float:
    """Multiplications and additions of a forward and backward pass over the real tokens.

    A linear map of n weights takes 2 n a token and direction (there are three); a block has 12 D^2
    weights; attention takes 4 T D a token and direction. Norms and activations are not counted.
    """

    def tower(counts: Tensor, width: int, depth: int) -> float:
        linear = 12 * width**2 * float(counts.sum())
        return 6 * depth * linear + 12 * depth * width * float((counts**2).sum())

    patches = shape.batch * (shape.tokens - 1)
    pictures = torch.full((shape.batch,), shape.tokens)
    heads = shape.batch * shape.embedding * (shape.width + shape.text_width + shape.batch)
    return (
        tower(pictures, shape.width, shape.depth)
        + tower(lengths(shape), shape.text_width, shape.text_depth)
        + 4 * patches * 3 * shape.patch**2 * shape.width  # the pictures need no gradient
        + 6 * heads
    )


def our_step(shape: Shape, device: Device, compiled: bool) -> Step:
    model = our_config(shape).build().to(device)
    step = TrainStep(model, {"contrastive": SoftmaxContrastiveConfig().build().to(device)})
    run = RunConfig(batch_size=shape.batch, precision="bf16", device=device, compile=compiled)
    train = single_player(step, OptimConfig(lr=1e-4, eps=1e-6), run)
    images, ids, counts = data(shape)
    longest = int(counts.max())
    text = Field(ids[:, :longest], torch.arange(longest) < counts[:, None])
    rows = Batch(
        inputs={"image": Field(images), "text": text},
        targets={},
        ids=tuple(map(str, range(shape.batch))),
        groups=torch.arange(shape.batch),
    ).to(device)
    return lambda: train.turn(rows)


def our_config(shape: Shape) -> ModelConfig:
    towers = [
        clip(
            vocab_size=shape.vocabulary,
            image_size=shape.image,
            patch_size=shape.patch,
            width=width,
            depth=shape.depth,
            text_depth=shape.text_depth,
            max_length=CONTEXT,
            embedding=shape.embedding,
        )
        for width in (shape.width, shape.text_width)
    ]
    image = towers[0].encoders["image"]
    assert isinstance(image, ViTConfig)
    image = image.replace(input_norm=True, patch_bias=False, norm_eps=1e-5)
    names = dict(zip(("image", "text"), towers, strict=True))
    return ModelConfig(
        encoders={"image": image, "text": towers[1].encoders["text"]},
        projections={name: tower.projections[name] for name, tower in names.items()},
    )


def open_clip_step(shape: Shape, device: Device, compiled: bool) -> Step:
    open_clip = peers.open_clip()
    picture = {"layers": shape.depth, "width": shape.width, "head_width": 64}
    picture |= {"patch_size": shape.patch, "image_size": shape.image}
    text = {"context_length": CONTEXT, "vocab_size": shape.vocabulary, "width": shape.text_width}
    text |= {"heads": shape.text_width // 64, "layers": shape.text_depth}
    model = open_clip.CLIP(shape.embedding, picture, text, output_dict=True).to(device)
    forward: Callable[..., Any] = torch.compile(model) if compiled else model
    loss = open_clip.ClipLoss()
    images, ids, _ = data(shape)
    pixels, ids = ((images / 255 - 0.5) / 0.5).to(device), ids.to(device)
    return peer_step(model, lambda: loss(**forward(pixels, ids)), "bf16", device=device)


def data(shape: Shape) -> tuple[Tensor, Tensor, Tensor]:
    """uint8 pictures, ids (B, 77) padded with 0 and ending with the highest, lengths (B,)."""
    generator = torch.Generator().manual_seed(0)
    size = (shape.batch, 3, shape.image, shape.image)
    images = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    counts = lengths(shape)
    ids = torch.randint(1, shape.vocabulary - 2, (shape.batch, CONTEXT), generator=generator)
    places = torch.arange(CONTEXT)
    ids[places == counts[:, None] - 1] = shape.vocabulary - 1
    return images, ids.masked_fill(places >= counts[:, None], 0), counts


def product_rate(size: int, device: Device) -> float:
    """Operations a second of one bf16 product of two (size, size) matrices, the best of ten."""
    one = torch.randn(size, size, dtype=torch.bfloat16, device=device)
    return 2 * size**3 / min(seconds(lambda: one @ one) for _ in range(10))


def added_memory(step: Step) -> float:
    """MiB that a step holds at its peak beside the weights and the optimizer's state."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return (torch.cuda.max_memory_allocated() - before) / MIB


KINDS = {
    "attention": ("attention", "attn", "fmha", "flash", "softmax", "bmm", "dropout"),
    "optimizer and clipping": ("adam", "foreach", "vector_norm", "clip"),
    "matrix products": ("mm", "gemm", "cutlass", "linear", "nvjet"),
    "norms": ("layer_norm", "layernorm"),
    "activations": ("gelu",),
    "copies and casts": ("copy", "cast", "memset", "memcpy", "cat", "fill"),
}
"""A part of the step, and words in the names of what runs for it; the first kind that fits counts."""


def breakdown(step: Step, device: Device) -> dict[str, float]:
    """Share of a step's time of each kind of operation (on a GPU: of its kernels' time)."""
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as record:
        step()
        if device == "cuda":
            torch.cuda.synchronize()
    shares = dict.fromkeys([*KINDS, "the rest"], 0.0)
    for event in record.key_averages():
        took = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        name = event.key.lower()
        kinds = (kind for kind, words in KINDS.items() if any(word in name for word in words))
        shares[next(kinds, "the rest")] += took
    whole = sum(shares.values()) or 1.0
    return {kind: took / whole for kind, took in shares.items()}


if __name__ == "__main__":
    rehearsal = Setting(torch.get_num_threads(), "cpu", rounds=3)
    for row in compared(TINY, False, product_rate(512, "cpu"), rehearsal):
        print(page.printed(Measured("gpu_step", rehearsal.threads, row)))
