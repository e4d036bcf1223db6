"""The generated world: objects, pictures, splits, files."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.data.formats import open_dataset
from weft.worlds.scenes import COLORS, HELD_OUT, SHAPES, SPLITS, ScenesConfig, write_scenes
from weft.worlds.scenes.drawing import MAX_NOISE, PALETTE, draw
from weft.worlds.scenes.world import PATTERNS, Object, Scene, pairs_of

SIDE = 128


def scenes(count: int, split: str = "train", **changes: object) -> list[Scene]:
    data = ScenesConfig(count=count, split=split, **changes).build()
    return [data.scene(index) for index in range(count)]


def mask_alone(scene: Scene, thing: Object, side: int = SIDE) -> np.ndarray:
    """(side, side) bool: the pixels that the object changes when it is drawn alone."""
    empty = dataclasses.replace(scene, objects=())
    alone = dataclasses.replace(scene, objects=(thing,))
    return (draw(empty, side, 0) != draw(alone, side, 0)).any(-1)


def test_there_are_at_least_eight_shapes_and_eight_colors() -> None:
    assert len(set(SHAPES)) >= 8
    assert len(set(COLORS)) >= 8
    shown = {(t.shape, t.color) for scene in scenes(600) for t in scene.objects}
    assert shown == {(s, c) for c in COLORS for s in SHAPES if (c, s) not in HELD_OUT}


def test_boxes_are_tight_around_the_drawn_pixels() -> None:
    seen = set()
    for scene in scenes(40):
        for thing in scene.objects:
            rows, columns = np.nonzero(mask_alone(scene, thing))
            drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(np.array(thing.box) * SIDE - drawn).max() <= 1, thing
            assert min(thing.box) >= 0
            assert max(thing.box) <= 1
            seen.add(thing.shape)
    assert seen == set(SHAPES)


def test_visible_is_the_share_of_pixels_that_no_later_object_covers() -> None:
    hidden = 0
    for scene in scenes(60):
        masks = [mask_alone(scene, thing, 256) for thing in scene.objects]
        for number, thing in enumerate(scene.objects):
            later = np.any([masks[number] & m for m in masks[number + 1 :]], axis=0)
            share = 1 - np.sum(later) / masks[number].sum()
            assert thing.visible == pytest.approx(share, abs=0.06)
            assert thing.visible > 0.3
            hidden += thing.visible < 0.9
    assert hidden >= 5


def test_covering_names_the_pair_that_overlaps() -> None:
    pairs = 0
    for scene in scenes(80):
        if scene.covering is None:
            assert all(thing.visible > 0.95 for thing in scene.objects)
        else:
            front, back = scene.covering
            assert front > back
            assert scene.objects[back].visible < 0.97
            pairs += 1
    assert 10 <= pairs <= 60


def test_the_center_of_a_filled_shape_has_its_color() -> None:
    for scene in scenes(60):
        pixels = draw(scene, SIDE, 0)
        for thing in scene.objects:
            if thing.shape not in ("ring", "crescent") and thing.visible == 1:
                found = pixels[int(thing.y * SIDE), int(thing.x * SIDE)]
                assert tuple(found) == PALETTE[thing.color]


def test_sizes_are_told_apart_by_their_radius_and_both_occur() -> None:
    for scene in scenes(100):
        small = [t.radius for t in scene.objects if t.size == "small"]
        large = [t.radius for t in scene.objects if t.size == "large"]
        assert min(large) > 1.4 * max(small)


def test_noise_stays_in_its_limit_and_differs_between_scenes() -> None:
    differences = []
    for scene in scenes(20):
        clean, noisy = draw(scene, 64, 0).astype(int), draw(scene, 64, MAX_NOISE).astype(int)
        assert np.abs(noisy - clean).max() <= MAX_NOISE
        differences.append(noisy - clean)
        assert 2 < differences[-1].std() < 12
    assert len({d.tobytes() for d in differences}) == len(differences)


@pytest.mark.parametrize("size", [16, 33, 64, 150])
def test_pictures_have_the_asked_size_and_the_same_scene(size: int) -> None:
    row = ScenesConfig(count=3, size=size).build()[2]
    assert row.items["image"].array().shape == (size, size, 3)
    assert row.items["image"].array().dtype == np.uint8
    other = ScenesConfig(count=50, size=64).build()[2]
    for key in ("text", "objects", "questions", "classes"):
        assert row.items[key] == other.items[key]
    np.testing.assert_array_equal(row.items["boxes"], other.items["boxes"])


def test_a_picture_is_the_same_at_another_size_but_for_detail() -> None:
    scene = scenes(1)[0]
    large = Image.fromarray(draw(scene, 256, 0)).resize((64, 64), Image.Resampling.BOX)
    difference = np.abs(np.asarray(large).astype(int) - draw(scene, 64, 0))
    assert difference.mean() < 4


def test_rows_are_samples_with_all_items() -> None:
    data = ScenesConfig(count=5, split="test", languages=("en", "zh"), captions=3).build()
    row = data[4]
    assert (row.id, row.group, row.source) == ("test-000004", "test-000004", "scenes:test/4")
    assert row.items["split"] == "test"
    assert "text_en" not in row.items
    assert len(row.items["text"]) == len(row.items["text_zh"]) == 3
    assert set(row.items["text"]).isdisjoint(row.items["text_zh"])
    number = len(row.items["objects"])
    assert row.items["boxes"].shape == (number, 4)
    assert row.items["classes"] == [thing["shape"] for thing in row.items["objects"]]
    assert data[-1].id == row.id
    assert len(list(data)) == 5
    with pytest.raises(IndexError):
        data[5]


def digest(config: ScenesConfig) -> str:
    """Of words and objects, not of pixels and visible shares: those are up to Pillow's version."""
    rows = []
    for row in config.build():
        things = [{k: v for k, v in t.items() if k != "visible"} for t in row.items["objects"]]
        rows.append([row.items["text"], row.items["text_zh"], things, row.items["questions"]])
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()[:16]


