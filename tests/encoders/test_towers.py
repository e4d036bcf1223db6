"""Towers of published models with two of them, and towers of other kinds, against transformers itself."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.hugging_face import HuggingFaceTower
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import architecture

hf = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
WORDS = {**SIZES, "vocab_size": 40, "max_position_embeddings": 12}
PICTURES = {**SIZES, "image_size": 32, "patch_size": 16}
END, PAD = 39, 1
ENDS = {"eos_token_id": END, "bos_token_id": 2, "pad_token_id": PAD}


def two_towers(kind: str, text: dict[str, Any], other: dict[str, Any], name: str = "vision") -> Any:
    config = getattr(hf, f"{kind}Config")(**{"text_config": text, f"{name}_config": other})
    return getattr(hf, f"{kind}Model")(config)


DUALS = {
    "siglip": lambda: two_towers("Siglip", {**WORDS, **ENDS, "projection_size": 16}, PICTURES),
    "siglip2": lambda: two_towers(
        "Siglip2",
        {**WORDS, **ENDS, "projection_size": 16},
        {**SIZES, "patch_size": 16, "num_patches": 4},
    ),
    "metaclip_2": lambda: two_towers("MetaClip2", {**WORDS, **ENDS}, PICTURES),
    "chinese_clip": lambda: two_towers("ChineseCLIP", WORDS, PICTURES),
    "align": lambda: two_towers(
        "Align",
        WORDS,
        {"image_size": 32, "hidden_dim": 16, "width_coefficient": 0.2, "depth_coefficient": 0.2},
    ),
    "clap": lambda: two_towers(
        "Clap",
        {**WORDS, "max_position_embeddings": 14},
        {
            "hidden_size": 16,
            "depths": [1] * 4,
            "num_attention_heads": [1] * 4,
            "patch_embeds_hidden_size": 8,
            "spec_size": 32,
            "num_mel_bins": 8,
        },
        "audio",
    ),
}


def spread(model: nn.Module) -> nn.Module:
    """Weights large enough that texts differ."""
    for parameter in model.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.3)
    return model.eval()


def texts() -> Field:
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([6, 3, 5])
    mask = torch.arange(6) < lengths[:, None]
    ids = torch.randint(3, 38, (3, 6), generator=generator)
    ids[torch.arange(3), lengths - 1] = END
    return Field(ids.masked_fill(~mask, 0), mask)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    torch.manual_seed(0)
    found = {}
    for name, make in DUALS.items():
        if name == "metaclip_2" and not hasattr(hf, "MetaClip2Model"):
            continue
        folder, model = tmp_path_factory.mktemp(name), spread(make())
        model.save_pretrained(folder)
        found[name] = folder, model
    return found


def own_vectors(name: str, model: Any, field: Field) -> Tensor:
    """What the published model compares with pictures or sounds, before its projection."""
    assert field.mask is not None
    if name.startswith("siglip"):
        filled = torch.full((len(field), 12), PAD)
        filled[:, :6] = field.values.masked_fill(~field.mask, PAD)
        found: Tensor = model.text_model(input_ids=filled).pooler_output
        return found
    ids = field.values.masked_fill(~field.mask, PAD)
    output = model.text_model(input_ids=ids, attention_mask=field.mask.long())
    first = name in ("chinese_clip", "align")
    pooled: Tensor = output.last_hidden_state[:, 0] if first else output.pooler_output
    return pooled


@pytest.mark.parametrize("name", DUALS)
def test_the_text_tower_of_two_gives_the_model_s_own_vectors(
    name: str, saved: dict[str, tuple[Path, Any]]
) -> None:
    if name not in saved:
        pytest.skip(f"this version of transformers has no {name}")
    folder, model = saved[name]
    config = PretrainedConfig(str(folder), tower="text", mode="full")
    encoder: Any = config.build()
    encoder.eval()
    field = texts()
    with torch.no_grad():
        wanted, got = own_vectors(name, model, field), encoder(field)
    torch.testing.assert_close(got.pooled, wanted, atol=1e-5, rtol=0)
    assert got.tokens.shape == (3, 6, 16)
    rebuilt: Any = architecture(config).build()
    rebuilt.load_state_dict(encoder.state_dict())
    torch.testing.assert_close(rebuilt.eval()(field).pooled, got.pooled, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", DUALS)
def test_padding_changes_nothing_on_either_side(
    name: str, saved: dict[str, tuple[Path, Any]]
) -> None:
    if name not in saved:
        pytest.skip(f"this version of transformers has no {name}")
    encoder = PretrainedConfig(str(saved[name][0]), tower="text").build()
    field = texts()
    assert field.mask is not None
    together = encoder(field)
    poisoned = encoder(Field(field.values.masked_fill(~field.mask, 37), field.mask))
    left = encoder(
        Field(
            torch.stack([row.roll(6 - int(m.sum())) for row, m in zip(field.values, field.mask)]),  # noqa: B905
            field.mask.flip(1),
        )
    )
    for row, mask in enumerate(field.mask):
        alone = encoder(Field(field.values[row : row + 1, mask], mask[None, mask]))
        for other in (together, poisoned, left):
            torch.testing.assert_close(other.pooled[row], alone.pooled[0], atol=1e-5, rtol=0)
        for other in (together, poisoned):
            torch.testing.assert_close(other.tokens[row, mask], alone.tokens[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(
            left.tokens[row, left.mask[row]], alone.tokens[0], atol=1e-5, rtol=0
        )
    nothing = encoder(Field(field.values, torch.zeros_like(field.mask)))
    assert not nothing.pooled.any()
    assert not nothing.tokens.any()


def test_siglip_is_filled_up_with_the_tokenizer_s_padding(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path
) -> None:
    """SigLIP 2 leaves config.json at SigLIP's padding, its tokenizer has another."""
    from tokenizers import Tokenizer, models

    folder, model = saved["siglip"]
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((folder / file).read_bytes())
    Tokenizer(models.WordLevel({"<unk>": 3, "<pad>": 7}, unk_token="<unk>")).save(
        str(tmp_path / "tokenizer.json")
    )
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "<pad>"}')
    ids = texts().values[:1]
    filled = torch.full((1, 12), 7)
    filled[:, :6] = ids
    got = PretrainedConfig(str(tmp_path), tower="text").build()(Field(ids))
    with torch.no_grad():
        wanted = model.text_model(input_ids=filled).pooler_output
    torch.testing.assert_close(got.pooled, wanted, atol=1e-5, rtol=0)


