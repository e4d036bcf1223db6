"""Adversarial objectives of two players: a generator generates values, a critic distinguishes them from real ones.

Each is a separate objective for a separate player (`weft.training.players`).
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from weft.core.config import Config
from weft.core.distributed import gather, mean_of_all, rows_before
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import NOT_NEGATIVE, POSITIVE_SHARE, require
from weft.core.records import Batch, Features, Loss
from weft.heads.drawn import DrawnOutput
from weft.heads.numbers import NumberOutput
from weft.objectives._drawn import column, context_of, drawer, rows_to_draw
from weft.objectives._presence import nothing

SAME = 1e-4
"""Conditions that differ by less than this share of their largest number are the same."""
Game = Literal["relativistic", "non_saturating", "hinge", "wasserstein"]


class Costs(NamedTuple):
    """(B,) the critic's cost of each row, and the generator's."""

    critic: Tensor
    generator: Tensor


def costs_of(game: Game, real_B: Tensor, drawn_B: Tensor) -> Costs:
    """The costs from the critic's scores of real and generated values, one pair per row.

    relativistic: Jolicoeur-Martineau 2019, arXiv:1807.00734, equations 5 and 6, as in R3GAN (arXiv:2501.05441,
    equation 2). non_saturating: Goodfellow et al. 2014, arXiv:1406.2661, section 3. hinge: Miyato et al. 2018,
    arXiv:1802.05957, equations 16 and 17. wasserstein: Arjovsky et al. 2017, arXiv:1701.07875, equation 3.
    """
    if game == "relativistic":
        return Costs(F.softplus(drawn_B - real_B), F.softplus(real_B - drawn_B))
    if game == "non_saturating":
        return Costs(F.softplus(-real_B) + F.softplus(drawn_B), F.softplus(-drawn_B))
    if game == "hinge":
        return Costs(F.relu(1 - real_B) + F.relu(1 + drawn_B), -drawn_B)
    return Costs(drawn_B - real_B, -drawn_B)


@dataclass(frozen=True)
class _Parts:
    """The parts of the model that both players use. stream: the stream that is generated."""

    model: Reader
    config: "AdversarialConfig"

    @property
    def output(self) -> DrawnOutput:
        return drawer(self.model.head(self.config.head), self.config.head)[1]

    def draw(self, context: Features, noise: Tensor) -> Tensor:
        decoder, output = drawer(self.model.head(self.config.head), self.config.head)
        return decoder.draw(context, noise if decoder.noise else None, output.drawing).float()

    def noise(self, batch: Batch, player: str) -> Tensor:
        decoder, _ = drawer(self.model.head(self.config.head), self.config.head)
        return batch.normal(f"{player}: noise", *(decoder.noise or (1,)))

    def see(self, values: Tensor) -> Tensor:
        """(B, D) the output of the critic's encoder for values in the decoder's scale."""
        return self.model.encode(self.output.stream, self.output.field_of(values)).pooled

    def see_constant(self, values: Tensor) -> Tensor:
        """`see` for values without a gradient to the generator. The values still require a gradient, so that
        encoders treat them like generated ones.
        """
        return self.see(values.detach().requires_grad_())

    def scores(self, seen_BD: Tensor, condition_BC: Tensor) -> Tensor:
        """(B,) the critic's scores, each with the vector of its condition."""
        pooled = torch.cat([seen_BD, condition_BC.to(seen_BD.dtype)], dim=1)
        mask_B1 = torch.ones(len(pooled), 1, dtype=torch.bool, device=pooled.device)
        found: Tensor = self.model.head(self.config.critic).decoder(
            Features(pooled[:, None], mask_B1, pooled)
        )
        return found.float()[:, 0]

    def contrast(self, seen_BD: Tensor, own_BC: Tensor, every_AC: Tensor) -> Tensor:
        """(B,) the cross-entropy of the row's own condition among those of all rows, by the critic's scores.

        Equal conditions, such as two identical texts, all count as right.
        """
        rows, count = len(seen_BD), len(every_AC)
        pairs = seen_BD.repeat_interleave(count, 0), every_AC.repeat(rows, 1)
        scores_BA = self.scores(*pairs).view(rows, count)
        right_BA = _same(own_BC[:, None], every_AC[None])
        of_right_B = scores_BA.masked_fill(~right_BA, -torch.inf).logsumexp(1)
        cost_B: Tensor = scores_BA.logsumexp(1) - of_right_B
        return cost_B


