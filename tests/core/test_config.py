"""Configs survive JSON, name their mistakes, and never load anything but weft's own configs."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core import config as configs
from weft.core.documents import read_mapping
from weft.core.errors import WeftError
from weft.training.config import RunConfig

projections = st.builds(
    ProjectionConfig,
    in_dim=st.integers(1, 99),
    out_dim=st.integers(1, 99),
    hidden=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    dropout=st.floats(0, 0.9),
    bias=st.booleans(),
)
models = st.builds(
    ModelConfig,
    encoders=st.dictionaries(st.text(min_size=1), projections, max_size=3),
    projections=st.dictionaries(st.text(min_size=1), projections, max_size=3),
    fusion=st.none() | projections,
)


@given(models)
def test_json_round_trip_is_exact(model: ModelConfig) -> None:
    text = json.dumps(configs.to_json(model))
    assert configs.from_json(json.loads(text), ModelConfig, "test") == model


def test_save_and_load(tmp_path: Path) -> None:
    config = ProjectionConfig(in_dim=4, out_dim=2, hidden=(3,))
    configs.save(config, tmp_path / "projection.json")
    assert configs.load(tmp_path / "projection.json", ProjectionConfig) == config
    assert [p.name for p in tmp_path.iterdir()] == ["projection.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"c\.json:1: is not JSON"),
        ("[]", r"c\.json: holds a list, expected a mapping"),
        ('{"in_dim": 4, "out_dim": "x"}', r"c\.json: out_dim: got 'x' \(str\), expected int"),
        ('{"in_dim": 4, "out_dim": true}', r"out_dim: got True \(bool\), expected int"),
        ('{"in_dim": 4, "out_dims": 2}', r"unknown setting .* 'out_dims': did you mean out_dim"),
        ('{"in_dim": 4}', r"c\.json: .*out_dim"),
        ('{"dropout": 1' + "0" * 400 + "}", r"c\.json: dropout: is 10.*0, expected a number of at"),
        (
            '{"in_dim": 9223372036854775808}',
            r"in_dim: is 9223372036854775808, expected a number of",
        ),
        ('{"dropout": NaN}', r"c\.json: dropout: is nan, expected a finite number"),
        ('{"dropout": -Infinity}', r"dropout: is -inf, expected a finite number"),
        ('{"hidden": ["' + "x" * 10**6 + '"]}', r"hidden: \[0\]: got 'x+\.\.\.x+' \(str\)"),
        ('{"class": "weft.core.config.Config"}', r"class Config does not fit"),
        ('{"class": "os.system"}', r"'os.system' is not the name of a config class of weft"),
        ('{"class": "weft.core.config.load"}', r"is not the name of a config class"),
        ('{"class": "weft.core.config.Path"}', r"is not the name of a config class"),
        ('{"class": "weft.nothing.X"}', r"is not the name of a config class"),
        (
            '{"class": "weft.architectures.model.ModelConfig", "encoders": {}}',
            r"class ModelConfig does not fit, expected ProjectionConfig",
        ),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(text)
    with pytest.raises(WeftError, match=message) as error:
        configs.load(path, ProjectionConfig)
    assert "\n" not in str(error.value)


def test_a_config_from_outside_weft_is_refused() -> None:
    @dataclass(frozen=True)
    class Foreign(configs.Config):
        pass

    with pytest.raises(WeftError, match="not the name of a config class"):
        configs.from_json(configs.to_json(Foreign()), configs.Config, "test")


def test_yaml_lays_single_settings_over_a_config(tmp_path: Path) -> None:
    path = tmp_path / "start.yaml"
    path.write_text("projections:\n  image: {hidden: [7], dropout: 0.5}\n")
    base = ModelConfig(encoders={}, projections={"image": ProjectionConfig(4, 2)})
    changed = configs.apply(base, read_mapping(path), str(path))
    assert changed.projections["image"] == ProjectionConfig(4, 2, hidden=(7,), dropout=0.5)


def test_yaml_mistakes_name_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "start.yaml"
    path.write_text("a: 1\nb: [\n")
    with pytest.raises(WeftError, match=r"start\.yaml:3: is not YAML"):
        read_mapping(path)
    base = ModelConfig(encoders={})
    with pytest.raises(WeftError, match="did you mean encoders"):
        configs.apply(base, {"encoder": {}}, "start.yaml")


def test_a_value_that_a_config_refuses_is_one_clear_line() -> None:
    with pytest.raises(WeftError, match=r"start\.yaml: steps is -1, expected at least 0"):
        configs.apply(RunConfig(), {"steps": -1}, "start.yaml")