GOLDEN = ScenesConfig(count=6, split="validation", seed=7, languages=("en", "zh"))
GOLDEN_DIGEST = "04e0b99358248de5"


def test_scenes_and_words_are_the_same_on_every_machine() -> None:
    assert digest(GOLDEN) == GOLDEN_DIGEST


def test_another_process_draws_the_same_pixels() -> None:
    program = (
        "import hashlib\nfrom weft.worlds.scenes import ScenesConfig\n"
        "d = ScenesConfig(count=9, seed=5).build()\n"
        "print(hashlib.sha256(d[8].items['image'].array().tobytes()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    image = ScenesConfig(count=9, seed=5).build()[8].items["image"].array()
    assert run.stdout.strip() == hashlib.sha256(image.tobytes()).hexdigest()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**62),
    index=st.integers(0, 2**30),
    split=st.sampled_from(SPLITS),
    objects=st.sampled_from([(3, 3), (3, 6), (5, 8), (8, 8)]),
    patterns=st.sampled_from([PATTERNS, PATTERNS[:1]]),
)
def test_any_row_is_a_pure_function_of_seed_split_and_index(
    seed: int, index: int, split: str, objects: tuple[int, int], patterns: tuple[str, ...]
) -> None:
    config = ScenesConfig(
        count=index + 1,
        split=split,
        seed=seed,
        objects=objects,
        scale=1.3 if objects == (3, 3) else 1.0,
        patterns=patterns,
    )
    scene = config.build().scene(index)
    assert scene.pattern in patterns
    assert scene == config.build().scene(index)
    assert len(scene.objects) <= objects[1]
    assert len(scene.objects) >= objects[0]
    assert scene.topic.count(scene.objects) == scene.topic_count
    held_out = {(t.color, t.shape) for t in scene.objects} & HELD_OUT
    assert bool(held_out) == (split == "test_heldout")


def test_splits_and_seeds_hold_different_scenes() -> None:
    worlds = [scenes(20, split, seed=seed) for split in SPLITS for seed in (0, 1)]
    together = [scene for world in worlds for scene in world]
    assert len({repr(scene.objects) for scene in together}) == len(together)


FEW = {
    "colors": ("red", "yellow", "green", "blue", "purple", "brown", "black", "white"),
    "shapes": ("circle", "triangle", "star", "heart"),
}


@pytest.mark.parametrize(
    ("colors", "shapes", "missed"),
    [
        (COLORS, SHAPES, (2, 2)),
        (COLORS[:6], SHAPES[:6], (1, 1)),
        (FEW["colors"], FEW["shapes"], (1, 2)),
    ],
)
def test_every_color_and_shape_misses_equally_many_partners(
    colors: tuple[str, ...], shapes: tuple[str, ...], missed: tuple[int, int]
) -> None:
    held_out = pairs_of(colors, shapes, True)
    for place, names in enumerate((colors, shapes)):
        assert {sum(pair[place] == name for pair in held_out) for name in names} == {missed[place]}


