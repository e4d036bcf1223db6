"""What every modality promises: shapes, determinism, views, state, absent rows, errors, lengths."""

import datetime
import importlib
import io
import json
import math
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
import torch
from PIL import Image as Picture
from torch import Tensor

import weft.modalities
from weft.core.config import Config, from_json, to_json
from weft.core.display import Display
from weft.core.errors import WeftError
from weft.core.interfaces import Learner, Measurable, Modality, Viewed, views_of
from weft.core.media import Alternatives, Media, media_of
from weft.core.records import Field
from weft.data.presence import collate_present
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig, SpecAugmentConfig
from weft.modalities.cell import CellConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.grid_regions import GridRegionsConfig
from weft.modalities.history import HistoryConfig
from weft.modalities.image import ImageConfig, mirrored
from weft.modalities.image_sequence import ImageSequenceConfig
from weft.modalities.image_transforms import JitterConfig
from weft.modalities.ngrams import NgramsConfig
from weft.modalities.parts import PanelParts, parts_of, shown_by
from weft.modalities.pictures import PicturesConfig
from weft.modalities.regions import RegionsConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.table import TableConfig
from weft.modalities.tags import TagsInputConfig
from weft.modalities.text import TextConfig
from weft.modalities.vectors import VectorsConfig
from weft.modalities.video import VideoConfig

RANDOM = np.random.default_rng(0)


