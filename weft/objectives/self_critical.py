"""Self-critical training: captions sampled from the model, with CIDEr-D as their reward.

Rennie et al. 2017, arXiv:1612.00563, section 3.1. The baseline is the mean reward of the other captions sampled for
the same picture (Luo 2020, arXiv:2003.09971, equation 4), so no caption is decoded greedily.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import gather, mean_of_all, rows_before
from weft.core.interfaces import EncodedStreams, Modality, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import at_least, require
from weft.core.records import Batch, Features, Field, Loss
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.evaluation.captions import Consensus
from weft.heads.texts import TextOutput, text_modality, vocabulary_of
from weft.objectives._presence import nothing, rows_of
from weft.objectives.captioning import separate_texts, text_field, writer

Texts = list[list[int]]


class SelfCritical(nn.Module):
    """Raises the likelihood of sampled captions in proportion to how far their CIDEr-D exceeds that of the other
    captions of their picture.

    Words are tokens, and the end is one of them, so stopping early lowers the reward. Captions are sampled from the
    distribution whose likelihood is trained: it gives no probability to the tokenizer's special tokens, or to an
    end before the first token. A caption that reaches the maximum length has no end, in the reward or in the
    likelihood. Documents are the pictures of all ranks. The total is a mean over the captions of all ranks; its
    value is not meaningful, the term "reward" is. Rows without text are ignored.
    """

    def __init__(self, config: "SelfCriticalConfig") -> None:
        super().__init__()
        self.config = config
        self._sampling = GenerationConfig(method="sample", max_length=config.max_length)
        self._modalities: Mapping[str, Modality] = {}

    def prepare(self, modalities: Mapping[str, Modality]) -> None:
        """Reads from the text modality which tokens begin and end a text, and which are special."""
        self._modalities = modalities

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        head = model.head(self.config.head)
        decoder, stream = writer(head, self.config.head)
        batch, streams = rows_of(model, batch, streams, self.config.head, (stream,))
        if stream not in batch.inputs:
            return nothing(head, batch, "reward", "length")
        references = _references(text_field(batch, stream))
        if references is None:
            return nothing(head, batch, "reward", "length")
        told, consensus = references
        context = head.reads(streams.fused())
        text = text_modality(self._modalities, stream)
        vocabulary = vocabulary_of(text, context.tokens.device)
        longest, count = min(self.config.max_length, decoder.max_length), self.config.captions

        def draw(context: Features, uniform_BMN: Tensor) -> Texts:
            return self._draw(decoder, context, uniform_BMN, vocabulary)

        def likelihood(context: Features, ids_BMN: Tensor, lengths_BM: Tensor) -> Tensor:
            texts = ids_BMN.flatten(0, 1), lengths_BM.flatten()
            return _log_likelihood(decoder, context, *texts, vocabulary)

        uniform_BMN = batch.uniform("self-critical", count, longest)
        parts = streams.by_rows(draw, context, uniform_BMN) if len(batch) else []
        drawn = [
            ids if len(ids) == longest else [*ids, vocabulary.end] for part in parts for ids in part
        ]
        each = [drawn[at : at + count] for at in range(0, len(drawn), count)]
        rewards_BM = _rewards(each, told, consensus).view(-1, count).to(context.tokens.device)
        better_BM = (rewards_BM - rewards_BM.mean(1, keepdim=True)) * count / (count - 1)
        texts = _padded(each, longest, context.tokens.device)
        likelihood_R = torch.cat(streams.by_rows(likelihood, context, *texts))
        taught = count * sum(1 for texts in told if texts)
        words = sum(len(ids) - (ids[-1] == vocabulary.end) for ids in drawn)
        terms = {
            "reward": mean_of_all(rewards_BM, taught),
            "length": mean_of_all(rewards_BM.new_tensor(words), len(drawn)),
        }
        return Loss(mean_of_all(-better_BM.flatten() * likelihood_R, taught), terms)

    def _draw(
        self,
        decoder: AutoregressiveDecoder,
        context: Features,
        uniform_BMN: Tensor,
        vocabulary: Vocabulary,
    ) -> Texts:
        """Samples `captions` texts for each context, one after another."""
        seen = Features(
            context.tokens.detach().float(), context.mask, context.pooled.detach().float()
        )
        # Without autocast: weights that it casts without gradient it would give to the pass with one.
        device = context.tokens.device
        with _evaluating(cast(nn.Module, decoder)), torch.autocast(device.type, enabled=False):
            return generate(
                [(decoder, seen)],
                vocabulary,
                self._sampling,
                texts=self.config.captions,
                uniform_RN=uniform_BMN.flatten(0, 1),
            ).ids


def _references(field: Field) -> tuple[list[Texts], Consensus] | None:
    """The texts of each of this rank's rows without their start token, and the consensus of those of all ranks;
    None if no rank has a text.
    """
    everywhere = Field(gather(field.values), gather(cast(Tensor, field.mask)))
    if not cast(Tensor, everywhere.mask).any():
        return None
    texts = separate_texts(everywhere)
    rows = [
        ids[mask].tolist() for ids, mask in zip(texts.values, cast(Tensor, texts.mask), strict=True)
    ]
    if all(len(ids) < 2 for ids in rows):
        raise ValueError("no row of the batch has a text, expected references of the captions")
    each = len(rows) // len(everywhere)
    told = [
        [ids[1:] for ids in rows[row * each : (row + 1) * each] if len(ids) > 1]
        for row in range(len(everywhere))
    ]
    before = rows_before(len(field), field.values.device)
    consensus = Consensus([texts for texts in told if texts])
    return told[before : before + len(field)], consensus


def _rewards(each: list[Texts], told: list[Texts], consensus: Consensus) -> Tensor:
    """(B, M) CIDEr-D of each row's M captions; zeros in a row without references."""
    return torch.tensor(
        [
            consensus.scores(captions, texts) if texts else [0.0] * len(captions)
            for captions, texts in zip(each, told, strict=True)
        ]
    )


