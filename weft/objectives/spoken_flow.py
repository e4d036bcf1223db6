"""Speech synthesis: a flow generates the frames of words with known times; a regression predicts the duration of
each word.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from weft.core.config import Config
from weft.core.distributed import mean_of_all
from weft.core.interfaces import EncodedStreams, Objective, Reader
from weft.core.needs import Needs
from weft.core.ranges import NOT_NEGATIVE, POSITIVE, SHARE_BELOW_1, require
from weft.core.records import Batch, Features, Field, Loss
from weft.decoders.spoken_flow import SpokenFlow, words_first
from weft.heads.sounds import SoundOutput
from weft.objectives._drawn import context_of, rows_to_draw
from weft.objectives._presence import nothing


class SpokenFlowObjective(nn.Module):
    """Squared error of the velocity of real frames, each with the word that is spoken at that time (see
    `RectifiedFlow`), plus squared error of the logarithm of each word's duration.

    A row is used if its words have as many times as the context has tokens; `fits` is the share of these rows.
    """

    def __init__(self, config: "SpokenFlowObjectiveConfig") -> None:
        super().__init__()
        self.config = config

    def forward(self, model: Reader, batch: Batch, streams: EncodedStreams) -> Loss:
        config, head = self.config, model.head(self.config.head)
        flow = head.decoder
        if not isinstance(flow, SpokenFlow):
            raise ValueError(
                f"the decoder of head '{config.head}' is a {type(flow).__name__}, expected a SpokenFlow"
            )
        batch, streams, values_BTM = rows_to_draw(model, batch, streams, config.head)
        if values_BTM is None:
            return nothing(head, batch, "duration", "fits")
        context = words_first(context_of(model, config.head, streams))
        field = batch.inputs[head.output.stream]
        assert isinstance(field, Field)
        ends_BL, fits_B = self.ends(batch.targets[config.times], context, field.real)
        noise_BTM = batch.normal("spoken: noise", *flow.shape)
        times_B = torch.sigmoid(batch.normal("spoken: time", 1)[:, 0])
        gone_B = batch.uniform("spoken: context", 1)[:, 0] < config.unconditional

        def measure(
            values: Tensor,
            real: Tensor,
            noise: Tensor,
            times: Tensor,
            gone: Tensor,
            ends: Tensor,
            context: Features,
        ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
            frames = flow.frames(context, ends)
            longest = min(frames.tokens.shape[1], values.shape[1])
            frames = Features(frames.tokens[:, :longest], frames.mask[:, :longest], frames.pooled)
            values, noise = values[:, :longest], noise[:, :longest]
            mask_RT = frames.mask & real[:, :longest]
            share = times[:, None, None]
            moved = flow.velocity(
                share * values + (1 - share) * noise, times, flow.without_context(frames, gone)
            )
            cost_RT = (moved.float() - (values - noise)).square().mean(2).masked_fill(~mask_RT, 0)
            lasting_RL = torch.diff(ends, dim=1, prepend=ends.new_zeros(len(ends), 1)).clamp_min(1)
            error_RL = (flow.log_durations(context) - lasting_RL.float().log()).square()
            error_RL = error_RL.masked_fill(~context.mask, 0)
            return cost_RT.sum(1), mask_RT.sum(1), error_RL.sum(1), context.mask.sum(1)

        parts = streams.by_rows(
            measure, values_BTM, field.real, noise_BTM, times_B, gone_B, ends_BL, context
        )
        cost_B, frames_B, error_B, words_B = (torch.cat(part) for part in zip(*parts, strict=True))
        kept = fits_B.to(cost_B.dtype)
        flow_loss = mean_of_all(cost_B * kept, (frames_B * fits_B).sum())
        duration = mean_of_all(error_B * kept, (words_B * fits_B).sum())
        return Loss(
            flow_loss + config.duration * duration,
            {"duration": duration.detach(), "fits": mean_of_all(kept)},
        )

    def ends(self, times_BL2: Tensor, context: Features, real_BT: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) the frame after the end of each word, and (B,) True for rows whose times fit their words.

        The first word begins at the start, and the last one ends at the end of the sound.
        """
        rows, tokens = context.mask.shape
        count_B, length_B = context.mask.sum(1), real_BT.sum(1)
        fits_B = (times_BL2.isfinite().all(2).sum(1) == count_B) & (count_B > 0)
        ends = times_BL2.new_zeros(rows, tokens)
        held = min(tokens, times_BL2.shape[1])
        ends[:, :held] = times_BL2[:, :held, 1].nan_to_num(0) * self.config.rate
        # Frames between two words belong to the first of them, so that every frame belongs to a word.
        last_BL = torch.arange(tokens, device=ends.device) >= count_B[:, None] - 1
        ends_BL = torch.minimum(ends.round().long(), length_B[:, None])
        return torch.where(last_BL, length_B[:, None], ends_BL).cummax(1).values, fits_B


@dataclass(frozen=True)
class SpokenFlowObjectiveConfig(Config[Objective]):
    """Frames and durations of words for speech synthesis."""

    rate: float
    """Frames per second of the generated stream."""
    head: str = "speech"
    """Head whose decoder is a SpokenFlow."""
    times: str = "times"
    """Target of `WordTimes`, of the words that the head reads."""
    unconditional: float = 0.1
    """Share of the rows whose words are left out."""
    duration: float = 0.1
    """Weight of the error of durations."""

    def __post_init__(self) -> None:
        require(self, rate=POSITIVE, unconditional=SHARE_BELOW_1, duration=NOT_NEGATIVE)

    @property
    def needs(self) -> Needs:
        return Needs(heads={self.head: SoundOutput}, targets=(self.times,))

    def build(self) -> SpokenFlowObjective:
        return SpokenFlowObjective(self)
