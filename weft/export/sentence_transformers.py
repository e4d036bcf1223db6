"""Folders for sentence-transformers: CLIP and SigLIP for pictures and texts, or a text tower alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from weft.architectures.model import Pooled, Projection
from weft.core.errors import WeftError
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.renaming import write as renamed
from weft.encoders.transformer_text import TextTransformer, TextTransformerConfig
from weft.encoders.vit import ViT
from weft.encoders.weight_names import tower_rules
from weft.export import transformers
from weft.export._files import write_json, write_tokenizer, write_weights
from weft.export._library import Wanted
from weft.export._model import Exported
from weft.runs.run import Run

MODELS = "sentence_transformers.models"
_POOLINGS = {"mean": "mean_tokens", "cls": "cls_token", "max": "max_tokens"}
_IDENTITY = "torch.nn.modules.linear.Identity"
_ACTIVATIONS: dict[type, str] = {
    nn.GELU: "torch.nn.modules.activation.GELU",
    nn.ReLU: "torch.nn.modules.activation.ReLU",
    nn.Tanh: "torch.nn.modules.activation.Tanh",
}


def write(run: Run, folder: Path, wanted: Wanted) -> Sequence[str]:
    """Writes modules.json and the files that it names. If the picture tower cannot be represented, only the text
    tower is written.
    """
    wanted.require_whole("sentence-transformers")
    model = Exported.of(run)
    image = model.towers.get("image")
    if isinstance(image, ViT):
        return _dual(model, folder)
    lines = (
        []
        if image is None
        else [f"pictures are left out: a {type(image).__name__} has no place there"]
    )
    _texts(model, folder)
    return lines


def _dual(model: Exported, folder: Path) -> Sequence[str]:
    """CLIP or SigLIP in the form of transformers. SigLIP needs sentence-transformers 5.4 or newer."""
    lines = transformers.write_model(model, folder)
    _, text, width = model.dual("sentence-transformers")
    modality = {
        name: {"method": f"get_{name}_features", "method_output_name": "pooler_output"}
        for name in ("text", "image")
    }
    filled = {"padding": "max_length", "max_length": text.max_length, "truncation": True}
    write_json(
        folder / "sentence_bert_config.json",
        {
            "transformer_task": "feature-extraction",
            "modality_config": modality,
            "module_output_name": "sentence_embedding",
            "processing_kwargs": {"text": filled if width is None else {"truncation": True}},
        },
    )
    _write_modules(folder, [("", "Transformer"), ("1_Normalize", "Normalize")])
    return lines


def _texts(model: Exported, folder: Path) -> None:
    """A text tower, its pooling, its projection, and normalisation to length 1."""
    tower = model.towers.get("text")
    if isinstance(tower, TextTransformer) and tower.config.norm == "post":
        _write_bert(model, tower.config, folder)
        pooling = _POOLINGS[tower.config.pooling]
        head: list[nn.Module] = []
        if tower.pooler is not None:
            head += [tower.pooler, nn.Tanh()]
        width = tower.dim
    elif isinstance(tower, HuggingFaceTower) and tower.pooling in _POOLINGS:
        write_json(folder / "config.json", _own_settings(tower))
        below = "encoders.text.model."
        weights = {
            k.removeprefix(below): t for k, t in model.tensors.items() if k.startswith(below)
        }
        write_weights(folder / "model.safetensors", weights)
        pooling, head, width = _POOLINGS[tower.pooling], [], tower.dim
    else:
        has = "none" if tower is None else f"a {type(tower).__name__} of another kind"
        raise WeftError(
            f"sentence-transformers holds text towers of BERT's kind and of transformers, this run has {has}"
        )
    write_tokenizer(model, folder)
    length = model.words.config.max_length
    write_json(
        folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False}
    )
    modes = {f"pooling_mode_{name}": name == pooling for name in _POOLINGS.values()}
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    layers = [*head, *_layers(model)]
    modules += _write_layers(layers, width, folder, len(modules))
    modules.append((f"{len(modules)}_Normalize", "Normalize"))
    _write_modules(folder, modules)


def _own_settings(tower: HuggingFaceTower) -> dict[str, Any]:
    settings: dict[str, Any] = tower.model.config.to_dict()  # type: ignore[union-attr, operator]
    return settings


def _layers(model: Exported) -> list[nn.Module]:
    """The text projection, layer by layer."""
    projection = model.projections.get("text")
    if projection is None or isinstance(projection, Pooled):
        return []
    if not isinstance(projection, Projection):
        raise WeftError(f"sentence-transformers has no {type(projection).__name__} as a projection")
    return [layer for layer in projection.layers if not isinstance(layer, nn.Dropout)]


def _write_layers(
    layers: list[nn.Module], width: int, folder: Path, start: int
) -> list[tuple[str, str]]:
    """Writes norms, and linear maps with the activation that follows. Returns (path, module) of each."""
    modules: list[tuple[str, str]] = []
    for place, layer in enumerate(layers):
        following = layers[place + 1] if place + 1 < len(layers) else None
        if isinstance(layer, nn.LayerNorm):
            path = f"{start + len(modules)}_LayerNorm"
            weights = {"norm.weight": torch.ones(width), "norm.bias": torch.zeros(width)}
            settings: dict[str, Any] = {"dimension": width}
            modules.append((path, "LayerNorm"))
        elif isinstance(layer, nn.Linear):
            path = f"{start + len(modules)}_Dense"
            weights = _linear(layer)
            width = layer.out_features
            settings = {
                "in_features": layer.in_features,
                "out_features": width,
                "bias": layer.bias is not None,
                "activation_function": _ACTIVATIONS.get(type(following), _IDENTITY),
            }
            modules.append((path, "Dense"))
        else:
            continue
        write_weights(folder / path / "model.safetensors", weights)
        write_json(folder / path / "config.json", settings)
    return modules


def _linear(layer: nn.Linear) -> dict[str, Tensor]:
    found = {"linear.weight": layer.weight.detach().cpu().float().clone()}
    if layer.bias is not None:
        found["linear.bias"] = layer.bias.detach().cpu().float().clone()
    return found


def _write_bert(model: Exported, config: TextTransformerConfig, folder: Path) -> None:
    """Writes the tower as a BertModel of transformers: one token type, its unused pooler zero."""
    settings = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": config.vocab_size,
        "hidden_size": config.dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": config.heads,
        "intermediate_size": config.transformer().hidden,
        "hidden_act": transformers.ACTIVATION_NAMES[config.activation],
        "max_position_embeddings": config.max_length,
        "type_vocab_size": 2,
        "layer_norm_eps": config.norm_eps,
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": config.attention_dropout,
        "pad_token_id": model.tokens.special.get("pad", 0),
        "torch_dtype": "float32",
    }
    start = "encoders.text."
    own = {k.removeprefix(start): t for k, t in model.tensors.items() if k.startswith(start)}
    weights = renamed(tower_rules(settings), own)
    unused = {
        "pooler.dense.weight": torch.zeros(config.dim, config.dim),
        "pooler.dense.bias": torch.zeros(config.dim),
    }
    write_json(folder / "config.json", settings)
    write_weights(folder / "model.safetensors", {**weights, **unused})


def _write_modules(folder: Path, modules: Sequence[tuple[str, str]]) -> None:
    write_json(
        folder / "modules.json",
        [
            {"idx": n, "name": str(n), "path": path, "type": f"{MODELS}.{kind}"}
            for n, (path, kind) in enumerate(modules)
        ],
    )
    for path, _ in modules:
        (folder / path).mkdir(exist_ok=True)
