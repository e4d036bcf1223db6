"""MVTCAE of multivae on the streams of a run of digits_autoencoder: pictures, log-mel frames, words as one of ten.

Its pictures and sounds are encoded and drawn by networks of the run's own kind and size, so that what differs is the
package: its latent, its loss, its likelihoods. Optimizer, schedule, average of the weights, steps and batch size are
the run's.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import peers
from weft.core.building import build
from weft.core.records import Features, Field
from weft.encoders.flattened import FlattenedConfig
from weft.runs.recipe import Recipe

WORDS, HIDDEN = 10, 64
PART = 100
"""Rows that are drawn at a time."""


@dataclass(frozen=True)
class Arrays:
    """image: (N, 3, H, W) in [0, 1]; audio: (N, T, M) normalised log-mel frames; text: (N, 10) one digit each. there: (N,)
    of each whether the row has it."""

    values: dict[str, Tensor]
    there: dict[str, Tensor]

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    def take(self, rows: Tensor) -> "Arrays":
        return Arrays(
            *({s: one[rows] for s, one in of.items()} for of in (self.values, self.there))
        )

    def dataset(self) -> Any:
        """As multivae reads it; with masks where a row lacks something."""
        data = peers.multivae_data()
        if all(bool(one.all()) for one in self.there.values()):
            return data.MultimodalBaseDataset(self.values)
        return data.IncompleteDataset(self.values, self.there)


@dataclass(frozen=True)
class Setting:
    """beta: weight of the divergences. rescaled: whether each likelihood is weighed by its number of values."""

    beta: float = 2.5
    rescaled: bool = False

    def __str__(self) -> str:
        return f"beta {self.beta:g}{', likelihoods rescaled' if self.rescaled else ''}"


SETTINGS = (Setting(), Setting(rescaled=True), Setting(beta=0.5, rescaled=True))
"""The package's defaults, and two others: with the defaults 10 numbers of a word weigh little beside 3,072 of a picture."""


def built(recipe: Recipe, setting: Setting) -> Any:
    """The model before training."""
    models, dim = peers.multivae_models(), recipe.model.fusion.dim  # type: ignore[union-attr]
    inputs = {"image": (3, 32, 32), "audio": (64, 40), "text": (WORDS,)}
    for name in ("image", "audio"):
        inputs[name] = recipe.model.heads[name].decoder.shape  # type: ignore[attr-defined]
    config = models.MVTCAEConfig(
        n_modalities=3,
        latent_dim=dim,
        input_dims=inputs,
        beta=setting.beta,
        uses_likelihood_rescaling=setting.rescaled,
        decoders_dist={"image": "normal", "audio": "normal", "text": "categorical"},
    )
    encoders = {s: _wrapped_encoder(_encoder(recipe, s, dim), dim) for s in inputs}
    decoders = {s: _wrapped_decoder(_decoder(recipe, s, dim)) for s in inputs}
    return models.MVTCAE(config, encoders, decoders)


def trained(recipe: Recipe, setting: Setting, arrays: Arrays, steps: int, every: int = 50) -> Any:
    """The model after so many steps of the run's optimizer, with its averaged weights."""
    torch.manual_seed(recipe.run.seed)
    model = built(recipe, setting).train()
    optimizer = recipe.optim.build(model)
    schedule, average = recipe.optim.build_schedule(steps), recipe.optim.build_ema(model)
    random = torch.Generator().manual_seed(recipe.run.seed)
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < recipe.run.batch_size:
            order = torch.randperm(len(arrays), generator=random)
        rows, order = torch.split(
            order, [recipe.run.batch_size, len(order) - recipe.run.batch_size]
        )
        for group in optimizer.param_groups:
            group["lr"] = recipe.optim.lr * schedule(step)
        optimizer.zero_grad()
        loss = model(arrays.take(rows).dataset()).loss
        loss.backward()
        if recipe.optim.clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.optim.clip_norm)
        optimizer.step()
        if average is not None:
            average.update()
        losses = [*losses[1 - every :], float(loss.detach())]
        if (step + 1) % every == 0:
            print(
                f"MVTCAE, {setting}: step {step + 1}/{steps}, loss {sum(losses) / len(losses):.1f}",
                flush=True,
            )
    if average is not None:
        with average.applied():
            state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        model.load_state_dict(state)
    return model.eval()


