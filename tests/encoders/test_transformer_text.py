from pathlib import Path

import pytest
import torch

from weft.core.records import Features, Field
from weft.encoders.convert import convert, text_config
from weft.encoders.transformer_text import TextTransformer, TextTransformerConfig
from weft.encoders.weights import load_tensors

SIZES = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 20,
}
LENGTHS = (9, 3, 12, 1)


def texts(lengths: tuple[int, ...] = LENGTHS, low: int = 3, high: int = 48) -> Field:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(low, high, (len(lengths), max(lengths)), generator=generator)
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return Field(ids, mask)


def shake(model: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, mean=0.05, std=0.2)
    return model.eval()


def ours(model: torch.nn.Module, folder: Path) -> TextTransformer:
    from safetensors.torch import load_file

    model.save_pretrained(folder)  # type: ignore[operator]
    settings = model.config.to_dict()  # type: ignore[union-attr, operator]
    encoder = text_config(settings).build()
    tensors = load_file(folder / "model.safetensors")
    load_tensors(encoder, convert(tensors, settings, "file"), where="file")
    return encoder.eval()


def test_parity_with_transformers_bert(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    model = shake(BertModel(BertConfig(**SIZES)))
    field = texts()
    assert field.mask is not None
    encoder = ours(model, tmp_path)
    with torch.no_grad():
        wanted = model(input_ids=field.values, attention_mask=field.mask.long())
        got = encoder(field)
    hidden = wanted.last_hidden_state
    torch.testing.assert_close(got.tokens[field.mask], hidden[field.mask], atol=1e-5, rtol=1e-5)
    weight = field.mask[:, :, None] / field.mask.sum(1)[:, None, None]
    torch.testing.assert_close(got.pooled, (hidden * weight).sum(1), atol=1e-5, rtol=1e-5)
    pooled = encoder.config.replace(pooling="cls", pooler=True).build()
    pooled.load_state_dict(
        {
            **encoder.state_dict(),
            **{f"pooler.{k}": v for k, v in model.pooler.dense.state_dict().items()},  # type: ignore[union-attr]
        }
    )
    got_pooled = pooled.eval()(field).pooled
    torch.testing.assert_close(got_pooled, wanted.pooler_output, atol=1e-5, rtol=1e-5)


def test_parity_with_transformers_roberta(tmp_path: Path) -> None:
    from transformers import RobertaConfig, RobertaModel

    model = shake(RobertaModel(RobertaConfig(**SIZES, pad_token_id=1), add_pooling_layer=False))
    field = texts()
    assert field.mask is not None
    ids = field.values.masked_fill(~field.mask, 1)
    with torch.no_grad():
        wanted = model(input_ids=ids, attention_mask=field.mask.long()).last_hidden_state
        encoder = ours(model, tmp_path)
        got = encoder(field).tokens
    assert encoder.config.max_length == 18
    torch.testing.assert_close(got[field.mask], wanted[field.mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("end", [2, 49])
def test_parity_with_transformers_clip_text(end: int, tmp_path: Path) -> None:
    """Texts end with id 49; an eos_token_id of 2 is how old configs say 'the highest id'."""
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(**SIZES, bos_token_id=0, eos_token_id=end, pad_token_id=1)
    model = shake(CLIPTextModel(config))
    field = texts()
    for row, length in enumerate(LENGTHS):
        field.values[row, length - 1 :] = 49
    with torch.no_grad():
        # As CLIP's own tokenizer pads: with the end token, which is masked by being later.
        wanted = model(input_ids=field.values)
        encoder = ours(model, tmp_path)
        got, unmasked = encoder(field), encoder(Field(field.values))
    mask = got.mask
    assert mask.sum(1).tolist() == list(LENGTHS)
    hidden = wanted.last_hidden_state
    for features in (got, unmasked):
        torch.testing.assert_close(features.tokens[mask], hidden[mask], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(features.pooled, wanted.pooler_output, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm", ["pre", "post"])
@pytest.mark.parametrize("pooling", ["cls", "mean", "eos", "max"])
def test_padding_is_never_read(norm: str, pooling: str) -> None:
    torch.manual_seed(0)
    config = TextTransformerConfig(vocab_size=50, dim=16, depth=2, heads=2, max_length=12)
    encoder = config.replace(norm=norm, pooling=pooling).build().eval()
    field = texts()
    assert field.mask is not None
    # No embedding has such an id: reading one raises.
    outside = Field(field.values.masked_fill(~field.mask, 10**9), field.mask)
    together = encoder(outside)
    left = Field(outside.values.flip(1), field.mask.flip(1))
    left = Field(
        torch.stack(
            [torch.cat([r[~m], r[m].flip(0)]) for r, m in zip(left.values, left.mask, strict=True)]
        ),
        left.mask,
    )
    torch.testing.assert_close(encoder(left).pooled, together.pooled, atol=1e-5, rtol=0)
    for row, length in enumerate(LENGTHS):
        alone = encoder(Field(field.values[row : row + 1, :length]))
        torch.testing.assert_close(alone.pooled[0], together.pooled[row], atol=1e-5, rtol=0)


def test_lower_and_upper_are_the_whole_and_ignore_nan_in_padding() -> None:
    torch.manual_seed(0)
    encoder = TextTransformerConfig(vocab_size=50, dim=16, depth=3, heads=2).build().eval()
    field = texts()
    assert field.mask is not None
    whole = encoder(field)
    for layers in range(4):
        lower = encoder.lower(field, layers)
        dirty = lower.tokens.masked_fill(~field.mask[:, :, None], torch.nan)
        upper = encoder.upper(Features(dirty, lower.mask, lower.pooled), layers)
        torch.testing.assert_close(upper.pooled, whole.pooled, atol=1e-6, rtol=0)


def test_an_empty_text_gives_zeros() -> None:
    encoder = TextTransformerConfig(vocab_size=50, dim=16, depth=1, heads=2).build().eval()
    field = Field(torch.ones(2, 3, dtype=torch.long), torch.tensor([[True] * 3, [False] * 3]))
    features = encoder(field)
    assert not features.pooled[1].any()
    assert features.pooled[0].any()
    assert not encoder(Field(torch.zeros(2, 0, dtype=torch.long))).pooled.any()


def test_too_long_texts_and_odd_settings_are_refused() -> None:
    config = TextTransformerConfig(vocab_size=50, dim=16, depth=1, heads=2, max_length=4)
    with pytest.raises(ValueError, match="a text has 5 tokens, expected at most max_length, 4"):
        config.build()(Field(torch.ones(1, 5, dtype=torch.long)))
    config.build()(Field(torch.ones(1, 5, dtype=torch.long), torch.tensor([[True] * 4 + [False]])))
    with pytest.raises(ValueError, match="whose first token sees no other"):
        config.replace(causal=True, pooling="cls")
