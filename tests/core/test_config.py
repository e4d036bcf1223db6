"""Configs survive JSON, name their mistakes, and never load anything but weft's own configs."""

import importlib
import json
import pkgutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weft
from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core import config as configs
from weft.core import trust
from weft.core.documents import read_mapping
from weft.core.errors import WeftError
from weft.core.interfaces import Decoder, Encoder, Fusion, Modality, Objective
from weft.core.trust import trust_modules
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.frozen import FrozenConfig
from weft.fusion.late import LateConfig
from weft.inference.config import InferenceConfig
from weft.tasks.base import Task
from weft.tasks.classification import ClassificationTaskConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.zero_shot import ZeroShotConfig
from weft.training.config import RunConfig

projections = st.builds(
    ProjectionConfig,
    in_dim=st.integers(1, 99),
    out_dim=st.integers(1, 99),
    hidden=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    dropout=st.floats(0, 0.9),
    bias=st.booleans(),
)
encoders = st.builds(ConvNetConfig, widths=st.lists(st.integers(1, 9), min_size=2).map(tuple))
names = st.text(min_size=1)
models = st.builds(
    ModelConfig,
    encoders=st.dictionaries(names, encoders, max_size=3),
    projections=st.dictionaries(names, projections, max_size=3),
    fusion=st.none() | st.builds(LateConfig, st.just({"image": 3, "text": 4}), st.integers(1, 9)),
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


@dataclass(frozen=True)
class Foreign(configs.Config[Encoder]):
    width: int = 3


def test_a_config_from_outside_weft_is_refused_until_its_module_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trust, "_named", set())
    model = ModelConfig(encoders={"image": Foreign()})
    path = tmp_path / "model.json"
    configs.save(model, path)
    name = Foreign.__module__
    root = name.partition(".")[0]
    assert read_mapping(path)["#modules"] == [name]
    said = rf"model\.json: has parts from {root}, .*: --trust {root} \(in Python: trust="
    with pytest.raises(WeftError, match=said):
        configs.load(path, ModelConfig)
    with pytest.raises(WeftError, match=f"'{name}.Foreign' is not .* of weft; .* --trust {root}"):
        configs.from_json(configs.to_json(model), ModelConfig, "test")
    trust_modules(name)
    assert configs.load(path, ModelConfig) == model


@pytest.mark.parametrize("name", ["Path", "trust_modules", "nothing", "models"])
def test_of_a_named_module_only_its_config_classes_are_made(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_named", {__name__})
    with pytest.raises(WeftError, match="is not the name of a config class"):
        configs.from_json({"class": f"{__name__}.{name}"}, ModelConfig, "test")


def test_a_part_in_the_place_of_another_is_refused() -> None:
    task = configs.to_json(RetrievalConfig())
    with pytest.raises(
        WeftError, match="encoders: image: class RetrievalConfig is a config of Task, "
    ):
        configs.from_json({"encoders": {"image": task}}, ModelConfig, "test")
    with pytest.raises(WeftError, match="expected one of Fusion"):
        configs.from_json({"encoders": {}, "fusion": task}, ModelConfig, "test")
    with pytest.raises(WeftError, match="RunConfig"):
        configs.from_json({"encoders": {"image": configs.to_json(RunConfig())}}, ModelConfig, "x")
    frozen = ModelConfig(encoders={"image": FrozenConfig(Foreign())})
    configs.check(frozen, "recipe")
    assert configs.from_json(configs.to_json(frozen), ModelConfig, "test") == frozen
    wrong = ModelConfig(encoders={"image": RetrievalConfig()})  # type: ignore[dict-item]
    with pytest.raises(WeftError, match="recipe: encoders: image: class RetrievalConfig"):
        configs.check(wrong, "recipe")


def test_a_class_that_no_run_could_load_is_refused_before_training() -> None:
    @dataclass(frozen=True)
    class Local(configs.Config[Encoder]):
        pass

    with pytest.raises(
        WeftError, match="Local is defined inside a function or class, expected at the top"
    ):
        configs.check(ModelConfig(encoders={"image": Local()}), "recipe")


@dataclass(frozen=True)
class Unlimited(configs.Settings):
    """A person's own settings, which give their number no range."""

    number: float = 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**30])
def test_numbers_are_checked_before_training(value: float) -> None:
    with pytest.raises(WeftError, match=r"settings: number: is .*, expected a "):
        configs.check(Unlimited(value), "settings")


def test_every_config_of_weft_fits_where_its_room_stands() -> None:
    """The T of `Config[T]` is what the folder holds, so that recipes can check it."""
    rooms = {
        **{"encoders": Encoder, "fusion": Fusion, "decoders": Decoder, "objectives": Objective},
        **{"modalities": Modality, "tasks": Task},
    }
    found = Counter[str]()
    for info in pkgutil.walk_packages(weft.__path__, "weft."):
        room = info.name.split(".")[1]
        for cls in vars(importlib.import_module(info.name)).values() if room in rooms else ():
            if (
                isinstance(cls, type)
                and cls.__module__ == info.name
                and issubclass(cls, configs.Config)
            ):
                part = configs.part_of(cls)
                found[room] += rooms[room] in getattr(part, "__mro__", ())
    assert {room: count >= 3 for room, count in found.items()} == dict.fromkeys(rooms, True)
    assert found["encoders"] >= 13
    assert found["objectives"] >= 15


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


def test_a_file_with_former_names_is_read() -> None:
    """Of a class that was renamed and of a setting that was."""
    written = configs.to_json(
        ClassificationTaskConfig("answer", inference=InferenceConfig(batch_size=7))
    )
    former = {name: value for name, value in written.items() if name != "inference"}
    former |= {"class": "weft.tasks.labels.LabelsConfig", "rows": written["inference"]}
    assert configs.from_json(former, configs.Config[Task], "task") == configs.from_json(
        written, configs.Config[Task], "task"
    )
    zero_shot = configs.to_json(ZeroShotConfig())
    former = {name: value for name, value in zero_shot.items() if name != "inference"}
    former |= {"embedding": zero_shot["inference"]}
    former |= {"class": "weft.tasks.classification.ZeroShotConfig"}
    assert configs.from_json(former, configs.Config[Task], "task") == ZeroShotConfig()
    with pytest.raises(WeftError, match="unknown setting of ZeroShotConfig in task 'rowz'"):
        configs.from_json({**zero_shot, "rowz": 1}, configs.Config[Task], "task")
