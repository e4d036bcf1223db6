"""Every encoder, fusion and decoder as a module from tensors to tensors, with inputs to try it on."""

from collections.abc import Sequence
from dataclasses import dataclass

import tiny_decoders
import tiny_encoders
import tiny_fusions
import torch
import torch.nn.functional as F
from tiny_drawing import VELOCITIES, noise_for
from tiny_encoders import shallow
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.interfaces import JOINT
from weft.core.records import Features, Field
from weft.decoders.classifier import ClassifierConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.timesformer import TimeSformerConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vivit import ViViTConfig

NO_ID = 10**9
"""Stands in the padding of ids: no table has it."""
TEXTS = 2
"""Texts of each context, for decoders of text."""


def real(tokens: Tensor, mask: Tensor) -> Tensor:
    """What may be compared: padding may hold anything, where a fusion returns it as it came."""
    return tokens.masked_fill(~mask.view(*mask.shape, *(1,) * (tokens.ndim - mask.ndim)), 0)


class Encoding(nn.Module):
    """Values, and mask where there is one -> tokens and pooled vector."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        features = self.part(Field(*tensors))
        return real(features.tokens, features.mask), features.pooled


class Fusing(nn.Module):
    """Tokens, mask and pooled vector of each stream -> all tokens and pooled vectors."""

    def __init__(self, part: nn.Module, streams: Sequence[str]) -> None:
        super().__init__()
        self.part = part
        self.streams = list(streams)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        given = {s: Features(*tensors[3 * n : 3 * n + 3]) for n, s in enumerate(self.streams)}
        fused = self.part(given)
        tokens = [real(fused[s].tokens, fused[s].mask) for s in (*self.streams, JOINT)]
        return (*tokens, *(fused[s].pooled for s in (*self.streams, JOINT)))


class Decoding(nn.Module):
    """Tokens, mask and pooled vector of contexts; ids and mask of texts (B, TEXTS, T) -> logits."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        assert tensors[3].shape[0] == tensors[0].shape[0]
        prefix = Field(*(part.flatten(0, 1) for part in tensors[3:]))
        logits = self.part(Features(*tensors[:3]), prefix)
        assert prefix.mask is not None
        return (real(logits, prefix.mask),)


class Classifying(nn.Module):
    """Pooled vectors -> logits."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.part = part

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        (pooled,) = tensors
        return (
            self.part(
                Features(pooled[:, None], torch.zeros_like(pooled[:, :1], dtype=torch.bool), pooled)
            ),
        )


class Drawing(nn.Module):
    """Tokens, mask and pooled vector of contexts, and noise where there is some -> what is drawn in guided steps."""

    def __init__(self, part: nn.Module, steps: int) -> None:
        super().__init__()
        self.part = part
        self.way = DrawingConfig(steps=steps, guidance=1.5)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        context, noise = Features(*tensors[:3]), tensors[3] if len(tensors) > 3 else None
        return (self.part.draw(context, noise, self.way),)


@dataclass(frozen=True)
class Case:
    """module: of tensors (B, ...). tensors: its inputs. lengths: for each of them, the names of its
    dimensions of any size after the batch's, by place. longest: what `length` may be at most."""

    module: nn.Module
    tensors: tuple[Tensor, ...]
    lengths: tuple[dict[int, str], ...]
    longest: int = 64

    def rows(self, chosen: list[int]) -> tuple[Tensor, ...]:
        """The inputs of those rows."""
        return tuple(tensor[chosen] for tensor in self.tensors)

    def wider(self, chosen: list[int], columns: int) -> tuple[Tensor, ...]:
        """The same, with so many more places of padding."""
        found = []
        for tensor, lengths in zip(self.rows(chosen), self.lengths, strict=True):
            poison = {torch.bool: False, torch.int64: NO_ID, torch.uint8: 255}.get(
                tensor.dtype, torch.nan
            )
            pads = [(0, columns if place in lengths else 0) for place in range(tensor.ndim)]
            found.append(F.pad(tensor, [n for pad in pads[::-1] for n in pad], value=poison))
        return tuple(found)


def config_of(case: tiny_encoders.Case | Config) -> Config:
    """The config of the part that a case is about."""
    return case.config if isinstance(case, tiny_encoders.Case) else case


def encoder(case: tiny_encoders.Case) -> Case:
    """The second of the four rows has no token, where there are masks."""
    field = tiny_encoders.inputs(case.kind)
    module = Encoding(tiny_encoders.built_shallow(case))
    if field.mask is None:
        return Case(module, (field.values,), ({},))
    mask = field.mask.clone()
    mask[1] = False
    # Pretrained towers and those that fill every text up have as many places as their texts may have tokens.
    filled = isinstance(case.config, TextTransformerConfig) and case.config.filled_with is not None
    longest = 12 if filled or isinstance(case.config, PretrainedConfig) else 64
    # Of lengths that are halved, or multiplied by patches, torch.export cannot prove that they fit; a graph has sounds
    # and films of one length.
    fixed = case.kind == "frames" or isinstance(case.config, TimeSformerConfig | ViViTConfig)
    length = {} if fixed else {1: "length"}
    return Case(module, (field.values, mask), (length, length), longest)


def fusion(config: Config) -> Case:
    """The second row lacks the first stream, the third every one."""
    config = shallow(config)
    streams = tiny_fusions.streams(config)
    tensors: list[Tensor] = []
    for number, whole in enumerate(streams.values()):
        features = whole.where(torch.tensor([True, number > 0, False, True]))
        empty = features.tokens.masked_fill(~features.mask[..., None], torch.nan)
        tensors += [empty, features.mask, features.pooled]
    lengths: list[dict[int, str]] = []
    for stream in streams:
        lengths += [{1: stream}, {1: stream}, {}]
    return Case(Fusing(tiny_fusions.built(config), list(streams)), tuple(tensors), tuple(lengths))


def decoder(config: Config) -> Case:
    """Of a decoder of text: the third context has no token, its first text none either."""
    context = tiny_decoders.contexts()
    part = tiny_decoders.built(shallow(config))
    if isinstance(config, ClassifierConfig):
        return Case(Classifying(part), (context.pooled,), ({},))
    prefix = tiny_decoders.prefixes(TEXTS)
    assert prefix.mask is not None
    mask = prefix.mask.clone()
    mask[4] = False
    ids = prefix.values.masked_fill(~mask, NO_ID)
    tokens = context.tokens.masked_fill(~context.mask[..., None], torch.nan)
    texts = (part.unflatten(0, (-1, TEXTS)) for part in (ids, mask))
    return Case(
        Decoding(part),
        (tokens, context.mask, context.pooled, *texts),
        ({1: "context"}, {1: "context"}, {}, {2: "length"}, {2: "length"}),
        longest=part.max_length,
    )


def drawer(config: Config) -> Case:
    """The third context has no token. Flows take one step, since a graph repeats the network for each; the
    one over patches takes two."""
    context, part = tiny_decoders.contexts(), tiny_decoders.built(shallow(config))
    steps = 2 if config == FlowConfig(VELOCITIES["patches"]) else 1
    noise = noise_for(part.noise)
    tokens = context.tokens.masked_fill(~context.mask[..., None], torch.nan)
    own = () if noise is None else (noise,)
    return Case(
        Drawing(part, steps),
        (tokens, context.mask, context.pooled, *own),
        ({1: "context"}, {1: "context"}, {}, *({} for _ in own)),
    )
