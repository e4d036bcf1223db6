"""Models in the layout of open_clip: open_clip_config.json beside safetensors.

open_clip's own vision and text transformers become weft modules, and so do the SigLIP vision towers that it takes
from timm. Names of settings and weights are those of open_clip 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from weft.encoders.dual_encoder import BIAS, PROJECTION, SCALE, DualEncoder
from weft.encoders.renaming import Rules, inside, layer, numbered, same, shaped, transposed
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.vit import ViTConfig
from weft.encoders.weight_names import patch_rule
from weft.layers.transformer import Activation

NORM_EPS, TIMM_EPS = 1e-5, 1e-6
# Settings that have no effect in evaluation, or that are read elsewhere (the tokenizer's).
_VISION_IGNORED = ("patch_dropout", "output_tokens", "timm_drop", "timm_drop_path")
_TEXT_IGNORED = (
    "hf_tokenizer_name",
    "tokenizer_kwargs",
    "tokenizer_mode",
    "pad_id",
    "output_tokens",
)
_MODEL = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "custom_text")
_INIT = ("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale")


@dataclass(frozen=True)
class TimmTower:
    """A SigLIP vision tower in timm: its name without the picture size, and its sizes."""

    name: str
    patch: int
    width: int
    depth: int
    heads: int
    mlp: int
    activations: Mapping[int, Activation]
    """Picture size -> activation."""


TIMM_TOWERS = (
    TimmTower("base_patch32", 32, 768, 12, 12, 3072, {256: "gelu_tanh"}),
    TimmTower("base_patch16", 16, 768, 12, 12, 3072, dict.fromkeys((224, 256, 384, 512), "gelu")),
    TimmTower(
        "large_patch16", 16, 1024, 24, 16, 4096, {256: "gelu", 384: "gelu", 512: "gelu_tanh"}
    ),
    TimmTower("so400m_patch14", 14, 1152, 27, 16, 4304, dict.fromkeys((224, 378, 384), "gelu")),
    TimmTower(
        "so400m_patch16", 16, 1152, 27, 16, 4304, dict.fromkeys((256, 384, 512), "gelu_tanh")
    ),
    TimmTower("giantopt_patch16", 16, 1536, 40, 16, 6144, dict.fromkeys((256, 384), "gelu_tanh")),
)


class _Settings:
    """Settings of open_clip. Each is read once; unread ones are refused."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values, self._where = dict(values), where

    def take(self, name: str, otherwise: Any = None) -> Any:
        value = self._values.pop(name, None)
        return otherwise if value is None else value

    def refuse_others(self, ignored: tuple[str, ...] = ()) -> None:
        """Raises ValueError if an unread setting has a value with an effect."""
        for name, value in self._values.items():
            if value not in (None, False) and name not in ignored:
                raise ValueError(f"{self._where}.{name} is {value!r:.60}, which weft does not read")


def describe(config: Mapping[str, Any], pad_id: int) -> DualEncoder:
    """Returns the parts of the model with this `model_cfg`. pad_id: of its tokenizer.

    Raises ValueError if it has parts that weft lacks.
    """
    whole = _Settings(config, "model_cfg")
    embedding, vision, text, quick, own_text = (whole.take(setting) for setting in _MODEL)
    sigmoid = whole.take("init_logit_bias") is not None
    whole.refuse_others(_INIT)
    activation: Activation = "quick_gelu" if quick else "gelu"
    pictures = _Settings(vision, "vision_cfg")
    words = _Settings(text, "text_cfg")
    timm = pictures.take("timm_model_name")
    image = _timm(timm, pictures) if timm else _vision(pictures, activation)
    pictures.refuse_others(_VISION_IGNORED)
    texts = _text(words, activation, pad_id, embedding)
    words.refuse_others(_TEXT_IGNORED)
    if bool(timm) != texts.pooler:
        raise ValueError(
            f"text_cfg.proj_bias is {texts.pooler}, expected it with a vision tower of SigLIP and "
            "not with others"
        )
    return DualEncoder(
        image=image,
        text=texts,
        embedding=None if timm else embedding,
        sigmoid=sigmoid,
        rules=_rules(image, texts, sigmoid, "text." if own_text else ""),
    )


