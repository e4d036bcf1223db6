"""Trees say what scikit-learn says; the rounds are chosen on other clusters."""

import numpy as np
import pytest
import torch

from weft.core.records import Features
from weft.data.targets.classes import ClassesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.fitting import boosting
from weft.fitting.goal import Goal
from weft.fitting.models import UNSEEN, Training


def training(classes: int, rows: int = 300, seed: int = 0) -> tuple[Training, Goal]:
    """classes: 0 for a number."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, 4)).astype(np.float32)
    hidden = matrix[:, 0] * np.sign(matrix[:, 1])
    if not classes:
        values = hidden + 0.1 * random.normal(size=rows)
        goal = Goal("y", "number", NumbersConfig("y"), values)
    else:
        edges = np.quantile(hidden, np.linspace(0, 1, classes + 1)[1:-1])
        values = np.searchsorted(edges, hidden)
        names = tuple(f"c{n}" for n in range(classes + 1))  # the last one is in no row
        goal = Goal("y", "class", ClassesConfig("y"), values, names)
    return Training(matrix, values, np.arange(rows), np.zeros(rows, dtype=np.int64)), goal


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_the_trees_say_what_scikit_learn_says(classes: int) -> None:
    given, goal = training(classes)
    grown = boosting._grown(given.matrix, given.values, goal, 20, 0)
    forest = boosting._forest(grown, given.matrix, goal)
    unseen = np.random.default_rng(1).normal(size=(200, 4)).astype(np.float32)
    found = forest.outputs(unseen)
    if not classes:
        np.testing.assert_allclose(found[:, 0], grown.predict(unseen), rtol=1e-5, atol=1e-6)
        return
    assert (found[:, classes] == UNSEEN).all()
    shares = torch.from_numpy(found[:, :classes]).softmax(1).numpy()
    np.testing.assert_allclose(shares, grown.predict_proba(unseen), rtol=1e-4, atol=1e-6)


def test_the_decoder_of_weft_has_the_same_trees() -> None:
    given, goal = training(3)
    forest = boosting.boosted(given, goal)
    config, tensors = forest.decoder(4)
    decoder = config.build()
    decoder.load_state_dict(tensors)  # type: ignore[attr-defined]
    rows = torch.from_numpy(given.matrix)
    found = decoder(Features(rows[:, None], torch.ones(len(rows), 1, dtype=torch.bool), rows))
    np.testing.assert_allclose(found.numpy(), forest.outputs(given.matrix), rtol=1e-6)
    right = found.argmax(1).numpy() == given.values
    assert right.mean() > 0.9


def test_noise_grows_few_trees() -> None:
    given, goal = training(2)
    noise = np.random.default_rng(3).permutation(given.values)
    fitted = boosting.boosted(Training(given.matrix, noise, given.clusters, given.strata), goal)
    trees = fitted.config.trees if isinstance(fitted, boosting.Forest) else 0
    assert trees <= boosting.ROUNDS // 10
