"""A captioner from files to `weft caption`, `weft evaluate` and the report."""

import json
from pathlib import Path

import pytest
from tiny_runs import caption, done, picture_folder, refused, scenes_flags

from weft.architectures.captioner import captioner
from weft.core.errors import WeftError
from weft.data.sources import FilesConfig
from weft.encoders.vit import ViTConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.runs.train import train
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

WIDTH, PICTURES = 32, 12


def tiny(data: Path) -> Recipe:
    """Learns a few pictures by heart."""
    image = ViTConfig(image_size=32, patch_size=8, dim=WIDTH, depth=1, heads=2)
    return Recipe(
        data=DataConfig(
            source=FilesConfig(data),
            streams={
                "image": ImageConfig(size=32, crop_scale=None, flip=0.0),
                "text": TextConfig(kind="word", min_frequency=1, max_length=16),
            },
            train="all",
            validation="all",
            test="all",
        ),
        model=captioner(
            image=image,
            image_dim=WIDTH,
            vocab_size=80,
            dim=WIDTH,
            heads=2,
            decoder_depth=1,
            max_length=16,
            encoder_dropout=0.0,
            decoder_dropout=0.0,
        ),
        objectives={"captioning": CaptioningConfig()},
        tasks={"captioning": CaptioningTaskConfig(resamples=20, examples=3, meteor=False)},
        optim=OptimConfig(lr=1e-2),
        run=RunConfig(steps=120, batch_size=PICTURES, evaluate_every=0, device="cpu"),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("caption")
    data = picture_folder(root / "mine", PICTURES)
    train(tiny(data), root / "run")
    return root / "run", data


def test_a_picture_gets_the_words_that_belong_to_it(trained: tuple[Path, Path]) -> None:
    run, data = trained
    paths = [data / f"p{number:02d}.png" for number in range(PICTURES)]
    lines = done("caption", run, "--image", *paths).splitlines()
    assert [line.split("\t")[0] for line in lines] == list(map(str, paths))
    said = [line.split("\t")[1] for line in lines]
    right = sum(text == caption(number) for number, text in enumerate(said))
    assert right >= PICTURES // 2, said
    assert done("caption", run, "--image", paths[3]).splitlines() == [lines[3]]
    named = (f"--input=image={path}" for path in paths[:2])
    assert done("caption", run, *named).splitlines() == lines[:2]


def test_it_is_measured_and_its_report_shows_what_it_said(trained: tuple[Path, Path]) -> None:
    run, data = trained
    out = done("evaluate", run, "--task", "captioning", "--audit", "False", "--split", "all")
    assert "CIDEr-D" in out
    result = json.loads((run / "metrics" / "captioning-all.json").read_text())
    assert result["metrics"]["BLEU-4"]["value"] > 30
    assert set(result["baselines"]["one sentence"]) == set(result["metrics"])
    done("report", run, "--card", "False")
    page = (run / "report.html").read_text()
    said = done("caption", run, "--image", *(data / f"p{n:02d}.png" for n in range(PICTURES)))
    texts = [line.split("\t")[1] for line in said.splitlines()]
    assert sum(f'<span class="answer">{text}</span>' in page for text in texts) >= 3
    assert "expected: " in page


def test_what_cannot_be_captioned_is_said(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, data = trained
    assert refused("caption", run) == (
        f"{run}: this run needs --image, for its stream 'image' (or --input image=VALUE)"
    )
    line = refused("caption", run, "--text", "a dog")
    assert line == f"{run}: this run takes no --text, it takes --image"
    missing = tmp_path / "none.png"
    assert refused("caption", run, "--image", missing) == f"{missing}: no such file"
    (tmp_path / "text.png").write_text("no picture")
    assert refused("caption", run, "--image", tmp_path / "text.png").startswith(
        f"{tmp_path / 'text.png'}: "
    )
    done("train", "scenes", *scenes_flags(run__steps=1), "--out", tmp_path / "dual")
    line = refused("caption", tmp_path / "dual", "--image", data / "p00.png")
    assert line == (
        f"{tmp_path / 'dual'}: this run has no heads, so it predicts nothing; "
        "its embeddings serve `weft evaluate` and `weft search`"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vocab_size": 20}, "model.heads.caption.decoder has 20 outputs, expected at least"),
        ({"max_length": 8}, "model.heads.caption.decoder.max_length is 8, expected at least 16"),
    ],
)
def test_a_decoder_that_is_too_small_is_found_before_training(
    trained: tuple[Path, Path], tmp_path: Path, change: dict[str, int], message: str
) -> None:
    made = tiny(trained[1])
    head = made.model.heads["caption"]
    head = head.replace(decoder=head.decoder.replace(**change))
    made = made.replace(model=made.model.replace(heads={"caption": head}))
    with pytest.raises(WeftError, match=message):
        train(made, tmp_path / "run")