def pixels(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(height: int, width: int, kind: str) -> bytes:
    file = io.BytesIO()
    Picture.fromarray(pixels(height, width)).save(file, kind)
    return file.getvalue()


@dataclass(frozen=True)
class Case:
    """One configuration: rows that can be read, the shape of one item, rows that cannot be read.

    random: training draws. shape: None stands for a number that differs from row to row.
    """

    config: Config
    raws: list[Any]
    shape: tuple[int | None, ...]
    dtype: torch.dtype
    wrong: list[Any]
    random: bool = True
    takes: tuple[type, ...] = ()
    """It reads those of the values in NEVER that are of exactly these types, NaN and "" excepted."""


def media(*raws: bytes | np.ndarray | Path) -> list[Media]:
    return [media_of(raw, "image") for raw in raws]


PICTURES = media(pixels(40, 50), encoded(30, 60, "PNG"), encoded(64, 33, "JPEG"), pixels(1, 300))
NO_PICTURES = [
    *media(
        b"no picture",
        encoded(30, 60, "PNG")[:100],
        pixels(4, 4).astype(np.float32),
        pixels(4, 4)[..., 0],
        pixels(4, 4)[:0],
        Path("/no/such/picture.png"),
    ),
    media_of(encoded(30, 60, "PNG"), "audio"),
    "picture.png",
    Path("picture.png"),
    encoded(30, 60, "PNG"),
    pixels(4, 4),
]
BOXES = [[0.0, 0.25, 0.5, 1.0], [0.5, 0.0, 1.0, 0.5]]
NAMED = [
    {"boxes": BOXES, "classes": ["cat", "dog"], "attributes": [["black"], []]},
    {"boxes": [], "classes": []},
    {"boxes": BOXES[:1], "classes": ["dog"]},
]
NO_BOXES: list[Any] = [
    {"boxes": BOXES},
    {"classes": ["cat"]},
    {"boxes": BOXES, "classes": ["cat"]},
    {"boxes": BOXES, "classes": "ab"},
    {"boxes": [[0, 0, 1]], "classes": ["cat"]},
    {"boxes": [[1, 1, 0, 0]], "classes": ["cat"]},
    {"boxes": [[0, 0, 9, 9]], "classes": ["cat"]},
    {"boxes": [[0, 0, float("nan"), 1]], "classes": ["cat"]},
    {"boxes": [["left", 0, 1, 1]], "classes": ["cat"]},
    {"boxes": 3, "classes": ["cat"]},
    {"boxes": BOXES, "classes": ["cat", "dog"], "attributes": 3},
]
CAPTIONS = [
    "A dog runs.",
    Alternatives(["two dogs", "a cat sits on the mat", "अच्छा लड़का"]),
    "一只狗",
]
PICTURE = ImageConfig(size=16, eval_views=mirrored(), jitter=JitterConfig(brightness=0.5))


def sound(samples: int, rate: int = 8000, channels: int = 1) -> np.ndarray:
    values = RANDOM.uniform(-0.5, 0.5, (samples, channels)).astype(np.float32)
    return values[:, 0] if channels == 1 else values


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def film(frames: int, rate: int = 5, side: int = 32) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width = stream.height = side
        for _ in range(frames):
            frame = av.VideoFrame.from_ndarray(pixels(side, side), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


SOUNDS = [
    Media.encoded(wav(sound(4000)), "audio"),
    Media.encoded(wav(sound(5000, 16000, 2), 16000), "audio"),
    Media.sound(sound(3000), 8000),
    Media.sound((sound(6000) * 32767).astype(np.int16), 8000).part(0.25, 0.5),
]
NO_SOUNDS: list[Any] = [
    Media.encoded(b"no sound", "audio"),
    Media.encoded(b"", "audio"),
    Media.encoded(wav(sound(0)), "audio"),
    Media.encoded(wav(sound(4000)), "image"),
    Media.array_of(sound(4000), "audio"),
    Media.sound(sound(40).reshape(2, 4, 5), 8000),
    Media.sound(sound(4000), 8000).part(2),
    Media.encoded(film(3), "audio"),
    Media.file(Path("/no/such/sound.wav")),
    "sound.wav",
]
FILMS = [
    Media.encoded(film(10), "video"),
    Media.frames(np.stack([pixels(20, 30) for _ in range(6)]), 5),
    PICTURES[:3],
    Media.encoded(film(8), "video").part(0.4, 1.2),
]
NO_FILMS: list[Any] = [
    Media.encoded(b"no film", "video"),
    Media.encoded(b"", "video"),
    Media.encoded(film(3), "image"),
    Media.encoded(wav(sound(4000)), "video"),
    Media.encoded(film(5), "video").part(60),
    Media.array_of(np.stack([pixels(8, 8)]), "video"),
    Media.frames(pixels(8, 8), 5),
    Media.file(Path("/no/such/film.mp4")),
    ["a.png"],
    "film.mp4",
]
SPECTROGRAM = SpectrogramConfig(mels=20)
LOUDER = SoundChangesConfig(gain=3.0, shift=0.01, noise=(0, 20), speed=(0.9, 1.1))

CASES = {
    "audio": Case(
        AudioConfig(
            rate=8000,
            seconds=0.2,
            eval_windows=2,
            spectrogram=SPECTROGRAM,
            changes=LOUDER,
            masks=SpecAugmentConfig(bands=1, times=1),
        ),
        SOUNDS,
        (None, 20),
        torch.float32,
        NO_SOUNDS,
    ),
    "audio cepstra": Case(
        AudioConfig(
            rate=8000,
            spectrogram=SpectrogramConfig(mels=20, cepstra=13),
            normalise="row",
            trim=6.0,
        ),
        SOUNDS,
        (None, 13),
        torch.float32,
        NO_SOUNDS,
        random=False,
    ),
    "audio waveform": Case(
        AudioConfig(rate=8000, output="waveform", level="rms"),
        SOUNDS,
        (None, 1),
        torch.float32,
        NO_SOUNDS,
        random=False,
    ),
    "video": Case(
        VideoConfig(
            FrameSamplingConfig(method="random", frames=3), ImageConfig(size=16), eval_windows=1
        ),
        FILMS,
        (None, 3, 16, 16),
        torch.uint8,
        NO_FILMS,
    ),
    "video dense": Case(
        VideoConfig(
            FrameSamplingConfig(method="dense", frames=3, rate=5.0),
            ImageConfig(size=16),
            eval_windows=2,
        ),
        FILMS,
        (None, 3, 16, 16),
        torch.uint8,
        NO_FILMS,
    ),
    "image": Case(PICTURE, PICTURES, (3, 16, 16), torch.uint8, NO_PICTURES),
    "image padded": Case(
        PICTURE.replace(fit="pad"), PICTURES, (3, 16, 16), torch.uint8, NO_PICTURES
    ),
    "image_sequence": Case(
        ImageSequenceConfig(count=3, gap=2, shrink=1, eval_orders=True),
        media(pixels(8, 28), pixels(8, 28), encoded(8, 28, "PNG")),
        (3, 3, 8, 8),
        torch.uint8,
        [*NO_PICTURES, *media(pixels(8, 29))],
    ),
    "grid_regions": Case(
        GridRegionsConfig(PICTURE, cells=4), PICTURES, (16, 4 + 48), torch.float32, NO_PICTURES
    ),
    "regions named": Case(
        RegionsConfig(), NAMED, (None, 4 + 3), torch.float32, NO_BOXES, random=False
    ),
    "regions given": Case(
        RegionsConfig("given", 2),
        [{"boxes": BOXES, "features": [[1, 2], [3, 4]]}, {"boxes": [], "features": []}],
        (None, 4 + 2),
        torch.float32,
        [
            {"boxes": BOXES},
            {"boxes": BOXES, "features": [[1, 2]]},
            {"boxes": BOXES, "features": [[1], [2]]},
            {"boxes": BOXES, "features": [[1, float("inf")], [1, 2]]},
            {"boxes": BOXES, "features": "ab"},
        ],
        random=False,
    ),
    "pictures": Case(
        PicturesConfig(PICTURE, most=2),
        [PICTURES[:2], PICTURES[2], PICTURES[1:]],
        (None, 3, 16, 16),
        torch.uint8,
        [*NO_PICTURES, [PICTURES[0], "picture.png"]],
    ),
    "vectors": Case(
        VectorsConfig(3, most=4),
        [
            Media.array_of(np.array([1.0, 2.0, 5.0])),
            [Media.array_of(np.array([0.0, 4.0, 5.0])), Media.array_of(np.array([2.0, 1.0, 5.0]))],
            np.arange(15, dtype=np.float16).reshape(5, 3),
            [[1, 2, 3], [3, 2, 2]],
            [0.5, 1.5, 2.5],
        ],
        (None, 3),
        torch.float32,
        [
            Media.array_of(np.ones(4)),
            Media.array_of(np.array([1.0, np.nan, 2.0])),
            Media.array_of(np.ones((2, 2, 3))),
            np.zeros((0, 3)),
            [[1, 2, 3], [1, 2]],
            "1 2 3",
        ],
        random=False,
    ),
    "table": Case(
        TableConfig(("age", "weight"), ("ward",), ("seen",), max_categories=2),
        [
            {"age": 62, "weight": "71.5", "ward": "north", "seen": "2026-03-05"},
            {"age": None, "ward": " north ", "seen": "2025-12-31T23:30"},
            {"age": 40.0, "weight": float("nan"), "ward": True, "other": object()},
            {"age": 1e30, "weight": 80, "ward": 3, "seen": datetime.date(2020, 2, 29)},
        ],
        (4, 8),
        torch.float32,
        [
            {"age": "old"},
            {"age": True},
            {"weight": float("inf")},
            {"ward": ["north"]},
            {"seen": "yesterday"},
            {"seen": 3},
        ],
        random=False,
    ),
    **{
        f"text {kind}": Case(
            TextConfig(kind=kind, vocab_size=400, min_frequency=1, eval_captions=2),
            CAPTIONS,
            (None,),
            torch.int64,
            [
                *["", " \n", "\u200b", ["a dog"], media_of(b"a dog", "image")],
                *map(Alternatives, ([], ["a dog", 3], ["a dog", ""], ["a", b"b"], [["a"]])),
            ],
        )
        for kind in ("wordpiece", "bpe", "word")
    },
    "history": Case(
        HistoryConfig(vocab_size=400),
        [[{"question": "is it red?", "answer": "yes"}], ["a red circle"], "what is it? a circle"],
        (None,),
        torch.int64,
        [None, 3, [], "", [{"question": "what?"}], [3]],
        random=False,
    ),
    "ngrams": Case(
        NgramsConfig(min_rows=1),
        CAPTIONS,
        (None,),
        torch.int64,
        [["a dog"], Alternatives([]), Alternatives(["a", 3]), " \n"],
        random=False,
    ),
    "ngrams one by one": Case(
        NgramsConfig(min_rows=1, together=False),
        CAPTIONS,
        (None,),
        torch.int64,
        [["a dog"], Alternatives([]), Alternatives(["a", 3])],
    ),
    "cell number": Case(
        CellConfig("number"),
        [3, 2.5, " -4e2", 2],
        (2,),
        torch.float32,
        ["three", "nan", math.inf, b"3", "1,5"],
        random=False,
        takes=(int, float),
    ),
    "cell category": Case(
        CellConfig("category", min_rows=1),
        ["red", "blue", "red", 3, True, "e\u0301"],
        (6,),
        torch.float32,
        [["red"], {}],
        random=False,
        takes=(int, float, bool, str),
    ),
    "tags": Case(
        TagsInputConfig(),
        [["a", "b"], ["b"], "c"],
        (None,),
        torch.int64,
        [["a", None], [], {}],
        random=False,
        takes=(str,),
    ),
    "cell tags": Case(
        CellConfig("tags", min_rows=1),
        [["a", "b"], ["b"], "c"],
        (4,),
        torch.float32,
        [["a", None], [], {}],
        random=False,
        takes=(int, float, bool, str),
    ),
    "cell date": Case(
        CellConfig("date"),
        ["2026-03-05", "2025-12-31T23:59", datetime.date(2020, 2, 29)],
        (7,),
        torch.float32,
        ["yesterday", "31.12.2025", 20260305],
        random=False,
    ),
}
NEVER: list[Any] = [None, 3, 3.5, True, object(), [], {}, b"", "", [None], {"a": 1}, float("nan")]


def walked() -> set[type[Config]]:
    """The configs in weft/modalities that build a modality."""
    found: set[type[Config]] = set()
    for info in pkgutil.iter_modules(weft.modalities.__path__):
        for name, one in vars(importlib.import_module(f"weft.modalities.{info.name}")).items():
            if isinstance(one, type) and issubclass(one, Config) and name.endswith("Config"):
                build = vars(one).get("build")
                made = getattr(build, "__annotations__", {}).get("return")
                if isinstance(made, type) and {"decode", "transform", "collate"} <= set(dir(made)):
                    found.add(one)
    return found


def test_every_modality_has_a_case() -> None:
    assert walked() == {type(case.config) for case in CASES.values()}
    assert len(walked()) == 14


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def built(case: Case) -> Modality:
    modality: Any = case.config.build()  # type: ignore[attr-defined]
    assert isinstance(modality, Modality)
    if isinstance(modality, Learner):
        modality.fit([*case.raws, *case.wrong])
    return modality


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def read(
    modality: Modality, raw: Any, *, train: bool = False, seed: int = 0, view: int = 0
) -> Tensor:
    return modality.transform(modality.decode(raw), train=train, generator=seeded(seed), view=view)


def test_the_config_survives_json(case: Case) -> None:
    assert from_json(json.loads(json.dumps(to_json(case.config))), Config, "here") == case.config


@pytest.mark.parametrize("train", [True, False])
def test_shapes(case: Case, train: bool) -> None:
    modality = built(case)
    items = [read(modality, raw, train=train) for raw in case.raws]
    for item in items:
        assert item.dtype == case.dtype
        assert item.ndim == len(case.shape)
        assert all(e in (None, g) for g, e in zip(item.shape, case.shape, strict=True))
    field = modality.collate(items)
    assert isinstance(field, Field)
    assert len(field) == len(items)
    assert field.present is None
    if case.shape[0] is None:
        assert field.mask is not None
        assert field.mask.sum(1).tolist() == [len(item) for item in items]
    for row, item in enumerate(items):
        values = field.values[row] if field.mask is None else field.values[row][field.mask[row]]
        assert torch.equal(values, item)


def test_a_row_alone_is_the_row_in_a_batch(case: Case) -> None:
    modality = built(case)
    items = [read(modality, raw) for raw in case.raws]
    together = modality.collate(items)
    for row, item in enumerate(items):
        alone = modality.collate([item])
        length = alone.values.shape[1]
        assert torch.equal(together.values[row, :length], alone.values[0])


def test_training_draws_from_the_generator_only(case: Case) -> None:
    modality = built(case)
    drawn = []
    for raw in case.raws:
        torch.manual_seed(1)
        before = torch.get_rng_state()
        rows = [read(modality, raw, train=True, seed=seed) for seed in range(12)]
        assert torch.equal(torch.get_rng_state(), before)
        torch.manual_seed(2)
        again = [read(modality, raw, train=True, seed=seed) for seed in range(12)]
        assert all(torch.equal(*pair) for pair in zip(rows, again, strict=True))
        drawn.append(any(not torch.equal(rows[0], row) for row in rows[1:]))
    assert any(drawn) == case.random


def test_evaluation_draws_nothing_and_has_its_views(case: Case) -> None:
    modality = built(case)
    views = views_of(modality)
    assert views == (modality.views if isinstance(modality, Viewed) else 1) >= 1
    differ = False
    for raw in case.raws:
        item = modality.decode(raw)
        generator = seeded(0)
        state = generator.get_state()
        seen = [
            modality.transform(item, train=False, generator=generator, view=view)
            for view in range(views)
        ]
        assert torch.equal(generator.get_state(), state)
        assert torch.equal(seen[0], modality.transform(item, train=False, generator=seeded(9)))
        differ |= any(not torch.equal(seen[0], view) for view in seen[1:])
    assert differ == (views > 1)


def test_what_is_learned_comes_back(case: Case) -> None:
    modality = built(case)
    if not isinstance(modality, Learner):
        return
    state = json.loads(json.dumps(modality.state()))
    again: Any = case.config.build()  # type: ignore[attr-defined]
    again.restore(state)
    assert json.loads(json.dumps(again.state())) == state
    for raw in case.raws:
        assert torch.equal(read(again, raw), read(modality, raw))
    for damaged in ({"other": 1}, {}, {"tokenizer": 3}, {"names": "cat"}, {"names": [1]}):
        fresh: Any = case.config.build()  # type: ignore[attr-defined]
        with pytest.raises(WeftError) as caught:
            fresh.restore(damaged)
        assert "\n" not in str(caught.value)


def test_learning_is_the_same_from_the_same_rows(case: Case) -> None:
    one, other = built(case), built(case)
    if isinstance(one, Learner):
        assert isinstance(other, Learner)
        assert one.state() == other.state()


def test_absent_rows_stay_in_their_place(case: Case) -> None:
    modality = built(case)
    there = [read(modality, raw) for raw in case.raws[:2]]
    found = collate_present([there[0], None, there[1]], modality.collate)
    assert isinstance(found, Field)
    assert found.present is not None
    assert found.present.tolist() == [True, False, True]
    assert not found.values[1].any()
    plain = modality.collate(there)
    assert torch.equal(found.values[[0, 2]], plain.values)
    assert collate_present([None, None], modality.collate) is None


def raises_one_line(call: Callable[[], object], what: object) -> None:
    with pytest.raises(WeftError) as caught:
        call()
    assert "\n" not in str(caught.value), what
    assert 0 < len(str(caught.value)) < 300, what


def test_other_values_give_one_line(case: Case) -> None:
    modality = built(case)
    for raw in [
        *(one for one in NEVER if type(one) not in case.takes or one in ("", NEVER[-1])),
        *case.wrong,
    ]:
        raises_one_line(lambda raw=raw: modality.decode(raw), raw)  # type: ignore[misc]
        if isinstance(modality, Measurable):
            raises_one_line(lambda raw=raw: modality.length(raw), raw)  # type: ignore[misc]


def test_a_raw_value_is_left_as_it_is(case: Case) -> None:
    modality = built(case)
    for raw in case.raws:
        if isinstance(raw, Media) and isinstance(raw.load(), np.ndarray):
            before = raw.array().copy()
            for train in (True, False):
                read(modality, raw, train=train)
            assert np.array_equal(raw.array(), before)


def test_a_length_is_that_of_the_item(case: Case) -> None:
    modality = built(case)
    if isinstance(modality, Measurable):
        for raw in case.raws:
            captions = raw if isinstance(raw, Alternatives) else [raw]
            lengths = [len(read(modality, caption)) for caption in captions]
            assert modality.length(raw) == round(sum(lengths) / len(lengths))


def test_parts_are_taken_away_and_shown(case: Case) -> None:
    """As many as their layout says; without one of them the model sees something else of that row alone."""
    modality = built(case)
    removable, shown = parts_of(modality), shown_by(modality)
    field = modality.collate([read(modality, raw) for raw in case.raws])
    there = removable.parts(field)
    layout = removable.layout(field)
    assert layout is not None
    assert there.shape == (len(field), math.prod(layout))
    nothing = torch.zeros_like(there)
    same = removable.without(field, nothing)
    assert torch.equal(same.values, field.values)
    assert same.mask is None or torch.equal(same.mask, real(field))
    row, part = (int(n) for n in there.nonzero()[0])
    gone = nothing.clone()
    gone[row, part] = True
    without = removable.without(field, gone)
    changed = [
        not torch.equal(without.values[n], field.values[n])
        or not torch.equal(real(without)[n], real(field)[n])
        for n in range(len(field))
    ]
    assert changed == [n == row for n in range(len(field))]
    weights = torch.zeros(layout)
    weights.view(-1)[part] = 1
    display = shown.weighed(field.rows(slice(row, row + 1)), weights)
    assert display.strongest(1)[0][1] == 1 or len(display.pictures) > 1
    for raw in case.raws:
        values = raw if isinstance(raw, Alternatives) else [raw]
        assert all(shown.show(value) != Display() for value in values)


def real(field: Field) -> Tensor:
    every = torch.ones(field.values.shape[:2], dtype=torch.bool)
    return every if field.mask is None else field.mask


def test_cells_of_sounds_are_named_by_seconds_and_hertz() -> None:
    modality = AudioConfig(rate=16_000).build()
    values = torch.zeros(2, 160, modality.spectrogram.width)  # 1.6 s; the first row has 0.8
    mask = torch.arange(160)[None] < torch.tensor([[80], [160]])
    weights = torch.zeros(4, 16)
    weights[3, 2] = 1  # the lowest bands, from 0.2 to 0.3 s
    edges = modality.band_edges(4)
    assert edges == sorted(edges)
    assert (edges[0], edges[-1]) == (20.0, 8000.0)
    ((name, _),) = modality.weighed(Field(values, mask).rows(slice(0, 1)), weights).strongest(1)
    assert name == f"0.20–0.30 s, 20–{edges[1]:.0f} Hz"
    (picture,) = modality.weighed(Field(values, mask).rows(slice(0, 1)), weights).pictures
    assert picture.columns.span() == "0.00–0.80 s"
    assert picture.rows.span() == "20–8000 Hz"
    wave = AudioConfig(rate=16_000, output="waveform").build()
    ((name, _),) = wave.weighed(Field(torch.zeros(1, 16_000, 1)), torch.eye(16)[[3]]).strongest(1)
    assert name == "0.19–0.25 s"


def test_panels_are_taken_away_cell_by_cell() -> None:
    modality = ImageSequenceConfig(count=2, gap=0, shrink=1).build()
    field = Field(torch.randint(0, 256, (1, 2, 3, 16, 16), dtype=torch.uint8))
    assert modality.layout(field) == (2, 8, 8)
    assert modality.layout(field, 32) == (2, 4, 4)
    assert modality.layout(field, 33) is None
    gone = torch.zeros(1, 128, dtype=torch.bool)
    gone[0, 64 + 9] = True  # of the second panel the cell in row 1, column 1
    changed = (modality.without(field, gone).values != field.values).any(dim=2)[0]
    assert not changed[0].any()
    assert not changed[1, 4:].any()
    assert changed[1, 2:4, 2:4].any()
    shown = modality.weighed(field, torch.arange(128.0).view(2, 8, 8) / 127)
    assert [name for name, _ in shown.strongest(1)] == [
        "picture 1, row 8 of 8, column 8 of 8",
        "picture 2, row 8 of 8, column 8 of 8",
    ]


def test_frames_that_matter_are_named_by_their_time_or_number() -> None:
    field = Field(torch.zeros(1, 30, 3, 8, 8, dtype=torch.uint8))
    weights = torch.zeros(30, 1, 1)
    weights[12:] = 1
    for method, name in (("dense", "3.00 s"), ("uniform", "frame 13")):
        sampling = FrameSamplingConfig(method=method, frames=30, rate=4.0)
        shown = VideoConfig(sampling=sampling).build().weighed(field, weights)
        assert shown.pictures[0].name == name
        assert len({picture.name for picture in shown.pictures}) == len(shown.pictures) < 30


@pytest.mark.parametrize(
    ("frames", "grid"), [(1, (4, 8)), (8, (4, 8)), (9, (4, 7)), (38, (2, 3)), (600, (1, 1))]
)
def test_of_many_frames_the_grid_is_coarser(frames: int, grid: tuple[int, int]) -> None:
    """A row has at most 512 cells, or one a frame; what is taken away is a cell of that grid."""
    field = Field(
        torch.arange(16 * 32, dtype=torch.int32).view(16, 32).expand(1, frames, 3, 16, 32)
    )
    panels = PanelParts()
    there = panels.parts(field)
    assert panels.layout(field) == (frames, *grid)
    assert there.shape == (1, math.prod((frames, *grid)))
    changed = panels.without(field, torch.arange(there.shape[1])[None] == 0).values != field.values
    assert changed[0, 0].any()
    assert not changed[0, 1:].any()
    assert not changed[..., math.ceil(16 / grid[0]) :, :].any()
    assert not changed[..., :, math.ceil(32 / grid[1]) :].any()


def test_of_many_frames_an_explanation_shows_those_that_matter_most() -> None:
    frames = torch.arange(12, dtype=torch.uint8)[None, :, None, None, None].expand(1, 12, 3, 8, 8)
    field = Field(frames.contiguous(), torch.arange(12)[None] < 10)
    weights = torch.zeros(12, 8, 8)
    weights[:10] = torch.tensor([5.0, 1, 4, 9, 2, 8, 3, 7, 0, 6])[:, None, None]
    weights[11] = 99  # padding
    shown = PanelParts().weighed(field, weights).pictures
    assert [int(np.asarray(picture.pixels)[0, 0, 0]) for picture in shown] == [
        0,
        2,
        3,
        4,
        5,
        6,
        7,
        9,
    ]