class Critic(nn.Module):
    """Learns to score real values above generated ones, and above real values with another row's condition.

    The latter make the critic use the condition (Reed et al. 2016, arXiv:1605.05396, section 4.2). Gradient
    penalties keep it smooth: R1 at real values (Mescheder et al. 2018, arXiv:1801.04406, equation 9), R2 at
    generated ones (equation 10), and for wasserstein at points between them (Gulrajani et al. 2017,
    arXiv:1704.00028, equation 3). With `contrast` it also recognises the own condition of a real value among those
    of all rows (XMC-GAN: Zhang et al. 2021, arXiv:2101.04702, section 3.2), since a randomly sampled wrong pair
    seldom differs in one small detail.
    """

    def __init__(self, config: "CriticConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config, parts = self.config, _Parts(model, self.config)
        batch, streams, real_BX = rows_to_draw(model, batch, streams, config.head)
        critic = model.head(config.critic)
        context = context_of(model, config.head, streams)
        every_AC = gather(context.pooled)
        other_BC, wrong_B = _others(context.pooled, every_AC)
        # Every rank takes part in the gradient of all conditions, whether it has rows or not.
        everyone, every_AC = every_AC.sum() * 0, every_AC.detach()
        if real_BX is None:
            lost = nothing(critic, batch, "apart", "penalty", "contrast")
            return Loss(lost.total + everyone, lost.terms)
        punished_B = batch.uniform("critic: punished", 1)[:, 0] < config.punished

        # The gradient of a penalty needs attention to be computed plainly, as the fast kernels have no second derivative; and
        # all of it, since by micro-batches all is computed again for that gradient.
        @sdpa_kernel(SDPBackend.MATH)
        def costs(
            real: Tensor,
            noise: Tensor,
            context: Features,
            others: Tensor,
            wrong: Tensor,
            punished: Tensor,
            share: Tensor,
        ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            with torch.no_grad():
                drawn = parts.draw(context, noise)
            seen = parts.see_constant(real)
            of_real = parts.scores(seen, context.pooled)
            of_drawn = parts.scores(parts.see_constant(drawn), context.pooled)
            cost = costs_of(config.game, of_real, of_drawn).critic
            if config.wrong:
                unfit = costs_of(config.game, of_real, parts.scores(seen, others)).critic
                cost = cost + config.wrong * torch.where(wrong, unfit, 0)
            contrast = torch.zeros_like(cost)
            if config.contrast:
                contrast = parts.contrast(seen, context.pooled.detach(), every_AC)
            rows = punished.nonzero()[:, 0]
            few = (values[rows] for values in (real, drawn, context.pooled, share))
            penalty = torch.zeros_like(cost).index_add(0, rows, self._penalty(parts, *few))
            return cost, of_real - of_drawn, penalty, contrast

        found = streams.by_rows(
            costs,
            real_BX,
            parts.noise(batch, "critic"),
            context,
            other_BC,
            wrong_B,
            punished_B,
            batch.uniform("critic: between", 1)[:, 0],
        )
        cost_B, apart_B, penalty_B, contrast_B = map(torch.cat, zip(*found, strict=True))
        penalty = mean_of_all(penalty_B, punished_B.sum())
        contrast = mean_of_all(contrast_B)
        terms = {
            "apart": mean_of_all(apart_B.detach()),
            "penalty": penalty.detach(),
            "contrast": contrast.detach(),
        }
        total = mean_of_all(cost_B) + config.contrast * contrast + penalty
        return Loss(total + everyone, terms)

    def _penalty(
        self, parts: _Parts, real: Tensor, drawn: Tensor, condition: Tensor, share: Tensor
    ) -> Tensor:
        """(R,) the gradient penalty of the given rows."""
        config, found = self.config, real.new_zeros(len(real))
        for weight, values in ((config.r1, real), (config.r2, drawn)):
            if weight:
                found = found + weight / 2 * _steepness(parts, values, condition)
        if config.between:
            ratio = column(share, real)
            steep = _steepness(parts, ratio * real + (1 - ratio) * drawn, condition)
            found = found + config.between * (steep.clamp_min(1e-12).sqrt() - 1).square()
        return found


def _others(condition_BC: Tensor, every_AC: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C) the condition of the row before, among the rows of all ranks, and (B,) whether it differs.

    Equal conditions, such as two identical texts, are not a wrong pair.
    """
    rows = len(condition_BC)
    first = rows_before(rows, condition_BC.device)
    before_B = (first + torch.arange(rows, device=condition_BC.device) - 1) % max(1, len(every_AC))
    other_BC = every_AC[before_B]
    return other_BC, ~_same(condition_BC, other_BC)


def _same(own: Tensor, other: Tensor) -> Tensor:
    """Whether two conditions (..., C) are the same."""
    return (other - own).abs().amax(-1) <= SAME * own.abs().amax(-1)


def _steepness(parts: _Parts, values: Tensor, condition_BC: Tensor) -> Tensor:
    """(B,) the squared norm of the gradient of each score with respect to its value, in float32."""
    with torch.autocast(values.device.type, enabled=False):
        values = values.detach().requires_grad_()
        scores = parts.scores(parts.see(values), condition_BC.float())
        (gradient,) = torch.autograd.grad(scores.sum(), values, create_graph=True)
    return gradient.flatten(1).square().sum(1)


class Generator(nn.Module):
    """Learns to generate values that the critic scores like real ones. Its noise differs from that of the critic's
    turn.

    With `contrast` also values whose own condition the critic recognises among those of all rows.
    """

    def __init__(self, config: "GeneratorConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config, parts = self.config, _Parts(model, self.config)
        batch, streams, real_BX = rows_to_draw(model, batch, streams, config.head)
        head = model.head(config.head)
        context = context_of(model, config.head, streams)
        every_AC = gather(context.pooled.detach())  # by every rank, whether it has rows or not
        if real_BX is None:
            return nothing(head, batch, "contrast")

        def costs(real: Tensor, noise: Tensor, context: Features) -> tuple[Tensor, Tensor]:
            seen = parts.see(parts.draw(context, noise))
            of_drawn = parts.scores(seen, context.pooled)
            of_real = torch.zeros_like(of_drawn)
            if config.game == "relativistic":  # the only one that compares with real values
                of_real = parts.scores(parts.see_constant(real), context.pooled)
            contrast = torch.zeros_like(of_drawn)
            if config.contrast:
                contrast = parts.contrast(seen, context.pooled.detach(), every_AC)
            return costs_of(config.game, of_real, of_drawn).generator, contrast

        found = streams.by_rows(costs, real_BX, parts.noise(batch, "generator"), context)
        cost, contrast = (mean_of_all(torch.cat(part)) for part in zip(*found, strict=True))
        return Loss(cost + config.contrast * contrast, {"contrast": contrast.detach()})


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig(Config[Objective]):
    """Settings that both players of a GAN share."""

    head: str = "picture"
    """Head that generates: the generator."""
    critic: str = "critic"
    """Head that scores the encoded values of the generated stream, and their condition: the critic."""
    game: Game = "relativistic"
    """relativistic: each generated value against a real one (R3GAN); non_saturating; hinge; wasserstein."""
    contrast: float = 0.0
    """Weight of telling the own condition among those of all rows: of real values for the critic, of generated ones for the
    generator."""

    def __post_init__(self) -> None:
        require(self, contrast=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: DrawnOutput, self.critic: NumberOutput})


@dataclass(frozen=True, kw_only=True)
class CriticConfig(AdversarialConfig):
    """The critic of a GAN: trains the encoder of the generated stream and the head that scores."""

    r1: float = 1.0
    """Weight of the gradient penalty at real values."""
    r2: float = 1.0
    """The same at generated values."""
    between: float = 0.0
    """Weight of the penalty between real and generated values, 10 for wasserstein."""
    punished: float = 0.25
    """Share of the rows for which the penalties are computed, sampled at each step. For all rows they would take longer
    than the rest of the step."""
    wrong: float = 0.5
    """Weight of real values beside the condition of another row."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, r1=NOT_NEGATIVE, r2=NOT_NEGATIVE, between=NOT_NEGATIVE, wrong=NOT_NEGATIVE)
        require(self, punished=POSITIVE_SHARE)

    def build(self) -> Critic:
        return Critic(self)


@dataclass(frozen=True, kw_only=True)
class GeneratorConfig(AdversarialConfig):
    """The generator of a GAN: trains the head that generates and the encoder of its condition."""

    def build(self) -> Generator:
        return Generator(self)
