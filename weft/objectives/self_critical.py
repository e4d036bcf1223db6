"""Self-critical training: captions that the model draws itself, rewarded by CIDEr-D.

Rennie et al. 2017, arXiv:1612.00563, section 3.1, with the mean reward of the other captions drawn of the
same picture as the baseline (Luo 2020, arXiv:2003.09971, equation 4), so that none is decoded greedily.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.architectures.model import Model
from weft.core.config import Config
from weft.core.interfaces import EncodedStreams, Objective
from weft.core.needs import Needs
from weft.core.records import Batch, Features, Field, Loss
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.evaluation.captions import Consensus
from weft.heads.texts import TextOutput
from weft.objectives.captioning import separate_texts, text_field, writer

Texts = list[list[int]]


class SelfCritical(nn.Module):
    """Makes drawn captions likelier as far as their CIDEr-D beats that of the others of their picture.

    Words are tokens, the end is one of them, so that breaking off early costs. Documents are the
    pictures of the batch. The total is a mean over captions; its value says nothing, the term "reward"
    does. A row without text teaches nothing.
    """

    def __init__(self, config: "SelfCriticalConfig") -> None:
        super().__init__()
        self.config = config
        self._sampling = GenerationConfig(method="sample", max_length=config.max_length)

    def forward(self, model: nn.Module, batch: Batch, streams: EncodedStreams) -> Loss:
        head = cast(Model, model).head(self.config.head)
        decoder, stream = writer(head, self.config.head)
        context = head.reads(streams.fused())
        told, start, end = _references(text_field(batch, stream))
        drawn = self._draw(decoder, context, start, end)
        rewards_BM = self._rewards(drawn, told, end).to(context.tokens.device)
        count = self.config.captions
        better_BM = (rewards_BM - rewards_BM.mean(1, keepdim=True)) * count / (count - 1)
        likelihood_R = _log_likelihood(decoder, context, drawn, start, end)
        total = -(better_BM.flatten() * likelihood_R).mean()
        lengths = torch.tensor([float(len(ids)) for ids in drawn])
        return Loss(total, {"reward": rewards_BM.mean(), "length": lengths.mean()})

    def _draw(
        self, decoder: AutoregressiveDecoder, context: Features, start: int, end: int
    ) -> Texts:
        """`captions` texts of each context, one after another."""
        device = context.tokens.device
        allowed = torch.arange(self.config.tokens, device=device) >= self.config.special
        seen = Features(
            context.tokens.detach().float(), context.mask, context.pooled.detach().float()
        )
        # Without autocast: weights that it casts without gradient it would give to the pass with one.
        with _evaluating(cast(nn.Module, decoder)), torch.autocast(device.type, enabled=False):
            return generate(
                [(decoder, seen)],
                Vocabulary(start, end, allowed),
                self._sampling,
                texts=self.config.captions,
            ).ids

    def _rewards(self, drawn: Texts, told: list[Texts], end: int) -> Tensor:
        """(B, M) CIDEr-D of each caption; zeros in a row without references."""
        consensus = Consensus([texts for texts in told if texts])
        count = self.config.captions
        return torch.tensor(
            [
                consensus.scores(
                    [self._ended(ids, end) for ids in drawn[row * count : (row + 1) * count]], texts
                )
                if texts
                else [0.0] * count
                for row, texts in enumerate(told)
            ]
        )

    def _ended(self, ids: list[int], end: int) -> list[int]:
        return ids if len(ids) == self.config.max_length else [*ids, end]


def _references(field: Field) -> tuple[list[Texts], int, int]:
    """The texts of each row without their start, and the tokens of start and end."""
    texts = separate_texts(field)
    assert texts.mask is not None
    rows = [ids[mask].tolist() for ids, mask in zip(texts.values, texts.mask, strict=True)]
    known = next((ids for ids in rows if len(ids) > 1), None)
    if known is None:
        raise ValueError("no row of the batch has a text, expected references of the captions")
    each = len(rows) // len(field)
    told = [
        [ids[1:] for ids in rows[row * each : (row + 1) * each] if len(ids) > 1]
        for row in range(len(field))
    ]
    return told, known[0], known[-1]


def _log_likelihood(
    decoder: AutoregressiveDecoder, context: Features, drawn: Texts, start: int, end: int
) -> Tensor:
    """(R,) log-probability of each text and its end."""
    device = context.tokens.device
    lengths_R1 = torch.tensor([len(ids) + 1 for ids in drawn], device=device)[:, None]
    rows = [torch.tensor([start, *ids, end]) for ids in drawn]
    ids_RT = nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=end).to(device)
    mask_RT = torch.arange(ids_RT.shape[1] - 1, device=device) < lengths_R1
    hidden_SD, packing = decoder.hidden(context, Field(ids_RT[:, :-1], mask_RT))
    targets_S = packing.pack(ids_RT[:, 1:])
    costs_S = F.cross_entropy(decoder.logits(hidden_SD).float(), targets_S, reduction="none")
    return -packing.unpack(costs_S).sum(1)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = module.training
    module.eval()
    try:
        yield
    finally:
        module.train(training)


@dataclass(frozen=True)
class SelfCriticalConfig(Config[Objective]):
    """Self-critical training of a decoder that can already write."""

    tokens: int
    """Tokens V of the decoder."""
    head: str = "caption"
    """Head that writes; let the stream of its texts draw several captions of a row."""
    captions: int = 5
    """Captions that are drawn of each picture."""
    max_length: int = 20
    """Most tokens of a drawn caption."""
    special: int = 5
    """The first so many tokens are never said: the special ones of a tokenizer trained here."""

    def __post_init__(self) -> None:
        for name, least in {"tokens": 1, "captions": 2, "max_length": 2, "special": 0}.items():
            if vars(self)[name] < least:
                raise ValueError(f"{name} is {vars(self)[name]}, expected at least {least}")

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput})

    def build(self) -> SelfCritical:
        return SelfCritical(self)
