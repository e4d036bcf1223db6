"""Published models of pictures or sounds and texts with random weights, in the folders that their libraries write."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from weft.encoders.open_clip import describe
from weft.encoders.renaming import write

SIDE, LENGTH, VOCABULARY = 32, 10, 30
BLOCKS = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
WORDS = [
    "a",
    "photo",
    "of",
    "red",
    "blue",
    "green",
    "circle",
    "square",
    "star",
    "large",
    "small",
    "the",
    "and",
    "above",
    "below",
    "left",
    "right",
]
TEXTS = ["a photo of a red circle", "the large blue star above the small square", "left"]


def tokenizer(folder: Path, end: str, pad: str, **settings: Any) -> None:
    """Whole words; id 0 is unknown, 1 pads and 29, the highest, ends a text; one token may be both."""
    first = ["<unk>", pad] if pad != end else ["<unk>", "<free>"]
    vocabulary = {word: place for place, word in enumerate([*first, *WORDS])} | {
        end: VOCABULARY - 1
    }
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(["<unk>", pad, end])
    if "add_eos_token" not in settings:
        made.post_processor = processors.TemplateProcessing(
            single=f"$A {end}", special_tokens=[(end, vocabulary[end])]
        )
    made.save(str(folder / "tokenizer.json"))
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": end,
        "pad_token": pad,
        "unk_token": "<unk>",
        "model_max_length": LENGTH,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps({**described, **settings}))


def clip(folder: Path, **vision: Any) -> Path:
    """CLIP, whose texts are padded by their end."""
    hf = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = hf.CLIPConfig(
        text_config={
            **BLOCKS,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": LENGTH,
            "eos_token_id": VOCABULARY - 1,
            "bos_token_id": 0,
            "pad_token_id": 1,
        },
        vision_config={**BLOCKS, "image_size": SIDE, "patch_size": 8, **vision},
        projection_dim=12,
    )
    _saved(hf.CLIPModel(config), folder, scale=4.6052)
    tokenizer(folder, "<end>", "<end>")
    picture = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": SIDE},
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "image_mean": [0.48, 0.45, 0.4],
        "image_std": [0.27, 0.26, 0.28],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(picture))
    return folder


def siglip(folder: Path, *, second: bool = False) -> Path:
    """SigLIP; with `second` SigLIP 2, whose tokenizer says other padding than config.json, and its end itself."""
    hf = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = hf.SiglipConfig(
        text_config={
            **BLOCKS,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": LENGTH,
            "projection_size": 16,
            "eos_token_id": VOCABULARY - 1,
            "bos_token_id": 0,
            "pad_token_id": VOCABULARY - 1,
        },
        vision_config={**BLOCKS, "image_size": SIDE, "patch_size": 8},
    )
    _saved(hf.SiglipModel(config), folder, scale=4.76, bias=-16.5)
    if second:
        tokenizer(folder, "<eos>", "<pad>", add_bos_token=False, add_eos_token=True)
    else:
        tokenizer(folder, "</s>", "</s>")
    picture = {
        "image_processor_type": "SiglipImageProcessor",
        "do_resize": True,
        "size": {"height": SIDE, "width": SIDE},
        "resample": 3,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(picture))
    return folder


def clap(folder: Path) -> Path:
    """CLAP of sounds of one second, with two temperatures."""
    hf = pytest.importorskip("transformers")
    torch.manual_seed(0)
    words = {**BLOCKS, "vocab_size": VOCABULARY, "max_position_embeddings": 14, "pad_token_id": 1}
    sounds = {"hidden_size": 32, "depths": [1] * 4, "num_attention_heads": [1] * 4}
    sounds |= {"patch_embeds_hidden_size": 4, "spec_size": 64, "num_mel_bins": 32, "window_size": 2}
    config = hf.ClapConfig(text_config=words, audio_config=sounds, projection_dim=12)
    model = hf.ClapModel(config)
    _saved(model, folder, scale=2.0)
    with torch.no_grad():
        model.logit_scale_a.fill_(2.0)
        model.logit_scale_t.fill_(3.0)
    model.save_pretrained(folder)
    extractor = hf.ClapFeatureExtractor(feature_size=32, truncation="rand_trunc", max_length_s=1)
    extractor.save_pretrained(folder)
    tokenizer(folder, "<end>", "<pad>")
    return folder


OPEN_CLIP: dict[str, Any] = {
    "embed_dim": 12,
    "vision_cfg": {
        "image_size": SIDE,
        "layers": 2,
        "width": 16,
        "head_width": 8,
        "patch_size": 8,
        "mlp_ratio": 1.5,
    },
    "text_cfg": {
        "context_length": LENGTH,
        "vocab_size": VOCABULARY,
        "width": 16,
        "heads": 2,
        "layers": 2,
        "mlp_ratio": 1.5,
        "hf_tokenizer_name": "own",
    },
}


def open_clip(folder: Path, **changes: Any) -> Path:
    """A vision transformer and a text transformer of open_clip; the weights are made here, not by it."""
    folder.mkdir(parents=True, exist_ok=True)
    model = {**OPEN_CLIP, **changes}
    preprocessing = {"mean": [0.48, 0.45, 0.4], "std": [0.27, 0.26, 0.28], "resize_mode": "squash"}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model, "preprocess_cfg": preprocessing})
    )
    tokenizer(folder, "<end>", "<pad>")
    dual = describe(model, pad_id=1)
    generator = torch.Generator().manual_seed(0)

    def drawn(tensors: dict[str, torch.Tensor], start: str) -> dict[str, torch.Tensor]:
        return {
            f"{start}{name}": 0.2 * torch.randn(value.shape, generator=generator)
            for name, value in tensors.items()
        }

    ours = {
        **drawn(dual.image.build().state_dict(), "encoders.image."),
        **drawn(dual.text.build().state_dict(), "encoders.text."),
        "projections.image.layers.0.weight": torch.randn(12, 16, generator=generator),
        "projections.text.layers.0.weight": torch.randn(12, 16, generator=generator),
        "log_scale": torch.tensor(4.6052),
        "bias": torch.tensor(-16.5),
    }
    save_file(write(dual.rules, ours), folder / "open_clip_model.safetensors")
    return folder


MODELS = {
    "clip": clip,
    "siglip": siglip,
    "siglip2": lambda folder: siglip(folder, second=True),
    "open_clip": open_clip,
}


def _saved(model: Any, folder: Path, scale: float, bias: float = 0.0) -> None:
    """Random values everywhere, biases and norms too, so that none can be lost unseen."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(0.02, 0.2, generator=generator)
            if name.startswith("logit"):
                parameter.fill_(scale if name == "logit_scale" else bias)
    model.save_pretrained(folder)