def test_a_world_of_fewer_colors_and_shapes() -> None:
    for split in SPLITS:
        shown, said = set(), set()
        for row in ScenesConfig(count=200, split=split, size=16, objects=(3, 3), **FEW).build():
            shown |= {(t["color"], t["shape"]) for t in row.items["objects"]}
            said |= {q["answer"] for q in row.items["questions"]}
            said |= set(" ".join(q["question"] for q in row.items["questions"]).split())
        held_out = pairs_of(**FEW, held_out=True) if split == "test_heldout" else ()
        assert shown == {*pairs_of(**FEW, held_out=False), *held_out}
        assert not said & {*COLORS, *SHAPES} - {*FEW["colors"], *FEW["shapes"]}


@pytest.mark.parametrize(("share", "fewest", "most"), [(0.0, 0, 0), (1.0, 60, 100)])
def test_the_share_of_scenes_with_objects_that_overlap(
    share: float, fewest: int, most: int
) -> None:
    """Their circles overlap: the shapes themselves not always."""
    data = ScenesConfig(count=100, size=16, overlap=share).build()
    hidden = [min(t.visible for t in data.scene(index).objects) < 1 for index in range(100)]
    assert fewest <= sum(hidden) <= most


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count is 0, expected 1"),
        ({"size": 8}, "size is 8, expected 16"),
        ({"seed": -1}, "seed is -1"),
        ({"noise": 99}, "noise is 99, expected 0 to 24"),
        ({"objects": (5, 4)}, r"objects\[0\] is 5, expected 3 to 4"),
        ({"objects": (3, 30)}, r"objects\[1\] is 30"),
        ({"languages": ()}, "languages"),
        ({"languages": ("en", "en")}, "each once"),
        ({"split": "dev"}, "split is dev"),
        ({"languages": ("fr",)}, "languages"),
        ({"scale": 1.2}, "scale is 1.2, expected 0.5 to 1.0"),
        ({"objects": (3, 3), "scale": 1.4}, "scale is 1.4, expected 0.5 to 1.3"),
        ({"overlap": 1.5}, "overlap is 1.5, expected 0.0 to 1.0"),
        ({"colors": COLORS[:6]}, "expected 7 or more of each"),
        ({**FEW, "objects": (3, 4)}, "expected 5 or more of each"),
        ({"shapes": SHAPES[:7]}, "equally many held-out pairs"),
        ({"colors": COLORS[1:5], "shapes": SHAPES[:4], "objects": (3, 3)}, "held-out pairs"),
        ({"shapes": ("circle", "oval")}, "shapes is .*expected one or more of circle, square"),
        ({"patterns": ("dotted",)}, "patterns is .*expected one or more of plain, shaded"),
        ({"questions": ("count", "count")}, "questions is .*each once"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScenesConfig(**changes)


def test_the_config_survives_json() -> None:
    config = ScenesConfig(count=3, split="test_heldout", languages=("zh", "en"))
    assert from_json(json.loads(json.dumps(to_json(config))), ScenesConfig, "here") == config


def test_written_scenes_read_as_they_were(tmp_path: Path) -> None:
    for split in SPLITS:
        write_scenes(ScenesConfig(count=4, split=split), tmp_path)
    for split in SPLITS:
        rows = open_dataset(tmp_path, split=split)
        data = ScenesConfig(count=4, split=split).build()
        assert [row.id for row in rows] == [row.id for row in data]
        for row, expected in zip(rows, data, strict=True):
            pixels = np.asarray(Image.open(row.items["image"].path))
            np.testing.assert_array_equal(pixels, expected.items["image"].array())
            for key in ("text", "questions", "objects", "classes", "split"):
                assert row.items[key] == expected.items[key]
            np.testing.assert_allclose(row.items["boxes"], expected.items["boxes"], atol=1e-4)
            assert row.group == expected.group


def test_writing_again_replaces_the_split_alone(tmp_path: Path) -> None:
    write_scenes(ScenesConfig(count=6), tmp_path, "jpeg")
    write_scenes(ScenesConfig(count=2, split="test"), tmp_path)
    write_scenes(ScenesConfig(count=3, seed=1), tmp_path)
    assert len(list((tmp_path / "images" / "train").iterdir())) == 3
    assert len(open_dataset(tmp_path, split="train")) == 3
    assert len(open_dataset(tmp_path, split="test")) == 2


def test_an_interrupted_write_leaves_no_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scenes(ScenesConfig(count=3), tmp_path)
    written = Path.write_bytes

    def full_disk(path: Path, data: bytes) -> int:
        if path.stem.endswith("2"):
            raise OSError(28, "No space left on device")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(WeftError, match="cannot be written: No space left on device"):
        write_scenes(ScenesConfig(count=3), tmp_path)
    assert not (tmp_path / "train.jsonl").exists()


def test_a_folder_that_is_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(WeftError, match="taken: cannot be written"):
        write_scenes(ScenesConfig(count=1), tmp_path / "taken")