def _vision(settings: _Settings, activation: Activation) -> ViTConfig:
    width, depth = settings.take("width", 768), settings.take("layers", 12)
    if not isinstance(depth, int):
        raise ValueError(
            "vision_cfg.layers lists stages of a ResNet, expected a vision transformer"
        )
    pooling = settings.take("pool_type", "tok")
    after = settings.take("final_ln_after_pool", False)
    if pooling not in ("tok", "avg") or (after and pooling == "avg"):
        raise ValueError(f"vision_cfg.pool_type is '{pooling}', which weft does not read")
    return ViTConfig(
        image_size=_side(settings.take("image_size", 224)),
        patch_size=_side(settings.take("patch_size", 16)),
        dim=width,
        depth=depth,
        heads=width // settings.take("head_width", 64),
        mlp=int(width * settings.take("mlp_ratio", 4.0)),
        pooling="class" if pooling == "tok" else "mean",
        input_norm=not settings.take("no_ln_pre", False),
        patch_bias=False,
        activation=_activation(settings, activation),
        norm_eps=_eps(settings),
    )


def _timm(name: str, settings: _Settings) -> ViTConfig:
    settings.take("timm_model_pretrained")
    pool, proj = settings.take("timm_pool"), settings.take("timm_proj")
    if pool != "map" or proj != "none":
        raise ValueError(
            f"vision_cfg has timm_pool '{pool}' and timm_proj '{proj}', which weft lacks"
        )
    size = _side(settings.take("image_size", 224))
    for tower in TIMM_TOWERS:
        for side, activation in tower.activations.items():
            if name == f"vit_{tower.name}_siglip_{side}":
                return ViTConfig(
                    image_size=size,
                    drop_partial_patches=size % tower.patch > 0,
                    patch_size=tower.patch,
                    dim=tower.width,
                    depth=tower.depth,
                    heads=tower.heads,
                    mlp=tower.mlp,
                    pooling="attention",
                    class_token=False,
                    activation=activation,
                    norm_eps=TIMM_EPS,
                )
    raise ValueError(f"vision_cfg.timm_model_name is '{name}', expected a vision tower of SigLIP")


def _text(
    settings: _Settings, activation: Activation, pad_id: int, embedding: int
) -> TextTransformerConfig:
    width = settings.take("width", 512)
    vocabulary = settings.take("vocab_size", 49408)
    pooling, end = settings.take("pool_type", "argmax"), settings.take("eos_id", 2)
    if pooling not in ("argmax", "eos", "last"):
        raise ValueError(f"text_cfg.pool_type is '{pooling}', which weft does not read")
    settings.take("final_ln_after_pool")  # has no effect on a single token
    biased = bool(settings.take("proj_bias", False))
    if settings.take("proj_type", "linear") != "linear" or (biased and embedding != width):
        raise ValueError("text_cfg has a projection that weft lacks")
    return TextTransformerConfig(
        vocab_size=vocabulary,
        dim=width,
        depth=settings.take("layers", 12),
        heads=settings.take("heads", 8),
        mlp=int(width * settings.take("mlp_ratio", 4.0)),
        max_length=settings.take("context_length", 77),
        causal=not settings.take("no_causal_mask", False),
        pooling="eos",
        # A text ends with the highest id, or its own one; "last" reads the padding's last token.
        eos_id={"argmax": vocabulary - 1, "eos": end, "last": None}[pooling],
        filled_with=pad_id if pooling == "last" else None,
        pooler=biased,
        pooler_activation="none" if biased else "tanh",
        activation=_activation(settings, activation),
        norm_eps=_eps(settings),
    )


def _activation(settings: _Settings, otherwise: Activation) -> Activation:
    return "gelu_tanh" if settings.take("act_kwargs") == {"approximate": "tanh"} else otherwise


