"""A small part of `python -m tests.fuzzing`: damaged files of every kind, in this process."""

import random
from pathlib import Path
from typing import NamedTuple

import pytest
from fuzzing.harness import FAULTS, run_case, undamaged
from fuzzing.mutations import MUTATIONS, mutated
from fuzzing.subjects import Subject, subjects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


class Prepared(NamedTuple):
    subjects: list[Subject]
    whole: dict[str, str]
    place: Path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    place = tmp_path_factory.mktemp("fuzzing")
    found = subjects(place)
    return Prepared(found, undamaged(found, place), place)


def test_all_kinds_of_files_are_there(prepared: Prepared) -> None:
    assert len(prepared.subjects) == 20
    assert all(any(s.folder.glob(pattern) for pattern in s.files) for s in prepared.subjects)


@settings(max_examples=63, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(number=st.integers(0, 10**6))
def test_damage_is_refused_or_changes_nothing(prepared: Prepared, number: int) -> None:
    outcome = run_case(prepared.subjects, 0, number, prepared.place, prepared.whole)
    assert outcome.outcome not in FAULTS, outcome


@given(data=st.binary(min_size=1, max_size=200), seed=st.integers(0, 999))
def test_every_mutation_gives_other_bytes_by_its_seed(data: bytes, seed: int) -> None:
    changed = mutated(data, random.Random(seed))
    assert changed != data
    assert changed == mutated(data, random.Random(seed))
    for mutation in MUTATIONS:
        assert isinstance(mutation(data, random.Random(seed)), bytes)
