"""The one model class, and every architecture that is made of it."""

import importlib
import json
import pkgutil
from pathlib import Path

import pytest
import torch
from torch import nn

import weft.architectures
from weft.architectures.albef import albef
from weft.architectures.blip import blip
from weft.architectures.captioner import captioner
from weft.architectures.clip import clip
from weft.architectures.cnn_lstm import cnn_lstm
from weft.architectures.devise import devise
from weft.architectures.gan import gan
from weft.architectures.lit import lit
from weft.architectures.lxmert import lxmert
from weft.architectures.model import Model, ModelConfig, ProjectionConfig
from weft.architectures.rectified_flow import rectified_flow
from weft.architectures.show_and_tell import show_and_tell
from weft.architectures.siglip import siglip
from weft.architectures.vilbert import vilbert
from weft.architectures.vilt import vilt
from weft.architectures.visualbert import visualbert
from weft.architectures.vsepp import vsepp
from weft.core.config import Config, from_json, to_json
from weft.core.interfaces import JOINT
from weft.core.records import Batch, Features, Field
from weft.core.tensors import read_tensors, write_tensors
from weft.decoders.drawing import Drawer, DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.regions import RegionsConfig
from weft.encoders.resnet import ResNetConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.training.streams import Streams

IMAGE = ResNetConfig(depth=18, width=8)
WORDS = WordVectorsConfig(50, dim=16, ignored_ids=(0,))
ARCHITECTURES: dict[str, ModelConfig] = {
    "clip": clip(vocab_size=50, image_size=32, width=64, depth=1, text_depth=1, embedding=16),
    "siglip": siglip(vocab_size=50, image_size=32, width=64, depth=1, text_depth=1, embedding=16),
    "lit": lit(image=IMAGE, image_dim=64, vocab_size=50, width=64, depth=1, embedding=16),
    "devise": devise(image=IMAGE, image_dim=64, vocab_size=50, dim=16, ignored_ids=(0,)),
    "vsepp": vsepp(image=IMAGE, image_dim=64, vocab_size=50, words=8, dim=16),
    "vilt": vilt(vocab_size=50, image_size=32, width=64, depth=1, max_length=6, answers=5),
    "visualbert": visualbert(vocab_size=50, feature_dim=7, width=64, depth=1, answers=5),
    "vilbert": vilbert(
        vocab_size=50,
        feature_dim=7,
        text_width=64,
        image_width=32,
        text_depth=1,
        fusion_depth=2,
        answers=5,
    ),
    "lxmert": lxmert(
        vocab_size=50,
        feature_dim=7,
        width=64,
        text_depth=1,
        region_depth=1,
        fusion_depth=2,
        answers=5,
    ),
    "albef": albef(
        vocab_size=50,
        image_size=32,
        width=64,
        image_depth=1,
        text_depth=1,
        fusion_depth=2,
        embedding=16,
        answers=5,
    ),
    "cnn_lstm": cnn_lstm(
        image=IMAGE,
        image_dim=64,
        vocab_size=50,
        answers=5,
        hidden=16,
        width=16,
        embedding=16,
        text="text",
    ),
    "blip": blip(vocab_size=50, image_size=32, width=64, depth=2, image_depth=1, answers=5),
    "captioner": captioner(image=IMAGE, image_dim=64, vocab_size=50, dim=16, heads=2),
    "show_and_tell": show_and_tell(image=IMAGE, image_dim=64, vocab_size=50, words=8, hidden=16),
    "gan": gan(
        text=WORDS,
        text_dim=16,
        generator=PictureConvolutionsConfig(16, widths=(8, 8, 8, 8), noise=4, condition=8),
        critic=PictureCriticConfig(32, widths=(4, 8), dim=16),
    ),
    "rectified_flow": rectified_flow(
        text=WORDS,
        flow=FlowConfig(UNetConfig(32, 16, widths=(8,), patch=4, condition=8, attention=False)),
        drawing=DrawingConfig(steps=2),
    ),
}
GENERATING = [name for name, config in ARCHITECTURES.items() if "picture" in config.heads]
WRITING = [name for name, config in ARCHITECTURES.items() if "caption" in config.heads]
EMBEDDING = [name for name, config in ARCHITECTURES.items() if config.projections]
FUSING = [
    name
    for name, config in ARCHITECTURES.items()
    if config.fusion is not None and name not in WRITING
]