@torch.no_grad()
def drawn(model: Any, arrays: Arrays, given: tuple[str, ...]) -> dict[str, Tensor]:
    """What it makes of the mean of these streams' posterior: arrays of every stream, of text the logits."""
    return _decoded(model, model.encode(arrays.dataset(), list(given), return_mean=True).z)


@torch.no_grad()
def latents(model: Any, arrays: Arrays) -> Tensor:
    """(N, L) one sample of each row's joint posterior."""
    torch.manual_seed(0)
    found: Tensor = model.encode(arrays.dataset()).z
    return found


@torch.no_grad()
def sampled(model: Any, latent_NL: Tensor) -> dict[str, Tensor]:
    """What it makes of samples of its latent."""
    return _decoded(model, latent_NL)


def _decoded(model: Any, latent_NL: Tensor) -> dict[str, Tensor]:
    parts = torch.split(latent_NL, PART)
    return {
        stream: torch.cat([decoder(part).reconstruction for part in parts])
        for stream, decoder in model.decoders.items()
    }


def _encoder(recipe: Recipe, stream: str, dim: int) -> nn.Module:
    """Arrays of the stream -> (B, 2 x dim) the mean and the logarithm of the variance."""
    if stream == "text":
        return nn.Sequential(nn.Linear(WORDS, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * dim))
    config = recipe.model.encoders[stream]
    assert isinstance(config, FlattenedConfig)
    return _Read(build(config.replace(dim=2 * dim)), stream)


def _decoder(recipe: Recipe, stream: str, dim: int) -> nn.Module:
    """(B, dim) -> arrays of the stream."""
    if stream == "text":
        return nn.Sequential(nn.Linear(dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WORDS))
    return _Draw(build(recipe.model.heads[stream].decoder), stream)


class _Read(nn.Module):
    """An encoder of the run's kind, that reads arrays."""

    def __init__(self, encoder: nn.Module, stream: str) -> None:
        super().__init__()
        self.encoder, self.stream = encoder, stream

    def forward(self, values: Tensor) -> Tensor:
        scaled = (values * 255).round().to(torch.uint8) if self.stream == "image" else values
        found: Features = self.encoder(Field(scaled))
        return found.pooled


class _Draw(nn.Module):
    """A decoder of the run's kind, that makes arrays: pictures in [0, 1]."""

    def __init__(self, decoder: nn.Module, stream: str) -> None:
        super().__init__()
        self.decoder, self.stream = decoder, stream

    def forward(self, latent_BL: Tensor) -> Tensor:
        there_B1 = torch.ones(len(latent_BL), 1, dtype=torch.bool)
        made: Tensor = self.decoder.made(
            latent_BL, Features(latent_BL[:, None], there_B1, latent_BL)
        )  # type: ignore[operator]
        return (made + 1) / 2 if self.stream == "image" else made


def _wrapped_encoder(network: nn.Module, dim: int) -> Any:
    base, output = peers.pythae()

    class Encoder(base.BaseEncoder):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network, self.latent_dim = network, dim

        def forward(self, values: Tensor) -> Any:
            mean, log_variance = self.network(values).chunk(2, dim=1)
            return output(
                embedding=mean, log_covariance=log_variance.clone()
            )  # is changed in place

    return Encoder()


def _wrapped_decoder(network: nn.Module) -> Any:
    base, output = peers.pythae()

    class Decoder(base.BaseDecoder):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, latent: Tensor) -> Any:
            return output(reconstruction=self.network(latent))

    return Decoder()