def test_a_text_that_is_too_long_is_said(saved: dict[str, tuple[Path, Any]]) -> None:
    for name in ("siglip", "chinese_clip"):
        encoder = PretrainedConfig(str(saved[name][0]), tower="text").build()
        with pytest.raises((ValueError, WeftError), match="a text has 13 tokens, expected at most"):
            encoder(Field(torch.zeros(2, 13, dtype=torch.int64)))


def test_transformers_says_nothing_and_unused_weights_are_an_error(
    saved: dict[str, tuple[Path, Any]], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, model = saved["chinese_clip"]
    PretrainedConfig(str(folder), tower="text").build()
    assert capfd.readouterr() == ("", "")
    weights = {**model.state_dict(), "text_model.encoder.adapter": torch.zeros(1)}
    model.save_pretrained(tmp_path, state_dict=weights)
    with pytest.raises(WeftError, match=r"has 1 weights that the tower lacks: .*encoder\.adapter"):
        PretrainedConfig(str(tmp_path), tower="text").build()


SINGLE = {
    "t5": lambda: hf.T5Model(
        hf.T5Config(vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    ),
    "gpt2": lambda: hf.GPT2Model(hf.GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=2)),
}


@pytest.mark.parametrize("name", SINGLE)
def test_other_texts_are_the_mean_of_the_encoder(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = spread(SINGLE[name]())
    model.save_pretrained(tmp_path)
    encoder = PretrainedConfig(str(tmp_path), mode="full").build()
    assert isinstance(encoder, HuggingFaceTower)
    assert encoder.dim == 16
    field = texts()
    assert field.mask is not None
    reader = model.get_encoder() if name == "t5" else model
    with torch.no_grad():
        hidden = reader(input_ids=field.values, attention_mask=field.mask.long())[0]
    wanted = (hidden * field.mask[:, :, None]).sum(1) / field.mask.sum(1, keepdim=True)
    torch.testing.assert_close(encoder.eval()(field).pooled, wanted, atol=1e-5, rtol=1e-5)


def altclip() -> nn.Module:
    return two_towers("AltCLIP", {**WORDS, "project_dim": 16}, PICTURES)


OTHERS: dict[str, tuple[Any, str, str]] = {
    "altclip": (altclip, "text", "the text tower of a 'altclip' model cannot be opened by itself"),
    "siglip2": (DUALS["siglip2"], "vision", "also needs pixel_attention_mask, spatial_shapes"),
    "align": (DUALS["align"], "vision", "AlignVisionModel does not say how wide"),
    "clap": (DUALS["clap"], "vision", "has no vision tower"),
    "vilt": (
        lambda: hf.ViltModel(hf.ViltConfig(**PICTURES, vocab_size=40)),
        "auto",
        "a 'vilt' model reads input_ids, expected a tower of texts, pictures, or of a kind of",
    ),
    "wav2vec2-bert": (
        lambda: hf.Wav2Vec2BertModel(
            hf.Wav2Vec2BertConfig(**SIZES, feature_projection_input_dim=8, vocab_size=8)
        ),
        "auto",
        "a 'wav2vec2-bert' model reads input_features, expected a tower of texts, pictures",
    ),
    "vit_mae": (
        lambda: hf.ViTMAEModel(hf.ViTMAEConfig(**PICTURES)),
        "auto",
        "a 'vit_mae' model hides patches at random",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_cannot_be_a_tower_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    make, tower, message = OTHERS[name]
    make().save_pretrained(tmp_path)
    with pytest.raises(WeftError, match=message) as caught:
        PretrainedConfig(str(tmp_path), tower=tower).build()
    assert "\n" not in str(caught.value)


@pytest.fixture
def distilbert(tmp_path: Path) -> Path:
    config = hf.DistilBertConfig(vocab_size=40, dim=16, n_layers=2, n_heads=2, hidden_dim=24)
    hf.DistilBertModel(config).save_pretrained(tmp_path)
    return tmp_path


def changed(folder: Path, **settings: Any) -> PretrainedConfig:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))
    return PretrainedConfig(str(folder))


def test_adapters_and_quantised_weights_are_refused(distilbert: Path) -> None:
    quantised = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    with pytest.raises(WeftError, match="has quantised weights, expected weights of floats"):
        changed(distilbert, quantization_config=quantised).build()
    changed(distilbert, quantization_config=None)
    (distilbert / "adapter_config.json").write_text('{"base_model_name_or_path": "other/model"}')
    with pytest.raises(WeftError, match="holds adapters of another model"):
        PretrainedConfig(str(distilbert)).build()


def test_settings_cannot_choose_code(distilbert: Path) -> None:
    """Kernels of the hub are code, and a run's own definition is no more trusted than a folder."""
    config = changed(
        distilbert, attn_implementation="owner/kernel", _attn_implementation="owner/kernel"
    )
    tower: Any = config.replace(mode="full").build()
    assert tower.model.config._attn_implementation in ("sdpa", "eager")
    described = config.architecture()
    assert described.definition is not None
    settings = {**json.loads(described.definition), "auto_map": {"AutoModel": "other.Other"}}
    rebuilt: Any = described.replace(definition=json.dumps(settings), mode="full").build()
    assert type(rebuilt.model) is hf.DistilBertModel


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden_size": "wide"},
        {"hidden_size": -16},
        {"num_attention_heads": 0},
        {"num_hidden_layers": 10**9},
        {"vocab_size": 10**15},
        {"layer_norm_eps": "small"},
        {"hidden_act": ["gelu"]},
        {"hidden_size": 32},
    ],
)
def test_nor_are_those_of_our_own_towers(settings: dict[str, Any], tmp_path: Path) -> None:
    hf.BertModel(hf.BertConfig(**WORDS)).save_pretrained(tmp_path)
    with pytest.raises(WeftError) as caught:
        changed(tmp_path, **settings).build()
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"dim": "wide"},
        {"dim": -16},
        {"n_heads": 0},
        {"n_layers": None},
        {"n_layers": 10**9},
        {"model_type": 3},
        {"model_type": ["distilbert"]},
        {"model_type": "no-such-model"},
        {"vocab_size": 10**15},
        {"activation": "sudden"},
        {"dim": 32},
    ],
)
def test_settings_that_cannot_be_are_one_line(settings: dict[str, Any], distilbert: Path) -> None:
    with pytest.raises(WeftError) as caught:
        changed(distilbert, **settings).build()
    assert "\n" not in str(caught.value)
    assert str(distilbert) in str(caught.value)
