"""Pretrained towers of sounds and films against transformers itself, with random weights."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import weft
from weft.architectures.model import Model, ModelConfig
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.data.learned import Learned
from weft.encoders.frozen import Frozen
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.weights import architecture
from weft.modalities.published_media import audio_of, video_of
from weft.runs.check import check_parts

hf = pytest.importorskip("transformers")
SIZES = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
FILM = {**SIZES, "hidden_size": 16, "image_size": 32, "num_frames": 4}
CONVOLUTIONS = {"conv_dim": (8, 8), "conv_stride": (4, 2), "conv_kernel": (8, 3)}
CONVOLUTIONS |= {"num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
CLAP = {
    "hidden_size": 32,
    "depths": [1] * 4,
    "num_attention_heads": [1] * 4,
    "patch_embeds_hidden_size": 4,
    "spec_size": 64,
    "num_mel_bins": 32,
    "window_size": 2,
}


def ast() -> Any:
    config = hf.ASTConfig(**SIZES, hidden_size=16, num_mel_bins=24, max_length=40)
    return hf.ASTModel(config), hf.ASTFeatureExtractor(num_mel_bins=24, max_length=40)


def whisper() -> Any:
    sizes = {"d_model": 16, "num_mel_bins": 8, "max_source_positions": 50, "vocab_size": 60}
    layers = {
        f"{part}_{name}": 2
        for part in ("encoder", "decoder")
        for name in ("layers", "attention_heads")
    }
    ids = {"pad_token_id": 1, "bos_token_id": 1, "eos_token_id": 1, "decoder_start_token_id": 1}
    config = hf.WhisperConfig(**sizes, **layers, **ids, encoder_ffn_dim=24, decoder_ffn_dim=24)
    return hf.WhisperModel(config), hf.WhisperFeatureExtractor(feature_size=8, chunk_length=1)


def wav2vec2(norm: str = "group") -> Any:
    config = hf.Wav2Vec2Config(**SIZES, **CONVOLUTIONS, hidden_size=16, feat_extract_norm=norm)
    return hf.Wav2Vec2Model(config), hf.Wav2Vec2FeatureExtractor()


def clap() -> Any:
    words = {**SIZES, "hidden_size": 16, "vocab_size": 40, "max_position_embeddings": 14}
    config = hf.ClapConfig(text_config=words, audio_config=CLAP, projection_dim=8)
    extractor = hf.ClapFeatureExtractor(feature_size=32, truncation="rand_trunc", max_length_s=1)
    return hf.ClapModel(config), extractor


def film(kind: str, **settings: Any) -> Any:
    model = getattr(hf, f"{kind}Model")(getattr(hf, f"{kind}Config")(**FILM, **settings))
    size = {"size": {"height": 32, "width": 32}, "do_center_crop": False}
    return model, hf.VideoMAEImageProcessor(**size, image_mean=[0.4] * 3, image_std=[0.2] * 3)


SOUNDS: dict[str, Any] = {
    "ast": ast,
    "whisper": whisper,
    "wav2vec2": wav2vec2,
    "wav2vec2-layer": lambda: wav2vec2("layer"),
    "clap": clap,
}
FILMS: dict[str, Any] = {
    "videomae": lambda: film("VideoMAE", patch_size=16),
    "timesformer": lambda: film("Timesformer", patch_size=16),
    "vivit": lambda: film("Vivit", tubelet_size=[2, 16, 16]),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    found = {}
    for name, make in {**SOUNDS, **FILMS}.items():
        torch.manual_seed(0)
        model, extractor = make()
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, mean=0.02, std=0.2)
        folder = tmp_path_factory.mktemp(name)
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
        found[name] = folder, type(model).from_pretrained(folder).eval()
    return found


def config_of(name: str, folder: Path, **settings: Any) -> PretrainedConfig:
    return PretrainedConfig(str(folder), tower="audio" if name == "clap" else "auto", **settings)


def batch(name: str, config: Any) -> tuple[Field, list[int]]:
    """Three rows, of which the first two are padded."""
    generator = torch.Generator().manual_seed(1)
    if name in FILMS:
        lengths, shape, most = [2, 1, 4], (3, 32, 32), 4
    elif name.startswith("wav2vec2"):
        lengths, shape, most = [60, 9, 100], (1,), 100
    else:
        lengths, shape, most = [25, 9, 40], (config.spectrogram.mels,), 40
    mask = torch.arange(most) < torch.tensor(lengths)[:, None]
    if name in FILMS:
        values = torch.randint(0, 256, (3, most, *shape), dtype=torch.uint8, generator=generator)
    else:
        values = torch.randn(3, most, *shape, generator=generator)
        values = values.masked_fill(~mask[..., None], torch.nan)
    return Field(values, mask), lengths


def wanted(name: str, model: Any, values: Tensor) -> Tensor:
    """The model's vector of one sound or film without padding."""
    if name == "ast":
        filled = torch.full((1, 40, 24), 4.2677393 / (2 * 4.5689974))
        filled[:, : values.shape[1]] = values
        return model(filled).pooler_output
    if name == "whisper":
        filled = torch.full((1, 8, 100), float(values.min()))
        filled[:, :, : values.shape[1]] = values.transpose(1, 2)
        tokens = model.get_encoder()(filled).last_hidden_state
        return tokens[:, : (values.shape[1] + 1) // 2].mean(1)
    if name == "clap":
        return model.audio_model(input_features=values[:, None]).pooler_output
    if name in FILMS:
        frames = values[:, [place * values.shape[1] // 4 for place in range(4)]]
        tokens = model((frames / 255 - 0.4) / 0.2).last_hidden_state
        return tokens.mean(1) if name == "videomae" else tokens[:, 0]
    samples = torch.nn.functional.pad(values[..., 0], (0, max(0, 16 - values.shape[1])))
    return model(samples).last_hidden_state.mean(1)


@pytest.mark.parametrize("name", [*SOUNDS, *FILMS])
def test_towers_give_what_transformers_gives(
    name: str, folders: dict[str, tuple[Path, Any]]
) -> None:
    folder, model = folders[name]
    modality = None if name in FILMS else audio_of(str(folder))
    field, lengths = batch(name, modality)
    tower: Any = config_of(name, folder).build()
    assert isinstance(tower, Frozen)
    with torch.no_grad():
        found = tower(field)
        for row, length in enumerate(lengths):
            values = field.values[row : row + 1, :length]
            torch.testing.assert_close(
                found.pooled[row : row + 1], wanted(name, model, values), atol=1e-5, rtol=1e-4
            )
            alone = tower(Field(values))
            torch.testing.assert_close(alone.pooled[0], found.pooled[row], atol=1e-5, rtol=1e-4)
    assert not found.tokens[~found.mask].any()
    assert found.tokens.isfinite().all()
    empty = tower(Field(field.values[:0], field.mask[:0] if field.mask is not None else None))
    assert empty.pooled.shape == (0, tower.dim)
    there = tower(Field(field.values, field.mask & torch.tensor([[True], [False], [True]])))  # type: ignore[operator]
    assert there.present.tolist() == [True, False, True]
    assert not there.pooled[1].any()


@pytest.mark.parametrize("name", ["ast", "whisper", "wav2vec2", "clap", "videomae", "vivit"])
def test_each_trains_and_is_rebuilt_without_its_folder(
    name: str, folders: dict[str, tuple[Path, Any]]
) -> None:
    folder, _ = folders[name]
    config = config_of(name, folder, mode="full")
    tower: Any = config.build().train()  # type: ignore[attr-defined]
    field, _ = batch(name, None if name in FILMS else audio_of(str(folder)))
    tower(field).pooled.square().sum().backward()
    assert sum(p.grad is not None for p in tower.parameters()) > 10
    described = architecture(config).replace(name="gone")
    again: Any = described.build()
    again.load_state_dict(tower.state_dict())
    torch.testing.assert_close(again.eval()(field).pooled, tower.eval()(field).pooled)


def test_what_the_modality_must_give_is_said(folders: dict[str, tuple[Path, Any]]) -> None:
    sound: Any = config_of("ast", folders["ast"][0]).build()
    audio = audio_of(str(folders["ast"][0]))
    tower = sound.encoder
    assert tower.problem(audio) is None
    assert tower.problem(audio.replace(rate=8000)) == "rate is 8000, expected 16000"
    assert tower.problem(audio.replace(output="waveform")) == (
        "output is 'waveform', expected 'spectrogram'"
    )
    other = audio.replace(spectrogram=audio.spectrogram.replace(mels=12))
    assert tower.problem(other) == "spectrogram.mels is 12, expected 24"
    with pytest.raises(WeftError, match="a sound has 41 frames, expected at most 40"):
        tower(Field(torch.zeros(1, 41, 24)))
    films: Any = config_of("vivit", folders["vivit"][0]).build()
    video = video_of(str(folders["vivit"][0]))
    assert (video.sampling.frames, video.image.size, video.image.fit) == (4, 32, "squash")
    assert films.encoder.problem(video) is None
    larger = video.replace(image=video.image.replace(size=64))
    assert films.encoder.problem(larger) == "image.size is 64, expected 32"
    more = video.replace(sampling=video.sampling.replace(frames=5))
    assert films.encoder.problem(more) == "sampling.frames is 5, expected at most 4"
    with pytest.raises(WeftError, match="has 2 towers, expected tower 'audio' or 'text'"):
        PretrainedConfig(str(folders["clap"][0])).build()


def test_a_stream_that_is_read_otherwise_is_refused_before_training(
    folders: dict[str, tuple[Path, Any]],
) -> None:
    folder = folders["ast"][0]
    encoder = config_of("ast", folder)
    audio = audio_of(str(folder))
    recipe = weft.recipe("esc10").replace(
        model=ModelConfig({"sound": encoder}), objectives={}, tasks={}
    )
    for changed, message in (
        (audio, None),
        (audio.replace(rate=8000), r"data\.streams\.sound\.rate is 8000, expected 16000, as model"),
    ):
        learned = Learned({"sound": changed.build()}, {})
        model = Model({"sound": encoder.build()})  # type: ignore[dict-item]
        if message is None:
            check_parts(recipe, model, learned)
            continue
        with pytest.raises(WeftError, match=message):
            check_parts(recipe, model, learned)
