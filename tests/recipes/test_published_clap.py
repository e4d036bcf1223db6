"""CLAP as a recipe and back: the same embeddings as in transformers, with random weights."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import published_models
import pytest
import torch
from published_models import TEXTS
from torch import Tensor

import weft
from weft.core.errors import WeftError
from weft.export import export
from weft.runs.measure import task_config
from weft.runs.run import Run
from weft.runs.untrained import save_untrained
from weft.tasks.zero_shot import SOUND_TEMPLATES

hf = pytest.importorskip("transformers")
RATE = 48_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published_models.clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("run") / "run"
    save_untrained(weft.recipe("published", model=str(folder)), out)
    return weft.load(out, device="cpu")


def sounds() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    seconds = (0.3, 0.9, 1.0)
    return [(0.2 * generator.normal(size=int(s * RATE))).astype(np.float32) for s in seconds]


def embedded(run: Run) -> tuple[Tensor, Tensor]:
    sound = run.embed(audio=[{"array": one, "rate": RATE} for one in sounds()])
    text = run.embed(text=TEXTS)
    assert isinstance(sound, Tensor)
    assert isinstance(text, Tensor)
    return sound, text


def by_transformers(folder: Path) -> tuple[Tensor, Tensor]:
    model = hf.AutoModel.from_pretrained(folder).eval()
    tokens = hf.AutoTokenizer.from_pretrained(folder)(TEXTS, padding=True, return_tensors="pt")
    extractor = hf.AutoFeatureExtractor.from_pretrained(folder)
    with torch.no_grad():
        heard = extractor(sounds(), sampling_rate=RATE, return_tensors="pt")
        output = model(
            input_features=heard["input_features"].float(),
            is_longer=heard["is_longer"],
            input_ids=tokens["input_ids"],
            attention_mask=tokens["attention_mask"],
        )
    return output.audio_embeds, output.text_embeds


def test_embeddings_are_those_of_transformers(folder: Path, run: Run) -> None:
    for found, wanted in zip(embedded(run), by_transformers(folder), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_everything_is_as_published(folder: Path) -> None:
    made: Any = weft.recipe("published", model=str(folder))
    sound = made.data.streams["audio"]
    assert (sound.rate, sound.seconds, sound.fill) == (RATE, 1.0, "repeat")
    assert made.data.streams["text"].max_length == 12
    objective = made.objectives["contrastive"]
    assert objective.streams == ("audio", "text")
    # Of two temperatures the mean of the logarithms.
    assert objective.temperature.init == pytest.approx(math.exp(-2.5))
    locked: Any = weft.recipe("published", model=str(folder), tune="locked_audio").model.build()
    trained = {".".join(n.split(".")[:2]) for n, p in locked.named_parameters() if p.requires_grad}
    assert trained == {"encoders.text", "projections.audio", "projections.text"}
    with pytest.raises(WeftError, match="the streams of .* are audio and text"):
        weft.recipe("published", model=str(folder), tune="locked_image")


def test_the_way_back(folder: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert export(run, "transformers", out) == []
    for found, wanted in zip(by_transformers(out), embedded(run), strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    again: Any = weft.recipe("published", model=str(out))
    before: Any = run.recipe.objectives["contrastive"]
    assert again.objectives["contrastive"].temperature.init == pytest.approx(
        before.temperature.init
    )
    assert again.data.streams["audio"] == run.recipe.data.streams["audio"]


def test_adapters_are_added_to_the_weights(folder: Path, tmp_path: Path) -> None:
    save_untrained(weft.recipe("published", model=str(folder), tune="lora"), tmp_path / "run")
    run = weft.load(tmp_path / "run", device="cpu")
    with torch.no_grad():
        for name, parameter in run.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2, generator=torch.Generator().manual_seed(len(name)))
    assert export(run, "transformers", tmp_path / "model") == []
    found, wanted = by_transformers(tmp_path / "model"), embedded(run)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    assert not torch.allclose(wanted[0], by_transformers(folder)[0], atol=1e-3)


def test_what_clap_lacks_is_one_line(run: Run, tmp_path: Path) -> None:
    modality: Any = run.modalities["audio"]
    kept = modality.config
    modality.config = kept.replace(trim=30.0)
    with pytest.raises(WeftError, match="this run's stream 'audio' has other settings"):
        export(run, "transformers", tmp_path / "model")
    modality.config = kept
    with pytest.raises(
        WeftError, match="open_clip holds a ViT for a stream that is called 'image'; the streams of"
    ):
        export(run, "open_clip", tmp_path / "model")


def test_sounds_are_classified_by_descriptions(run: Run) -> None:
    """The task of pictures and texts, with sentences about sounds."""
    zero_shot: Any = task_config(run.recipe, "zero_shot")
    assert (zero_shot.image, zero_shot.templates) == ("audio", SOUND_TEMPLATES)
    retrieval: Any = task_config(run.recipe, "retrieval")
    assert (retrieval.first, retrieval.second) == ("audio", "text")


def test_a_model_that_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    lost = weights.pop("audio_projection.linear2.bias")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(WeftError, match=r"lacks weights of the model: audio_projection\.linear2"):
        weft.recipe("published", model=str(tmp_path))
    save_file(
        {**weights, "audio_projection.linear2.bias": lost, "third.weight": torch.zeros(1)},
        tmp_path / "model.safetensors",
    )
    with pytest.raises(WeftError, match=r"does not read: third\.weight"):
        weft.recipe("published", model=str(tmp_path))