def batch(image: Config = IMAGE) -> Batch:
    """Three rows as the encoder `image` takes them: pictures, or regions of them."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8, generator=generator)
    ids = torch.randint(1, 50, (3, 6), generator=generator)
    mask = torch.arange(6) < torch.tensor([[6], [3], [1]])
    regions = torch.rand(3, 2, 4 + 7, generator=generator)
    pictures = Field(regions if isinstance(image, RegionsConfig) else images)
    inputs = {"image": pictures, "text": Field(ids * mask, mask)}
    return Batch(inputs, ids="abc", groups=torch.arange(3))


class Counting(nn.Module):
    dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, field: Field) -> Features:
        self.calls += 1
        tokens = torch.ones(len(field), 1, 4)
        return Features(tokens, torch.ones(len(field), 1, dtype=torch.bool), tokens[:, 0])


def test_every_file_with_an_architecture_is_tested_here() -> None:
    files = pkgutil.iter_modules(weft.architectures.__path__)
    names = {info.name for info in files if not info.ispkg and not info.name.startswith("_")}
    names -= {"model", "published"}  # of the latter tests/recipes/test_published.py
    names -= {"autoencoder"}  # see test_autoencoder.py
    assert names == set(ARCHITECTURES)
    assert {*EMBEDDING, *FUSING, *WRITING, *GENERATING} == set(ARCHITECTURES)
    for name in ARCHITECTURES:
        module = importlib.import_module(f"weft.architectures.{name}")
        assert callable(vars(module)[name])


@pytest.mark.parametrize("name", EMBEDDING)
def test_an_architecture_embeds_both_streams_into_one_space(name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name].build().eval()
    streams = Streams(model, batch())
    for stream in ("image", "text"):
        vectors_BE = streams.embedding(stream)
        assert vectors_BE.shape == (3, 16)
        assert torch.allclose(vectors_BE.norm(dim=1), torch.ones(3), atol=1e-5)


@pytest.mark.parametrize("name", FUSING)
def test_an_architecture_that_fuses_decodes_what_it_fused(name: str) -> None:
    torch.manual_seed(0)
    config = ARCHITECTURES[name]
    model = config.build().eval()
    rows = batch(config.encoders["image"])
    fused = Streams(model, rows).fused()
    assert fused.keys() == {"image", "text", JOINT}
    for head in config.heads:
        logits = model.decode(head, fused)
        assert logits.shape[0] == 3
        assert logits.std(dim=0).max() > 0
    alone = Streams(model, rows.rows(slice(2, 3))).fused()[JOINT].pooled
    torch.testing.assert_close(alone, fused[JOINT].pooled[2:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", WRITING)
def test_an_architecture_that_writes_gives_logits_for_each_word(name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name].build().eval()
    text = batch().inputs["text"]
    assert isinstance(text, Field)
    seen = Streams(model, Batch({"image": batch().inputs["image"]}, "abc", torch.arange(3))).fused()
    logits = model.decode("caption", seen, text)
    assert logits.shape == (3, 6, 50)
    assert text.mask is not None
    assert logits[text.mask].isfinite().all()


@pytest.mark.parametrize("name", GENERATING)
def test_an_architecture_that_generates_depends_on_text_and_noise(name: str) -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES[name].build().eval()
    decoder = model.head("picture").decoder
    assert isinstance(decoder, Drawer)
    for parameter in decoder.parameters():  # parts of a flow start with zeros
        nn.init.normal_(parameter, std=0.1)
    context = Streams(model, batch()).features("text")
    way = DrawingConfig(steps=2)

    def drawn(noise: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return decoder.draw(context, noise, way)

    same = drawn(torch.ones(3, *decoder.noise))
    other = drawn(torch.zeros(3, *decoder.noise))
    assert same.shape == (3, 3, 32, 32)
    assert (same[0] - same[1]).abs().max() > 0
    assert (same[0] - other[0]).abs().max() > 0


def test_the_critic_of_a_gan_scores_a_picture_alone_and_with_its_text() -> None:
    torch.manual_seed(0)
    model = ARCHITECTURES["gan"].build().eval()
    streams = Streams(model, batch())
    picture, text = streams.features("image"), streams.features("text")
    score = model.head("critic").decoder
    both = torch.cat([picture.pooled, text.pooled], dim=1)
    alone, fitting = (
        score(Features(one[:, None], torch.ones(3, 1, dtype=torch.bool), one))
        for one in (picture.pooled, both)
    )
    assert alone.shape == fitting.shape == (3, 1)
    assert (alone - fitting).abs().max() > 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_survives_json(name: str) -> None:
    written = json.loads(json.dumps(to_json(ARCHITECTURES[name])))
    assert from_json(written, ModelConfig, "test") == ARCHITECTURES[name]


def test_lit_trains_nothing_of_the_image_tower_but_its_projection() -> None:
    model = ARCHITECTURES["lit"].build()
    trained = {name for name, p in model.named_parameters() if p.requires_grad}
    assert not any(name.startswith("encoders.image") for name in trained)
    assert any(name.startswith("projections.image") for name in trained)
    assert any(name.startswith("encoders.text") for name in trained)


def test_each_stream_is_encoded_once_however_often_it_is_asked_for() -> None:
    encoder = Counting()
    model = Model({"image": encoder}, projections={"image": ProjectionConfig(4, 2).build()})
    one = Batch({"image": Field(torch.zeros(2, 1))}, ids="ab", groups=torch.zeros(2))
    streams = Streams(model, one)
    assert encoder.calls == 0
    for _ in range(2):
        streams.features("image")
        streams.embedding("image")
        assert set(streams.fused()) == {"image"}
    assert encoder.calls == 1


def test_what_a_model_lacks_is_named() -> None:
    model = Model({"image": Counting()})
    one = Batch({"image": Field(torch.zeros(2, 1))}, ids="ab", groups=torch.zeros(2))
    with pytest.raises(ValueError, match="the batch has no stream 'text', it has: image"):
        Streams(model, one).features("text")
    with pytest.raises(ValueError, match="no projection for 'image'"):
        Streams(model, one).embedding("image")
    features = model.encode("image", Field(torch.zeros(2, 1)))
    with pytest.raises(ValueError, match="Counting has no frozen part"):
        model.encode("image", features)


@pytest.mark.parametrize("name", ["a.b", "items", "training", "forward"])
def test_a_stream_has_any_name_that_is_not_empty(name: str, tmp_path: Path) -> None:
    config = ModelConfig({name: IMAGE}, {name: ProjectionConfig(64, 8)})
    model, again = config.build(), config.build()
    write_tensors(tmp_path / "w.safetensors", model.state_dict(), {})
    again.load_state_dict(read_tensors(tmp_path / "w.safetensors")[0])
    assert list(again.encoders) == list(again.projections) == [name]
    with pytest.raises(ValueError, match="model: a stream or head has an empty name"):
        ModelConfig({name: IMAGE, "": IMAGE})


def test_a_projection_with_norm_does_not_see_the_scale_of_its_features() -> None:
    torch.manual_seed(0)
    projection = ProjectionConfig(8, 3, hidden=(5,), norm=True).build().eval()
    pooled = torch.randn(2, 8)
    mask = torch.ones(2, 1, dtype=torch.bool)
    small, large = (
        projection(Features(pooled[:, None] * s, mask, pooled * s)) for s in (1.0, 100.0)
    )
    assert torch.allclose(small, large, atol=1e-3)


def test_rows_that_lack_a_stream_have_no_tokens() -> None:
    model = Model({"image": Counting()})
    present = torch.tensor([True, False, True])
    features = model.encode("image", Field(torch.zeros(3, 1), present=present))
    assert features.mask[:, 0].tolist() == present.tolist()
    assert features.pooled.any(1).tolist() == present.tolist()


def test_only_streams_with_an_encoder_are_fused() -> None:
    model = Model({"image": Counting()})
    inputs = {"image": Field(torch.zeros(3, 1)), "caption": Field(torch.zeros(3, 2))}
    streams = Streams(model, Batch(inputs, ids="abc", groups=torch.arange(3)))
    assert set(streams.fused()) == {"image"}
    assert streams.fused()["image"] is streams.features("image")


def test_rows_by_number() -> None:
    tokens = torch.arange(6.0).reshape(3, 2, 1)
    features = Features(tokens, tokens[:, :, 0] > 0, tokens[:, 0])
    taken = features.take(torch.tensor([2, 2, 0]))
    assert taken.tokens[:, 0, 0].tolist() == [4, 4, 0]
    assert taken.mask.tolist() == [[True, True], [True, True], [False, True]]