def _eps(settings: _Settings) -> float:
    return float((settings.take("norm_kwargs") or {}).get("eps", NORM_EPS))


def _side(size: Any) -> int:
    sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1 or not isinstance(size := sides.pop(), int):
        raise ValueError(f"vision_cfg has size {size}, expected squares")
    return size


def _rules(image: ViTConfig, text: TextTransformerConfig, sigmoid: bool, start: str) -> Rules:
    timm = image.pooling == "attention"
    vision = _timm_rules(image) if timm else _vision_rules(image)
    return [
        *inside(vision, ours="encoders.image.", theirs="visual.trunk." if timm else "visual."),
        *inside(_text_rules(text), ours="encoders.text.", theirs=start),
        *([] if timm else [transposed(PROJECTION.format("image"), "visual.proj")]),
        *([] if timm else [transposed(PROJECTION.format("text"), f"{start}text_projection")]),
        shaped(SCALE, "logit_scale", (), ()),
        *([shaped(BIAS, "logit_bias", (), ())] if sigmoid else []),
    ]


def _vision_rules(config: ViTConfig) -> Rules:
    return [
        patch_rule("conv1", config.patch_size),
        same("class_token", "class_embedding"),
        same("positions", "positional_embedding"),
        *(layer("input_norm", "ln_pre") if config.input_norm else []),
        *_blocks(config.depth),
        *layer("norm", "ln_post"),
    ]


def _text_rules(config: TextTransformerConfig) -> Rules:
    return [
        same("embedding.weight", "token_embedding.weight"),
        same("positions", "positional_embedding"),
        *_blocks(config.depth),
        *layer("norm", "ln_final"),
        *(layer("pooler", "text_projection") if config.pooler else []),
    ]


def _blocks(depth: int) -> Rules:
    rules: Rules = []
    for number in numbered(depth):
        ours, theirs = f"transformer.blocks.{number}", f"transformer.resblocks.{number}"
        rules += [
            *(
                same(f"{ours}.attention.qkv.{part}", f"{theirs}.attn.in_proj_{part}")
                for part in ("weight", "bias")
            ),
            *layer(f"{ours}.attention.out", f"{theirs}.attn.out_proj"),
            *layer(f"{ours}.norm1", f"{theirs}.ln_1"),
            *layer(f"{ours}.norm2", f"{theirs}.ln_2"),
            *layer(f"{ours}.fc1", f"{theirs}.mlp.c_fc"),
            *layer(f"{ours}.fc2", f"{theirs}.mlp.c_proj"),
        ]
    return rules


def _timm_rules(config: ViTConfig) -> Rules:
    rules = [
        patch_rule("patch_embed.proj", config.patch_size),
        same("patch.bias", "patch_embed.proj.bias"),
        shaped("positions", "pos_embed", (-1, config.dim), (1, -1, config.dim)),
        *layer("norm", "norm"),
        shaped("attention_pool.probe", "attn_pool.latent", (-1,), (1, 1, -1)),
    ]
    for ours, theirs in (
        ("query", "q"),
        ("key_value", "kv"),
        ("out", "proj"),
        ("norm", "norm"),
        ("fc1", "mlp.fc1"),
        ("fc2", "mlp.fc2"),
    ):
        rules += layer(f"attention_pool.{ours}", f"attn_pool.{theirs}")
    for number in numbered(config.depth):
        ours, theirs = f"transformer.blocks.{number}", f"blocks.{number}"
        rules += [
            *layer(f"{ours}.attention.qkv", f"{theirs}.attn.qkv"),
            *layer(f"{ours}.attention.out", f"{theirs}.attn.proj"),
            *layer(f"{ours}.norm1", f"{theirs}.norm1"),
            *layer(f"{ours}.norm2", f"{theirs}.norm2"),
            *layer(f"{ours}.fc1", f"{theirs}.mlp.fc1"),
            *layer(f"{ours}.fc2", f"{theirs}.mlp.fc2"),
        ]
    return rules
