"""The world of clips: what films and sounds show is what the rows say."""

import dataclasses
import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.core.samples import Sample
from weft.data.formats import open_dataset
from weft.modalities.audio_decoding import read_sound
from weft.modalities.video_decoding import read_frames, video_facts
from weft.worlds.clips import KINDS, SECONDS, ClipsConfig, write_clips
from weft.worlds.clips.captions import plan
from weft.worlds.clips.drawing import draw, times_of
from weft.worlds.clips.event_rows import ClipEvents
from weft.worlds.clips.world import DIRECTIONS, Clip
from weft.worlds.scenes import HELD_OUT, SHAPES, SPLITS
from weft.worlds.scenes.drawing import PALETTE

SIDE, FRAMES = 64, 16
PLAIN: dict[str, Any] = {"size": SIDE, "frames": FRAMES, "patterns": ("plain",), "questions": ()}
Path_ = list[tuple[float, float] | None]


@pytest.fixture(scope="module")
def rows() -> list[Sample]:
    return list(ClipsConfig(count=60, seed=3, **PLAIN).build())


def pixels_of(frame: np.ndarray, color: str) -> np.ndarray:
    """(N, 2) rows and columns of the pixels of that colour."""
    distance = np.abs(frame.astype(int) - PALETTE[color]).max(-1)
    return np.argwhere(distance <= 14)


def path_of(film: np.ndarray, color: str) -> Path_:
    """x and y of what has that colour in each frame, in [0, 1]; None where there is nothing."""
    found: Path_ = []
    for frame in film:
        places = pixels_of(frame, color)
        if len(places) < 12:
            found.append(None)
        else:
            y, x = (places.min(0) + places.max(0) + 1) / 2 / SIDE
            found.append((float(x), float(y)))
    return found


def towards(step: np.ndarray, other: np.ndarray) -> float:
    """The cosine of the angle between two directions."""
    return float(step @ other / np.linalg.norm(step) / np.linalg.norm(other))


def seen(paths: dict[str, Path_]) -> list[tuple[float, str, str, str | None]]:
    """Time, colour, kind, and direction or colour of the one that is hit, of each event of a film; by its pixels."""
    found = []
    times = np.array(times_of(FRAMES))
    for color, path in paths.items():
        there = [place is not None for place in path]
        if not all(there):
            kind = "appears" if there[-1] else "disappears"
            change = next(n for n in range(1, FRAMES) if there[n] != there[n - 1])
            found.append((times[change - 1 : change + 1].mean(), color, kind, None))
            continue
        track = np.array(path, float)
        away = np.linalg.norm(track - track[0], axis=1)
        if away[-1] > 0.2:
            step = track[-1] - track[0]
            axis = int(np.abs(step).argmax())
            way = (("left", "right"), ("up", "down"))[axis][int(step[axis] > 0)]
            half = int((away > away[-1] / 2).argmax())
            found.append((times[half - 1 : half + 1].mean(), color, "moves", way))
        elif away.max() > 0.05:
            far = int(away.argmax())
            straight = {
                other: towards(track[far] - track[0], np.subtract(place, track[0]))
                for other, their in paths.items()
                if other != color and (place := their[far]) is not None
            }
            moment = (times * (away > away.max() / 2)).sum() / (away > away.max() / 2).sum()
            found.append((moment, color, "hits", max(straight, key=straight.__getitem__)))
    return sorted(found)


def told(row: Sample) -> list[tuple[float, str, str, str | None]]:
    """The same as the row says it."""
    colors = [thing["color"] for thing in row.items["objects"]]
    return [
        (
            event["time"],
            colors[event["object"]],
            event["kind"],
            event["direction"] or (None if event["target"] is None else colors[event["target"]]),
        )
        for event in row.items["events"]
    ]


def test_the_events_can_be_read_from_the_pixels(rows: list[Sample]) -> None:
    kinds = set()
    for row in rows:
        film = row.items["video"].array()
        paths = {color: path_of(film, color) for color in PALETTE}
        shown = {color: path for color, path in paths.items() if any(path)}
        assert set(shown) == {thing["color"] for thing in row.items["objects"]}, row.id
        found, expected = seen(shown), told(row)
        assert [event[1:] for event in found] == [event[1:] for event in expected], row.id
        for event, right in zip(found, expected, strict=True):
            assert event[0] == pytest.approx(right[0], abs=0.13)
            kinds.add(event[2])
    assert kinds == set(KINDS)