def _padded(each: list[Texts], longest: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(B, M, N) the tokens of each row's texts, padded with zeros, and their lengths (B, M)."""
    rows = [[[*ids, *[0] * (longest - len(ids))] for ids in texts] for texts in each]
    lengths = [[len(ids) for ids in texts] for texts in each]
    shape = (len(each), -1 if each else 0)
    return (
        torch.tensor(rows, dtype=torch.int64, device=device).view(*shape, longest),
        torch.tensor(lengths, dtype=torch.int64, device=device).view(shape),
    )


def _log_likelihood(
    decoder: AutoregressiveDecoder,
    context: Features,
    ids_RN: Tensor,
    lengths_R: Tensor,
    vocabulary: Vocabulary,
) -> Tensor:
    """(R,) log-probability of each text, with its end if it has one, among the tokens that may be sampled."""
    assert vocabulary.allowed is not None
    places_N = torch.arange(ids_RN.shape[1], device=ids_RN.device)
    before_RN = F.pad(ids_RN[:, :-1], (1, 0), value=vocabulary.start)
    hidden_SD, packing = decoder.hidden(context, Field(before_RN, places_N < lengths_R[:, None]))
    logits_SV = decoder.logits(hidden_SD).float()
    beyond = logits_SV.shape[1] - len(vocabulary.allowed)
    forbidden_SV = F.pad(~vocabulary.allowed, (0, beyond), value=True).repeat(len(logits_SV), 1)
    forbidden_SV[:, vocabulary.end] = packing.pack((places_N == 0).expand(len(ids_RN), -1))
    costs_S = F.cross_entropy(
        logits_SV.masked_fill(forbidden_SV, -torch.inf),
        packing.pack(ids_RN),
        reduction="none",
    )
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
    """Self-critical training of a decoder that was trained on captions before."""

    removed_settings: ClassVar[tuple[str, ...]] = ("tokens", "special")

    head: str = "caption"
    """Head that writes; let the stream of its texts sample several captions of a row."""
    captions: int = 5
    """Number of captions that are sampled for each picture."""
    max_length: int = 20
    """Most tokens of a sampled caption."""

    def __post_init__(self) -> None:
        require(self, captions=at_least(2), max_length=at_least(2))

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: TextOutput})

    def build(self) -> SelfCritical:
        return SelfCritical(self)
