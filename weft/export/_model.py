"""The parts of a run that other libraries can hold: towers, projections, temperature, picture settings and
tokenizer.
"""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from weft.architectures.model import Pooled, Projection
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.tensors import NUMBERS, read_state
from weft.encoders.dual_encoder import BIAS, SCALE, DualEncoder
from weft.encoders.frozen import Frozen, PartlyFrozen
from weft.encoders.lora import merged_state
from weft.encoders.transformer_text import TextTransformer, TextTransformerConfig
from weft.encoders.vit import ViT, ViTConfig
from weft.modalities.image import Image, ImageConfig
from weft.modalities.text import Text
from weft.modalities.tokenization import Tokens
from weft.objectives.contrastive import SigmoidContrastiveConfig, SoftmaxContrastiveConfig
from weft.runs.parts import WEIGHTS
from weft.runs.run import Run

log = logging.getLogger("weft.export")
DEFAULT_SCALE = math.log(1 / 0.07)
"""CLIP's scale at the start of its training, for a run without a contrastive loss."""
# Settings that change nothing in evaluation, or that stand elsewhere in a model's folder.
_FREE = {
    *("mean", "std", "weights", "dropout", "attention_dropout", "drop_path", "drop_patches"),
    *("interpolation", "pooler_activation"),
}


@dataclass(frozen=True)
class Exported:
    """The parts of a trained model by stream, without what only training needs.

    towers: the modules, used only for their architecture. tensors: the weights of towers and projections by their
    names in the model, with adapters merged, with SCALE and, for a sigmoid loss, BIAS. modalities: how pictures and
    texts are read.
    """

    towers: Mapping[str, nn.Module]
    projections: Mapping[str, nn.Module]
    tensors: Mapping[str, Tensor]
    modalities: Mapping[str, Modality]

    @classmethod
    def of(cls, run: Run) -> "Exported":
        towers = {s: _inside(run.model.encoders[s]) for s in run.model.encoders}
        projections = dict(run.model.projections.items())
        tensors = _numbers(run)
        for stream, tower in towers.items():
            tensors |= _below(f"encoders.{stream}", merged_state(tower))
        for stream, projection in projections.items():
            tensors |= _below(f"projections.{stream}", projection.state_dict())
        return cls(towers, projections, tensors, run.modalities)

    @property
    def sigmoid(self) -> bool:
        """Whether it was trained with a sigmoid loss, which has a bias."""
        return BIAS in self.tensors

    def dual(self, library: str) -> tuple[ViTConfig, TextTransformerConfig, int | None]:
        """The configs of the picture tower and of the text tower, and the width of their linear projections; None
        if their own vectors are compared.

        Raises WeftError if the run has other parts than `library` can hold.
        """
        image, text = self.towers.get("image"), self.towers.get("text")
        for stream, tower, kind in (("image", image, ViT), ("text", text, TextTransformer)):
            if not isinstance(tower, kind):
                there = ", ".join(f"'{n}' ({type(one).__name__})" for n, one in self.towers.items())
                raise WeftError(
                    f"{library} holds a {kind.__name__} for a stream that is called '{stream}'; the streams of this run: "
                    f"{there or 'none'}"
                )
        width = self._space(library)
        return cast(ViT, image).config, _with_end(cast(TextTransformer, text).config, self), width

    def _space(self, library: str) -> int | None:
        kinds = {stream: self.projections.get(stream) for stream in ("image", "text")}
        if all(isinstance(one, Pooled) for one in kinds.values()):
            return None
        for stream, one in kinds.items():
            if not (
                isinstance(one, Projection)
                and [type(part) for part in one.layers] == [nn.Linear]
                and one.layers[0].bias is None
            ):
                raise WeftError(
                    f"{library} has one linear map without bias for the projection of stream '{stream}', this "
                    "run has another"
                )
        return cast(nn.Linear, cast(Projection, kinds["text"]).layers[0]).out_features

    def without_patch_bias(self) -> "Exported":
        """The same model with the bias of the patch embedding moved into the position embeddings, which are added
        to the same tokens.
        """
        image = self.towers.get("image")
        bias = self.tensors.get("encoders.image.patch.bias")
        if not isinstance(image, ViT) or bias is None:
            return self
        tensors = dict(self.tensors)
        del tensors["encoders.image.patch.bias"]
        positions = tensors["encoders.image.positions"].clone()
        positions[int(image.config.class_token) :] += bias
        tensors["encoders.image.positions"] = positions
        with torch.device("meta"):
            tower = image.config.replace(patch_bias=False, weights=None).build()
        return replace(self, towers={**self.towers, "image": tower}, tensors=tensors)

    @property
    def picture(self) -> ImageConfig:
        """The picture modality."""
        modality = self.modalities.get("image")
        if not isinstance(modality, Image):
            raise WeftError("the run has no stream 'image' of pictures")
        return modality.config

    @property
    def words(self) -> Text:
        """The text modality."""
        modality = self.modalities.get("text")
        if not isinstance(modality, Text):
            raise WeftError("the run has no stream 'text' of texts")
        return modality

    @property
    def tokens(self) -> Tokens:
        """The tokenizer."""
        return Tokens.from_json(self.words.state())


def check_holds(library: str, ours: Mapping[str, Any], theirs: DualEncoder) -> None:
    """Raises WeftError for the first setting of a tower that differs from the library's."""
    for stream, tower in (("image", theirs.image), ("text", theirs.text)):
        own, other = (replace(c, mlp=c.transformer().hidden) for c in (ours[stream], tower))
        for field in fields(other):
            got, has = getattr(own, field.name), getattr(other, field.name)
            if field.name not in _FREE and got != has:
                raise WeftError(
                    f"{library} has no tower of stream '{stream}' with {field.name} {got!r}, expected {has!r}"
                )


def _inside(encoder: nn.Module) -> nn.Module:
    """The tower itself, without the wrapper of a frozen one."""
    while isinstance(encoder, Frozen | PartlyFrozen):
        encoder = encoder.encoder
    return encoder


def _with_end(config: TextTransformerConfig, model: Exported) -> TextTransformerConfig:
    """For a tower that is read at the last token: each text ends with the same token, which the library looks for."""
    end = model.tokens.special.get("sep")
    last = config.pooling == "eos" and config.filled_with is None
    return config.replace(eos_id=end) if last and config.eos_id is None else config


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor.detach().cpu() for name, tensor in tensors.items()}


def _numbers(run: Run) -> dict[str, Tensor]:
    """SCALE and, for a sigmoid loss, BIAS, as they were learned with the weights.

    For weights that were never trained, or were written before these numbers were stored, the initial values of the
    recipe; a line says so.
    """
    for name, config in run.recipe.objectives.items():
        if not isinstance(config, SoftmaxContrastiveConfig | SigmoidContrastiveConfig):
            continue
        numbers = read_state(run.folder / WEIGHTS).get(NUMBERS, {})
        found = {SCALE: (f"{name}.temperature.log_scale", -math.log(config.temperature.init))}
        if isinstance(config, SigmoidContrastiveConfig):
            found[BIAS] = (f"{name}.bias", config.bias)
        for kept, start in found.values():
            if kept not in numbers:
                log.warning(
                    "%s: holds no %s; that of the recipe is taken, %.4g",
                    run.folder / WEIGHTS,
                    kept,
                    start,
                )
        return {
            key: torch.tensor(float(numbers.get(kept, start)))
            for key, (kept, start) in found.items()
        }
    return {SCALE: torch.tensor(DEFAULT_SCALE)}
