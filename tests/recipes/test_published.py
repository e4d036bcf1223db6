"""Published models as recipes: the same embeddings as in their own library, and what learns in each mode."""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import published_models
import pytest
import torch
from PIL import Image
from published_models import LENGTH, SIDE, TEXTS, VOCABULARY
from torch import Tensor

import weft
from weft.cli import main
from weft.core.errors import WeftError
from weft.index import Index
from weft.objectives.contrastive import SigmoidContrastiveConfig, SoftmaxContrastiveConfig
from weft.runs.recipe import Recipe
from weft.runs.untrained import save_untrained


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("published")
    return {name: make(root / name) for name, make in published_models.MODELS.items()}


def pictures() -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) for _ in range(3)]


def by_transformers(folder: Path) -> tuple[Tensor, Tensor]:
    """The embeddings of the pictures and the texts."""
    hf = pytest.importorskip("transformers")
    model = hf.AutoModel.from_pretrained(folder).eval()
    fill = "max_length" if model.config.model_type == "siglip" else True
    tokens = hf.AutoTokenizer.from_pretrained(folder)(
        TEXTS, padding=fill, max_length=LENGTH, truncation=True, return_tensors="pt"
    )
    # The tokenizer class of SigLIP 2 adds the end by itself, the plain one does not.
    ids, mask = tokens["input_ids"], tokens["attention_mask"]
    if not (ids == VOCABULARY - 1).any():
        ids[torch.arange(len(ids)), mask.sum(1)] = VOCABULARY - 1
    settings = {} if model.config.model_type == "siglip" else {"attention_mask": mask}
    images = [Image.fromarray(one) for one in pictures()]
    pixels = hf.AutoImageProcessor.from_pretrained(folder)(images, return_tensors="pt")
    with torch.no_grad():
        found = (
            model.get_image_features(**pixels),
            model.get_text_features(input_ids=ids, **settings),
        )
    image, text = (getattr(one, "pooler_output", one) for one in found)
    return torch.nn.functional.normalize(image), torch.nn.functional.normalize(text)


@pytest.mark.parametrize("name", ["clip", "siglip", "siglip2"])
def test_embeddings_are_those_of_transformers(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    save_untrained(weft.recipe("published", model=str(folders[name])), tmp_path / "run")
    run = weft.load(tmp_path / "run", device="cpu")
    image, text = by_transformers(folders[name])
    torch.testing.assert_close(run.embed(image=pictures()), image, atol=1e-5, rtol=0)
    torch.testing.assert_close(run.embed(text=TEXTS), text, atol=1e-5, rtol=0)
    alone = torch.cat([run.embed(text=[one]) for one in TEXTS])  # type: ignore[misc]
    torch.testing.assert_close(alone, text, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "fit", "std"),
    [("clip", "crop", 0.27), ("siglip", "squash", 0.5), ("open_clip", "squash", 0.27)],
)
def test_everything_is_as_published(
    name: str, fit: str, std: float, folders: dict[str, Path]
) -> None:
    made: Recipe = weft.recipe("published", model=str(folders[name]))
    image: Any = made.data.streams["image"]
    text: Any = made.data.streams["text"]
    assert (image.size, image.fit, image.interpolation) == (SIDE, fit, "bicubic")
    assert text.max_length == LENGTH
    encoder: Any = made.model.encoders["image"].build()
    assert encoder.config.std[0] == pytest.approx(std)
    objective: Any = made.objectives["contrastive"]
    sigmoid = name == "siglip"
    assert isinstance(objective, SigmoidContrastiveConfig if sigmoid else SoftmaxContrastiveConfig)
    assert objective.temperature.init == pytest.approx(math.exp(-4.76 if sigmoid else -4.6052))
    assert objective.build().temperature().item() == pytest.approx(
        math.exp(4.76 if sigmoid else 4.6052), rel=1e-5
    )
    if sigmoid:
        assert objective.bias == pytest.approx(-16.5)


