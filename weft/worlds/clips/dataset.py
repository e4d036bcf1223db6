"""The world of clips as a data set, in memory."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from weft.core.config import Config
from weft.core.media import Alternatives, Media
from weft.core.samples import Sample
from weft.worlds.clips import chinese, english
from weft.worlds.clips.captions import plan, some
from weft.worlds.clips.drawing import draw, times_of, video
from weft.worlds.clips.questions import QUESTION_TYPES, questions
from weft.worlds.clips.sampling import sample_clip
from weft.worlds.clips.score import score
from weft.worlds.clips.world import OBJECTS, SECONDS, Clip
from weft.worlds.drawn import DrawnRows, check_names, check_ranges
from weft.worlds.scenes.drawing import MAX_NOISE
from weft.worlds.scenes.world import COLORS, PATTERNS, SHAPES, SPLITS, Draws, Split, is_balanced
from weft.worlds.sounds import render

Language = Literal["en", "zh"]
_WORDS = {"en": english.caption, "zh": chinese.caption}
_SENTENCES = {"en": english.sentence, "zh": chinese.sentence}
_CLIP, _QUESTIONS, _EN, _ZH, _HISS, _EVENTS_EN, _EVENTS_ZH = range(7)
"""Numbers of separate streams of random numbers: turning off one output changes no other."""


@dataclass(frozen=True)
class ClipsConfig(Config["Clips"]):
    """A split of the world of clips."""

    count: int = 1000
    """Number of clips."""
    split: Split = "train"
    """test_heldout shows a colour-shape pair in every clip that no other split ever shows."""
    size: int = 32
    """Side of the square frames and pictures in pixels. Clips are the same at every size."""
    frames: int = 12
    """Frames of a clip of 4 seconds, evenly spaced."""
    rate: int = 8000
    """Sampling rate of the sounds in Hz."""
    seed: int = 0
    """Another seed generates another world."""
    languages: tuple[Language, ...] = ("en",)
    """Languages of the captions."""
    captions: int = 3
    """Captions of a clip in each language."""
    told: int = OBJECTS
    """Number of events that a caption states, in their order; sampled for each caption."""
    colors: tuple[str, ...] = COLORS
    """Colours of the objects. The three objects of a clip have different colours."""
    shapes: tuple[str, ...] = SHAPES
    """Shapes of the objects. Each shape and each colour must have the same number of held-out pairs."""
    patterns: tuple[str, ...] = PATTERNS
    """Patterns of the backdrops."""
    questions: tuple[str, ...] = QUESTION_TYPES
    """Types of questions: one of each about every clip that allows it; empty: no questions. A type that is named n
    times gives n different questions, if there are that many."""
    noise: int = 12
    """Largest change of a pixel by noise, in grey levels out of 255."""
    hiss: float = 0.003
    """Standard deviation of white noise in the sounds, as a share of full scale."""

    def __post_init__(self) -> None:
        ranges: dict[str, tuple[float, float, float]] = {
            "count": (self.count, 1, 2**31),
            "size": (self.size, 16, 1024),
            "frames": (self.frames, 2, 400),
            "rate": (self.rate, 8000, 96_000),
            "seed": (self.seed, 0, 2**63),
            "captions": (self.captions, 1, 100),
            "told": (self.told, 1, OBJECTS),
            "noise": (self.noise, 0, MAX_NOISE),
            "hiss": (self.hiss, 0.0, 0.1),
        }
        check_ranges(ranges)
        if self.split not in SPLITS:
            raise ValueError(f"split is {self.split}, expected one of {', '.join(SPLITS)}")
        check_names(
            self,
            {
                "languages": tuple(_WORDS),
                "patterns": PATTERNS,
                "questions": QUESTION_TYPES,
                "colors": COLORS,
                "shapes": SHAPES,
            },
            optional=("questions",),
            repeated=("questions",),
        )
        if len(self.colors) <= OBJECTS or not is_balanced(self.colors, self.shapes):
            raise ValueError(
                f"colors are {self.colors} and shapes {self.shapes}, expected {OBJECTS + 1} or more colours, "
                "and equally many held-out pairs of each colour and of each shape"
            )

    def build(self) -> "Clips":
        return Clips(self)


class Clips(DrawnRows):
    """A sequence of samples that are generated on access.

    Items: image: the picture in the middle of the clip. video: its frames. audio: its sound. text: captions in the
    first of the chosen languages; those in another language are text_zh or text_en. objects: dicts of attributes.
    events: dicts in order of time. first: the kind of the first event. tracks: each object in each frame, with its
    box and its action. questions: dicts with question, answer, type. split.
    """

    what = "clips"

    def __init__(self, config: ClipsConfig) -> None:
        super().__init__(config)
        self.config = config

    def __len__(self) -> int:
        return self.config.count

    def clip(self, index: int) -> Clip:
        """Generates the content of the row: objects and events."""
        config = self.config
        draws = self._draws(index, _CLIP)
        return sample_clip(draws, config.split, config.patterns, config.colors, config.shapes)

    def questions(self, clip: Clip, index: int) -> list[dict[str, str]]:
        """Up to one question for each of the config's types."""
        return questions(clip, self._draws(index, _QUESTIONS), self.config.questions)

    def captions(self, clip: Clip, index: int, language: Language = "en") -> list[str]:
        """The captions of the row in that language."""
        draws = self._draws(index, _EN if language == "en" else _ZH)
        facts, say = plan(clip), _WORDS[language]
        return [
            say(some(facts, self.config.told, draws), draws) for _ in range(self.config.captions)
        ]

    def sentences(self, clip: Clip, index: int, language: Language = "en") -> list[list[str]]:
        """For each event, in order of time, sentences that state it: as many as the config's `captions`."""
        draws = self._draws(index, _EVENTS_EN if language == "en" else _EVENTS_ZH)
        say = _SENTENCES[language]
        return [[say(fact, draws) for _ in range(self.config.captions)] for fact in plan(clip)]

    def media(self, clip: Clip, index: int) -> dict[str, Media]:
        """The picture in the middle, the video and the sound."""
        config = self.config
        return {
            "image": Media.array_of(
                lambda: draw(clip, SECONDS / 2, config.size, config.noise), "image"
            ),
            "video": Media.frames(
                lambda: video(clip, config.frames, config.size, config.noise),
                config.frames / SECONDS,
            ),
            "audio": Media.sound(lambda: self._sound(clip, index), config.rate),
        }

    def _sound(self, clip: Clip, index: int) -> np.ndarray:
        samples = render(score(clip), SECONDS, self.config.rate)
        bits = np.random.PCG64(np.random.SeedSequence(self._key(index, _HISS)))
        words = bits.random_raw(-(-len(samples) // 2)).view(np.uint8).reshape(-1, 4)
        # Sums of four bytes are nearly normal; their variance is 4 * (256^2 - 1) / 12.
        hiss = (words[: len(samples)].sum(1, dtype=np.int32) - 510) / 147.8
        heard: np.ndarray = (samples + self.config.hiss * hiss).astype(np.float32)
        return heard

    def _key(self, index: int, stream: int) -> tuple[int, ...]:
        return self.config.seed, SPLITS.index(self.config.split), index, stream

    def _draws(self, index: int, stream: int) -> Draws:
        return Draws(*self._key(index, stream))

    def _draw_row(self, index: int) -> Sample:
        clip, config = self.clip(index), self.config
        first, *others = config.languages
        items: dict[str, Any] = {
            **self.media(clip, index),
            "text": Alternatives(self.captions(clip, index, first)),
            **{f"text_{one}": Alternatives(self.captions(clip, index, one)) for one in others},
            "objects": [
                {"shape": a.shape, "color": a.color, "size": a.size, "x": a.x, "y": a.y}
                for a in clip.actors
            ],
            "events": [
                {
                    "kind": event.kind,
                    "object": event.actor,
                    "time": event.moment,
                    "direction": event.direction,
                    "target": event.target,
                }
                for event in clip.events
            ],
            "first": clip.events[0].kind,
            "tracks": tracks(clip, config.frames),
            "questions": self.questions(clip, index),
            "split": config.split,
        }
        name = f"{config.split}-{index:06d}"
        return Sample(name, name, items, f"clips:{config.split}/{index}")


def tracks(clip: Clip, frames: int) -> list[dict[str, Any]]:
    """Each object in each frame in which it is visible.

    frame: number, from 0. box: (x0, y0, x1, y1) in [0, 1]. shape, color, size. action: of the object in the clip,
    with the direction of a move. turn: number of its event in order of time, "1" to "3".
    """
    order = {event.actor: str(place) for place, event in enumerate(clip.events, 1)}
    found = []
    for frame, time in enumerate(times_of(frames)):
        for number in range(len(clip.actors)):
            if clip.is_seen(number, time):
                thing, event = clip.object_at(number, time), clip.event_of(number)
                found.append(
                    {
                        "frame": frame,
                        "box": [round(value, 4) for value in thing.box],
                        "shape": thing.shape,
                        "color": thing.color,
                        "size": thing.size,
                        "action": " ".join(filter(None, (event.kind, event.direction))),
                        "turn": order[number],
                    }
                )
    return found