def test_tracks_say_where_everything_is_in_every_frame(rows: list[Sample]) -> None:
    for row in rows[:20]:
        film, things = row.items["video"].array(), row.items["objects"]
        tracks = {(t["frame"], t["color"]): t for t in row.items["tracks"]}
        for frame, pixels in enumerate(film):
            for thing in things:
                places = pixels_of(pixels, thing["color"]) / SIDE
                track = tracks.get((frame, thing["color"]))
                assert (track is not None) == (len(places) >= 12)
                if track is not None:
                    x0, y0, x1, y1 = track["box"]
                    assert abs(places.min(0) - (y0, x0)).max() < 3 / SIDE
                    assert abs(places.max(0) - (y1, x1)).max() < 4 / SIDE
        assert row.items["first"] == row.items["events"][0]["kind"]
        for place, event in enumerate(row.items["events"], 1):
            color = things[event["object"]]["color"]
            said = {(t["action"], t["turn"]) for t in row.items["tracks"] if t["color"] == color}
            assert said == {
                (" ".join(filter(None, (event["kind"], event["direction"]))), str(place))
            }


def test_places_and_sizes_can_be_read_from_the_pixels(rows: list[Sample]) -> None:
    sizes = {"small": [], "large": []}
    for row in rows:
        film = row.items["video"].array()
        for thing in row.items["objects"]:
            first = film[0]
            if len(pixels_of(first, thing["color"])) >= 12:
                x, y = path_of(film[:1], thing["color"])[0] or (0, 0)
                assert abs(x - thing["x"]) < 0.07
                assert abs(y - thing["y"]) < 0.07
                extent = np.ptp(pixels_of(first, thing["color"]), axis=0).max()
                sizes[thing["size"]].append(extent)
    assert max(sizes["small"]) < min(sizes["large"])


def test_the_picture_is_what_is_there_in_the_middle(rows: list[Sample]) -> None:
    clips = ClipsConfig(count=60, seed=3, **PLAIN).build()
    for number, row in enumerate(rows[:20]):
        picture = row.items["image"].array()
        assert picture.shape == (SIDE, SIDE, 3)
        clip = clips.clip(number)
        there = {clip.actors[n].color for n in range(3) if clip.is_seen(n, SECONDS / 2)}
        assert {color for color in PALETTE if len(pixels_of(picture, color)) >= 12} == there


RATE = 8000
PITCH = dict(zip(PALETTE, 165 * 2 ** (np.arange(10) / 4), strict=True))
"""Minor thirds from 165 Hz, in the order of the colours."""
HARMONICS = dict(
    zip(
        SHAPES,
        [
            (1,), (1, 0, 0.8, 0, 0.6), (1, 0.8, 0.6, 0.4, 0.3), (0.5, 1), (1, 0, 0, 0.9),
            (1, 0, 0, 0, 0.9), (1, 0, 0.9), (1, 0.9), (1,), (0.6, 0, 1),
        ],
        strict=True,
    )
)  # fmt: skip
DECAYS = ("diamond", "star", "cross")
TREMBLES = ("heart", "ring")
ON = {
    "moves": [(0.08, 0.2), (0.3, 0.42), (0.52, 0.64), (0.74, 0.86)],
    "appears": [(0.3, 0.4), (0.5, 0.86)],
    "disappears": [(0.14, 0.5), (0.6, 0.7)],
    "hits": [(0.3, 0.4), (0.42, 0.72)],
}