@pytest.mark.parametrize(
    ("tune", "learning"),
    [
        ("full", {"encoders.image", "encoders.text", "projections.image", "projections.text"}),
        ("lora", {"encoders.image", "encoders.text", "projections.image", "projections.text"}),
        ("locked_image", {"encoders.text", "projections.image", "projections.text"}),
        ("locked_text", {"encoders.image", "projections.image", "projections.text"}),
        ("locked", {"projections.image", "projections.text"}),
    ],
)
def test_what_learns_is_one_setting(
    tune: str, learning: set[str], folders: dict[str, Path]
) -> None:
    model = weft.recipe("published", model=str(folders["clip"]), tune=tune).model.build()
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert {".".join(name.split(".")[:2]) for name in trained} == learning
    adapters = [name for name in trained if "lora_" in name]
    towers = [name for name in trained if name.startswith("encoders.")]
    assert adapters == (towers if tune == "lora" else [])


def test_a_model_that_is_not_whole_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in folders["siglip"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    bias = weights.pop("logit_bias")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(WeftError, match="lacks weights of the model: logit_bias"):
        weft.recipe("published", model=str(tmp_path))
    weights |= {"logit_bias": bias, "vision_model.adapter.weight": torch.zeros(1)}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(WeftError, match=r"does not read: vision_model\.adapter\.weight"):
        weft.recipe("published", model=str(tmp_path))
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(WeftError, match=r"pytorch_model\.bin: is pickled, which can run code"):
        weft.recipe("published", model=str(tmp_path))


def changed(folder: Path, other: Path, file: str, change: Callable[[dict[str, Any]], Any]) -> str:
    """A copy of the folder with a changed JSON file."""
    other.mkdir()
    for source in folder.iterdir():
        (other / source.name).write_bytes(source.read_bytes())
    values = json.loads((other / file).read_text())
    change(values)
    (other / file).write_text(json.dumps(values))
    return str(other)


def test_what_weft_lacks_is_one_line(folders: dict[str, Path], tmp_path: Path) -> None:
    def refused(name: str, file: str, change: Callable[[dict[str, Any]], Any], line: str) -> None:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        with pytest.raises(WeftError, match=line) as caught:
            weft.recipe("published", model=changed(folders[name], place, file, change))
        assert "\n" not in str(caught.value)

    refused("clip", "config.json", lambda c: c.update(auto_map={"AutoModel": "x.X"}), "never runs")
    refused("clip", "config.json", lambda c: c.update(model_type="bert"), "is a 'bert' model")
    config = "open_clip_config.json"
    refused(
        "open_clip",
        config,
        lambda c: c["model_cfg"]["vision_cfg"].update(attentional_pool=True),
        "vision_cfg.attentional_pool is True, which weft does not read",
    )
    refused(
        "open_clip",
        config,
        lambda c: c["model_cfg"]["text_cfg"].update(hf_model_name="roberta-base"),
        "text_cfg.hf_model_name is 'roberta-base'",
    )
    with pytest.raises(WeftError, match="needs --model MODEL"):
        weft.recipe("published")


def test_a_locked_run_needs_the_model_s_files_no_more(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    """Nor do its cached features."""
    copy = shutil.copytree(folders["clip"], tmp_path / "model")
    made = weft.recipe("published", model=str(copy), tune="locked_image")
    save_untrained(made, tmp_path / "run")
    shutil.rmtree(copy)
    (tmp_path / "photos").mkdir()
    for number, pixels in enumerate(pictures()):
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    run = weft.load(tmp_path / "run", device="cpu")
    assert main(["index", "build", str(tmp_path / "run"), "--data", str(tmp_path / "photos")]) == 0
    with Index.open(tmp_path / "run" / "index") as index:
        found = index.vectors([f"{n}.png" for n in range(3)])
    torch.testing.assert_close(found, run.embed(image=pictures()), atol=1e-3, rtol=0)
