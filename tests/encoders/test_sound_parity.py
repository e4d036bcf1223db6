"""Encoders of sound against those of transformers, with random weights where shapes are the same."""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from weft.core.records import Field
from weft.encoders.conformer import ConformerConfig
from weft.encoders.spectrogram_transformer import SpectrogramTransformerConfig
from weft.encoders.speech_transformer import SpeechTransformerConfig
from weft.encoders.weight_names import VIT_BLOCK, BlockNames, blocks, joined_layers, layer
from weft.layers.packing import Packing

WHISPER_BLOCK = BlockNames(
    blocks="layers",
    query_key_value=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    out="self_attn.out_proj",
    norm1="self_attn_layer_norm",
    norm2="final_layer_norm",
    fc1="fc1",
    fc2="fc2",
)


def shaken(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, mean=0.05, std=0.2)
    return model.eval()


def load(encoder: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    encoder.load_state_dict(tensors)
    return encoder.eval()


def saved(model: nn.Module, folder: Path) -> dict[str, Tensor]:
    """Its tensors under the names of files, which stay the same from version to version."""
    model.save_pretrained(folder)  # type: ignore[operator]
    return load_file(folder / "model.safetensors")


def test_audio_spectrogram_transformer(tmp_path: Path) -> None:
    from transformers import ASTConfig, ASTModel

    frames, mels, dim = 56, 24, 16
    config = ASTConfig(
        hidden_size=dim,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        patch_size=8,
        frequency_stride=5,
        time_stride=5,
        max_length=frames,
        num_mel_bins=mels,
    )
    model = shaken(ASTModel(config))
    theirs = saved(model, tmp_path)
    encoder = SpectrogramTransformerConfig(
        mels, frames, patch=8, stride=5, dim=dim, depth=2, heads=2, mlp=32
    ).build()
    times, bands = encoder.config.grid
    positions = theirs["embeddings.position_embeddings"][0]
    tensors = {
        "class_tokens": torch.cat(
            [theirs["embeddings.cls_token"][0], theirs["embeddings.distillation_token"][0]]
        ),
        "class_positions": positions[:2],
        "positions": positions[2:].view(bands, times, dim).transpose(0, 1),
        "patch.weight": theirs["embeddings.patch_embeddings.projection.weight"].view(dim, -1),
        "patch.bias": theirs["embeddings.patch_embeddings.projection.bias"],
        "norm.weight": theirs["layernorm.weight"],
        "norm.bias": theirs["layernorm.bias"],
        **blocks(theirs, VIT_BLOCK, 2),
    }
    load(encoder, tensors)
    values = torch.randn(3, frames, mels, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, found = model(values), encoder(Field(values))
    torch.testing.assert_close(found.pooled, wanted.pooler_output, atol=1e-5, rtol=1e-4)
    by_band = wanted.last_hidden_state[:, 2:].view(3, bands, times, dim).transpose(1, 2)
    torch.testing.assert_close(found.tokens[:, 2:], by_band.flatten(1, 2), atol=1e-5, rtol=1e-4)


def test_whisper_encoder() -> None:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=2,
        encoder_ffn_dim=32,
        num_mel_bins=12,
        max_source_positions=20,
    )
    model = WhisperEncoder(config)
    fixed = model.embed_positions.weight.clone()
    shaken(model)
    model.embed_positions.weight.data = fixed
    theirs = model.state_dict()
    for number in range(2):  # keys have no bias, which changes nothing
        theirs[f"layers.{number}.self_attn.k_proj.bias"] = torch.zeros(16)
    encoder = SpeechTransformerConfig(12, 16, depth=2, heads=2, mlp=32).build()
    own = {
        name: theirs[name] for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")
    }
    norm = {f"norm.{part}": theirs[f"layer_norm.{part}"] for part in ("weight", "bias")}
    load(encoder, {**own, **norm, **blocks(theirs, WHISPER_BLOCK, 2)})
    values = torch.randn(3, 40, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = model(values.transpose(1, 2)).last_hidden_state
        found = encoder(Field(values))
    torch.testing.assert_close(found.tokens, wanted, atol=1e-5, rtol=1e-4)


def conformer_tensors(theirs: dict[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """The weights of transformers' blocks of width 16 by the names of ours."""
    # Their codes of distances are sine, cosine, sine, ...; ours all sines first.
    order = torch.arange(16).view(8, 2).T.flatten()
    tensors: dict[str, Tensor] = {}
    for number in range(blocks):
        their, our = f"layers.{number}", f"transformer.blocks.{number}"
        attention, convolution = f"{our}.attention", f"{our}.convolution"
        maps = [f"self_attn.linear_{part}" for part in "qkv"]
        tensors |= {
            **joined_layers(theirs, their, maps, f"{attention}.qkv"),
            f"{attention}.distance.weight": theirs[f"{their}.self_attn.linear_pos.weight"][
                :, order
            ],
            f"{attention}.content_bias": theirs[f"{their}.self_attn.pos_bias_u"][:, None],
            f"{attention}.distance_bias": theirs[f"{their}.self_attn.pos_bias_v"][:, None],
            f"{convolution}.gated.weight": theirs[
                f"{their}.conv_module.pointwise_conv1.weight"
            ].squeeze(2),
            f"{convolution}.over_time.weight": theirs[f"{their}.conv_module.depthwise_conv.weight"],
            f"{convolution}.out.weight": theirs[
                f"{their}.conv_module.pointwise_conv2.weight"
            ].squeeze(2),
            **{
                f"{convolution}.batch_norm.norm.{part}": theirs[
                    f"{their}.conv_module.batch_norm.{part}"
                ]
                for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            },
        }
        for one, other in {
            "ffn1_layer_norm": "first.norm",
            "ffn1.intermediate_dense": "first.fc1",
            "ffn1.output_dense": "first.fc2",
            "self_attn_layer_norm": "attention_norm",
            "self_attn.linear_out": "attention.out",
            "conv_module.layer_norm": "convolution.norm",
            "ffn2_layer_norm": "second.norm",
            "ffn2.intermediate_dense": "second.fc1",
            "ffn2.output_dense": "second.fc2",
            "final_layer_norm": "norm",
        }.items():
            tensors |= layer(theirs, f"{their}.{one}", f"{our}.{other}")
    return tensors


def test_conformer_blocks(tmp_path: Path) -> None:
    """Those of transformers' Wav2Vec2Conformer with relative positions; its input is another."""
    from transformers import Wav2Vec2ConformerConfig
    from transformers.models.wav2vec2_conformer import modeling_wav2vec2_conformer as theirs_of

    config = Wav2Vec2ConformerConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        conv_depthwise_kernel_size=5,
        position_embeddings_type="relative",
        hidden_act="swish",
        layerdrop=0.0,
        max_source_positions=40,
    )
    model = shaken(theirs_of.Wav2Vec2ConformerEncoder(config))
    theirs = {k: v + 0.1 if "running" in k else v for k, v in model.state_dict().items()}
    model.load_state_dict(theirs)
    encoder = ConformerConfig(8, 2, 4, 16, depth=2, heads=2, mlp=32, kernel=5).build().eval()
    encoder.load_state_dict({**encoder.state_dict(), **conformer_tensors(theirs, 2)})
    values = torch.randn(3, 11, 16, generator=torch.Generator().manual_seed(1))
    packing = Packing.dense(3, 11, "cpu")
    with torch.no_grad():
        hidden = values
        distances = model.embed_positions(values)
        for their_block in model.layers:
            hidden = their_block(hidden, relative_position_embeddings=distances)
        found = packing.unpack(encoder.transformer(packing.pack(values), packing))
    torch.testing.assert_close(found, hidden, atol=1e-5, rtol=1e-4)