def heard_look(samples: np.ndarray) -> tuple[str, str]:
    """Colour and shape of a note of 0.1 s or more, by its spectrum and its loudness over time."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 14))

    def at(frequency: float) -> float:
        place = round(frequency * (1 << 14) / RATE)
        return float(spectrum[place - 6 : place + 7].max()) if frequency < RATE / 2 else 0.0

    scores = {}
    for color, pitch in PITCH.items():
        for shape, amplitudes in HARMONICS.items():
            audible = np.array([a for n, a in enumerate(amplitudes, 1) if n * pitch < RATE / 2])
            peaks = np.array([at(n * pitch) for n in range(1, len(audible) + 1)])
            scores[color, shape] = float(peaks @ audible / np.linalg.norm(audible))
    best = max(scores.values())
    color, _ = max(scores, key=scores.__getitem__)
    fits = [s for (c, s), score in scores.items() if c == color and score > 0.98 * best]
    parts = np.array_split(np.abs(samples), 10)
    loudness = np.array([part.max() for part in parts])[1:-1]
    decays = loudness[-1] < 0.55 * loudness[0]
    fast = np.array([np.abs(part).max() for part in np.array_split(samples, len(samples) // 40)])
    trembles = not decays and fast[2:-2].min() < 0.35 * fast.max()
    fitting = [s for s in fits if (s in DECAYS) == decays and (s in TREMBLES) == trembles]
    return color, fitting[0] if len(fitting) == 1 else f"one of {fits}"


def alike(starts: list[float], expected: list[float]) -> bool:
    """Whether they are as many, and the same but for a fiftieth of a second."""
    return len(starts) == len(expected) and np.abs(np.subtract(starts, expected)).max() <= 0.021


def heard(samples: np.ndarray) -> list[tuple[str, tuple[str, str], str | None]]:
    """Kind, look of the one that acts, and colour of the one that answers, of each event of a sound."""
    found = []
    for turn in range(3):
        part = samples[int((0.5 + turn) * RATE) : int((1.5 + turn) * RATE)]
        # A note may fade before its end, so that the starts tell the kinds apart.
        loud = np.abs(part).reshape(50, -1).max(1)
        rises = (loud[1:] > 0.02) & (loud[1:] > 2 * loud[:-1])
        rises[1:] &= ~rises[:-1]
        starts = [float(n + 1) / 50 for n in np.flatnonzero(rises)]
        (kind,) = [kind for kind in ON if alike(starts, [start for start, _ in ON[kind]])]
        notes = [part[int(a * RATE) : int(b * RATE)] for a, b in ON[kind]]
        answer = heard_look(notes[1])[0] if kind == "hits" else None
        found.append((kind, heard_look(notes[0]), answer))
    return found


def test_the_events_can_be_read_from_the_sound(rows: list[Sample]) -> None:
    for row in rows:
        things = row.items["objects"]
        expected = [
            (
                event["kind"],
                (things[event["object"]]["color"], things[event["object"]]["shape"]),
                None if event["target"] is None else things[event["target"]]["color"],
            )
            for event in row.items["events"]
        ]
        assert heard(row.items["audio"].array()) == expected, row.id


def test_the_notes_at_the_start_count_what_is_there_from_left_to_right(rows: list[Sample]) -> None:
    clips = ClipsConfig(count=60, seed=3, **PLAIN).build()
    counts = set()
    for number, row in enumerate(rows):
        clip = clips.clip(number)
        samples = row.items["audio"].array()
        order = sorted((n for n in range(3) if clip.is_seen(n, 0)), key=lambda n: clip.actors[n].x)
        colors = []
        for place in range(3):
            note = samples[int((0.03 + 0.14 * place) * RATE) :][: int(0.1 * RATE)]
            if np.abs(note).max() > 0.03:
                colors.append(heard_look(note)[0])
        assert colors == [clip.actors[n].color for n in order], row.id
        counts.add(len(colors))
    assert counts == {0, 1, 2, 3}


def test_size_is_heard_as_loudness() -> None:
    """The same clip with objects of the other size."""
    clips = ClipsConfig(count=1, hiss=0.0).build()
    clip = clips.clip(0)

    def level(size: str) -> float:
        actors = tuple(dataclasses.replace(a, size=size) for a in clip.actors)
        sound = clips.media(dataclasses.replace(clip, actors=actors), 0)["audio"].array()
        return float(np.abs(sound).max())

    assert level("large") / level("small") == pytest.approx(3.0, rel=1e-3)
    assert level("large") <= 0.24


def backwards(clip: Clip) -> list[tuple[float, ...]]:
    """Where everything is in the frames of the clip, last first."""
    return [where(clip, time) for time in reversed(times_of(FRAMES))]


def where(clip: Clip, time: float) -> tuple[float, ...]:
    """Place of each object that is there, -1 of others."""
    found: list[float] = []
    for number in range(3):
        place = clip.place_of(number, time) if clip.is_seen(number, time) else (-1.0, -1.0)
        found += [round(value, 6) for value in place]
    return tuple(found)


def test_a_clip_played_backwards_is_a_clip_of_the_world() -> None:
    """Pictures without their order therefore do not tell what came first."""
    opposite = {"appears": "disappears", "disappears": "appears"}
    ways = {"left": "right", "right": "left", "up": "down", "down": "up", None: None}
    clips = ClipsConfig(count=40, **PLAIN).build()
    for number in range(40):
        clip = clips.clip(number)
        actors = tuple(
            dataclasses.replace(own, x=clip.place_of(n, SECONDS)[0], y=clip.place_of(n, SECONDS)[1])
            for n, own in enumerate(clip.actors)
        )
        events = tuple(
            dataclasses.replace(
                event,
                kind=opposite.get(event.kind, event.kind),
                start=SECONDS - event.start - 1.0,
                direction=ways[event.direction],
            )
            for event in reversed(clip.events)
        )
        mirrored = dataclasses.replace(clip, actors=actors, events=events)
        forwards = [where(mirrored, time) for time in times_of(FRAMES)]
        np.testing.assert_allclose(forwards, backwards(clip), atol=1e-5)


def test_objects_stay_in_the_picture_and_never_overlap(rows: list[Sample]) -> None:
    clips = ClipsConfig(count=60, seed=3, **PLAIN).build()
    touching = 0
    for number in range(len(rows)):
        clip = clips.clip(number)
        for time in np.linspace(0, SECONDS, 41):
            things = list(clip.objects_at(time))
            for thing in things:
                assert min(thing.box) >= 0
                assert max(thing.box) <= 1
            for a, b in ((a, b) for n, a in enumerate(things) for b in things[:n]):
                gap = np.hypot(a.x - b.x, a.y - b.y) - a.radius - b.radius
                assert gap > -1e-6
                touching += gap < 1e-6
    assert touching > 20


def test_held_out_pairs_are_in_every_clip_of_their_split_and_in_no_other() -> None:
    for split in SPLITS:
        clips = ClipsConfig(count=100, split=split).build()
        for number in range(100):
            actors = clips.clip(number).actors
            pairs = {(own.color, own.shape) for own in actors}
            assert bool(pairs & HELD_OUT) == (split == "test_heldout")
            assert len({own.color for own in actors}) == 3


GOLDEN = ClipsConfig(count=6, split="validation", seed=7, languages=("en", "zh"))
GOLDEN_DIGEST = "4a671f775fcb9fe5"


def test_clips_and_words_are_the_same_on_every_machine() -> None:
    """Of words and events, not of pixels: those are up to Pillow's version."""
    said = [
        [row.items[k] for k in ("text", "text_zh", "objects", "events", "questions")]
        for row in GOLDEN.build()
    ]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()[:16]
    assert digest == GOLDEN_DIGEST


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**62), index=st.integers(0, 2**30), split=st.sampled_from(SPLITS))
def test_any_row_is_a_pure_function_of_seed_split_and_index(
    seed: int, index: int, split: str
) -> None:
    config = ClipsConfig(count=index + 1, split=split, seed=seed, frames=4, size=16)
    data = config.build()
    clip = data.clip(index)
    assert clip == config.build().clip(index)
    assert [event.kind for event in clip.events].count(clip.topic) == clip.topic_count
    assert {event.actor for event in clip.events} == {0, 1, 2}
    again = pickle.loads(pickle.dumps(data))[index]
    for column in ("image", "video", "audio"):
        assert again.items[column].digest() == data[index].items[column].digest()


