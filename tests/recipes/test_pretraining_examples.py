"""The pairs of examples/pretraining: a recipe on captions, and the same model on few questions."""

from pathlib import Path

import pytest

from weft.commands._starting_point import starting_point
from weft.worlds.scenes.source import GeneratedConfig

FOLDER = Path(__file__).parents[2] / "examples" / "pretraining"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml") if "_captions" not in path.stem)


def test_every_example_is_one_of_a_pair() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == {
        *NAMES,
        *(f"{name}_captions" for name in NAMES),
    }
    assert {"cnn_lstm", "lxmert", "vilbert", "visualbert"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_captions_taught_goes_on_with_questions(name: str) -> None:
    """All weights but those of the heads have the same names and shapes, and both read the same vocabulary."""
    before, after = (
        starting_point(str(FOLDER / f"{stem}.yaml")).recipe() for stem in (f"{name}_captions", name)
    )
    shapes = [
        {
            key: value.shape
            for key, value in one.model.build().state_dict().items()
            if key.startswith(("encoders.", "fusion."))
        }
        for one in (before, after)
    ]
    assert shapes[0] == shapes[1]
    assert before.data.streams == after.data.streams
    assert "vqa" in after.tasks
    captions, questions = before.data.source, after.data.source
    assert isinstance(captions, GeneratedConfig)
    assert isinstance(questions, GeneratedConfig)
    assert captions.train > questions.train
    assert captions.scenes.replace(named=None) == questions.scenes
