"""`weft convert`: a published model becomes one of ours, from which a run starts."""

from pathlib import Path

import pytest
from tiny_runs import done, refused

import weft
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core import config as configs
from weft.core.tensors import read_tensors
from weft.runs.recipe import DataConfig

SIZE = 32


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import ViltConfig, ViltForQuestionAnswering

    folder = tmp_path_factory.mktemp("published") / "vilt"
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    rest = {"intermediate_size": 64, "image_size": SIZE, "patch_size": 8, "vocab_size": 300}
    ViltForQuestionAnswering(ViltConfig(**sizes, **rest)).save_pretrained(folder)
    return folder


def test_a_run_starts_from_what_was_converted(published: Path, tmp_path: Path) -> None:
    processor = '{"size": {"height": 32, "width": 32}, "resample": 3}'
    (published / "preprocessor_config.json").write_text(processor)
    out = done("convert", published, "--out", tmp_path / "vilt")
    assert out.splitlines()[2].endswith(
        "--data.streams.image.size 32 --data.streams.image.fit squash "
        "--data.streams.image.interpolation bicubic"
    )
    assert out.splitlines()[1] == "streams: text, image; heads: answer"
    config = configs.load(tmp_path / "vilt" / "model.json", ModelConfig)
    projections = {stream: ProjectionConfig(32, 16) for stream in ("image", "text")}
    recipe = weft.recipe("scenes")
    text, image = recipe.data.streams["text"], recipe.data.streams["image"]
    data: DataConfig = recipe.data.replace(
        streams={
            "text": text.replace(vocab_size=300, max_length=40),
            "image": image.replace(size=SIZE),
        },
        source=recipe.data.source.replace(train=40, validation=10, test=10),
    )
    run = recipe.run.replace(
        steps=1, batch_size=8, evaluate_every=0, workers=0, device="cpu", precision="fp32"
    )
    optim = recipe.optim.replace(ema=None, lr=1e-9, warmup=0)
    weft.train(
        recipe.replace(
            data=data,
            model=config.replace(projections=projections),
            init=tmp_path / "vilt",
            run=run,
            optim=optim,
            tasks={},
        ),
        tmp_path / "run",
    )
    start, _ = read_tensors(tmp_path / "vilt" / "model.safetensors")
    end, _ = read_tensors(tmp_path / "run" / "model.safetensors")
    assert start.keys() < end.keys()
    assert all((end[name] - value).abs().max() < 1e-7 for name, value in start.items())


def test_the_text_stream_has_the_name_that_is_asked_for(published: Path, tmp_path: Path) -> None:
    out = done("convert", published, "--out", tmp_path, "--text", "question")
    assert "streams: question, image" in out
    config = configs.load(tmp_path / "model.json", ModelConfig)
    assert config.encoders.keys() == {"question", "image"}


def test_what_is_no_model_of_these(published: Path, tmp_path: Path) -> None:
    assert "no pretrained model at" in refused("convert", tmp_path / "none", "--out", tmp_path)
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text('{"model_type": "bert"}')
    line = refused("convert", tmp_path / "bert", "--out", tmp_path / "out")
    assert "is a 'bert' model, expected one of: " in line
    assert not (tmp_path / "out").exists()