def test_asking_for_less_changes_nothing_else() -> None:
    whole = ClipsConfig(count=2, languages=("en", "zh"))
    few = whole.replace(languages=("zh",), questions=(), frames=8)
    one, other = whole.build()[1], few.build()[1]
    assert other.items["text"] == one.items["text_zh"]
    assert other.items["events"] == one.items["events"]
    assert other.items["questions"] == []
    assert other.items["audio"].digest() == one.items["audio"].digest()
    assert other.items["image"].digest() == one.items["image"].digest()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count is 0, expected 1"),
        ({"frames": 1}, "frames is 1, expected 2 to 400"),
        ({"rate": 100}, "rate is 100, expected 8000"),
        ({"hiss": 0.5}, "hiss is 0.5, expected 0.0 to 0.1"),
        ({"split": "dev"}, "split is dev"),
        ({"languages": ()}, "languages is .*expected one or more of en, zh"),
        ({"questions": ("colour",)}, "questions is .*expected one or more of action"),
        ({"colors": ("red", "green", "blue")}, "expected 4 or more colours"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ClipsConfig(**changes)


def test_the_config_survives_json() -> None:
    config = ClipsConfig(count=3, split="test_heldout", languages=("zh", "en"), questions=())
    assert from_json(json.loads(json.dumps(to_json(config))), ClipsConfig, "here") == config


def test_written_clips_read_as_they_were(tmp_path: Path) -> None:
    pytest.importorskip("av")
    config = ClipsConfig(count=3, split="test", languages=("en", "zh"), frames=8)
    write_clips(config, tmp_path)
    write_clips(config.replace(count=1, split="train"), tmp_path)
    rows, data = open_dataset(tmp_path, split="test"), config.build()
    assert [row.id for row in rows] == [row.id for row in data]
    for row, expected in zip(rows, data, strict=True):
        for key in ("text", "text_zh", "questions", "objects", "events", "split"):
            assert row.items[key] == expected.items[key]
        pixels = np.asarray(Image.open(row.items["image"].path))
        np.testing.assert_array_equal(pixels, expected.items["image"].array())
        film, facts = expected.items["video"].array(), video_facts(row.items["video"])
        assert facts.seconds == pytest.approx(SECONDS, abs=0.01)
        read = read_frames(row.items["video"], times_of(8))
        assert np.abs(read.astype(int) - film).mean() < 4
        sound = read_sound(row.items["audio"], config.rate)
        np.testing.assert_allclose(sound, expected.items["audio"].array(), atol=1e-4)


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(WeftError, match="taken: cannot be written"):
        write_clips(ClipsConfig(count=1), tmp_path / "taken")


def test_frames_differ_in_their_noise() -> None:
    clip = ClipsConfig(count=1).build().clip(0)
    one, other = (draw(clip, time, 32, 24).astype(int) for time in (0.1, 0.2))
    assert (one != other).mean() > 0.5
    assert set(DIRECTIONS) == {"left", "right", "up", "down"}


def test_the_events_of_a_clip_are_the_parts_of_a_film() -> None:
    config = ClipsConfig(count=3, size=24, frames=16, captions=2, languages=("en", "zh"))
    rows, clips = ClipEvents(config), config.build()
    assert len(rows) == len(list(rows)) == 9
    for number, clip in enumerate(clips):
        parts = [rows[3 * number + turn] for turn in range(3)]
        assert {part.group for part in parts} == {clip.group}
        assert len({part.match_name for part in parts}) == 3
        facts = plan(clips.clip(number))
        whole = clip.items["video"].array()
        for turn, (part, fact) in enumerate(zip(parts, facts, strict=True)):
            assert part.items["video"].array().shape == (4, 24, 24, 3)
            # The turns take seconds 0.5 to 3.5 of 4, at four frames a second: frames 2 to 13.
            frames = whole[2 + 4 * turn : 6 + 4 * turn]
            assert np.array_equal(part.items["video"].array(), frames)
            for sentence in part.items["text"]:
                assert fact.who.color in sentence
                assert sentence[0].isupper()
                assert sentence.endswith(".")
            assert len(part.items["text_zh"]) == 2
    assert rows[-1].id == rows[8].id
    with pytest.raises(IndexError, match="out of range for 9 events"):
        rows[9]
    assert pickle.loads(pickle.dumps(rows))[4].items["text"] == rows[4].items["text"]
