"""Shared by the recipes of GRID: how a speaker is heard and seen."""

from collections.abc import Mapping

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import JOINT, Encoder, Modality
from weft.data.sources import FilesConfig
from weft.data.splicing import SpliceConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.data.targets.word_times import WordTimesConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.encoders.over_time import OverTimeConfig
from weft.encoders.space_time_convolutions import SpaceTimeConvolutionsConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.fusion.in_time import InTimeConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio import AudioConfig
from weft.modalities.audio_transforms import SoundChangesConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.image import ImageConfig
from weft.modalities.moving_part import MovingPartConfig
from weft.modalities.spectrogram import SpectrogramConfig
from weft.modalities.video import VideoConfig
from weft.objectives.aligned_words import AlignedWordsConfig
from weft.objectives.ctc import CTCConfig
from weft.recipes._data import folder
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.transcription import TranscriptionTaskConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

MELS, STACK, DIM = 40, 4, 256
UNITS = 60
"""More than the 51 words of GRID and the blank."""
RATE, FRAMES = 12.5, 38
"""Frames of a clip a second, and the most of them. The sound has 25 tokens a second, so that each frame stands beside two."""
TOKENS = 25.0
"""Tokens of the sound a second."""
RATES = {"audio": TOKENS, "video": RATE}
"""Tokens a second of each stream."""
WORDS = TranscriptOutput(search="beam")
OF_BOTH = WORDS.replace(blank_penalty=1.0)
"""How words are read. In a product the blank wins where either stream is unsure; of one alone a penalty brings nothing."""
DROPOUT = 0.1
NOISE, NOISY = (-10.0, 25.0), 0.75
"""Decibels between speech and white noise in training, and the share of the sounds that get it."""
MOUTH = 24
"""Pixels of a side of the mouth: so few that a linear map of them is learned from 300 sentences."""


def heard() -> AudioConfig:
    """Log-mel frames of 10 ms, in training often with noise."""
    return AudioConfig(
        rate=16_000,
        level="rms",
        normalise="row",
        spectrogram=SpectrogramConfig(mels=MELS, window=0.032, low=60.0, floor=70.0),
        changes=SoundChangesConfig(noise=NOISE, noise_chance=NOISY),
    )


def seen() -> VideoConfig:
    """The mouth in every frame: what moves most, and how it differs from its mean."""
    return VideoConfig(
        FrameSamplingConfig("dense", frames=FRAMES, rate=RATE),
        ImageConfig(size=MOUTH, fit="squash", crop_scale=None, flip=0.5),
        part=MovingPartConfig(share=0.25, shift=0.08, change=True),
    )


def encoder(stream: str) -> Config[Encoder]:
    """Of the sound or of the mouth: two layers of a GRU in both directions over the frames."""
    if stream == "video":
        mouths = SpaceTimeConvolutionsConfig(MOUTH, widths=())
        return OverTimeConfig(
            mouths, dim=DIM, kind="gru", depth=2, input_norm=False, dropout=2 * DROPOUT
        )
    return OverTimeConfig(
        StackedFramesConfig(MELS, STACK), dim=DIM, kind="gru", depth=2, dropout=DROPOUT
    )


def speech(streams: Mapping[str, Config[Modality]], steps: int) -> Recipe:
    """Words of GRID by CTC, from these streams: from one alone, or from both and from each of them.

    It is evaluated once, at the end: 50 validation clips of clean sound hardly tell one step from another, and in noise the
    last is the best.
    """
    data = DataConfig(
        source=FilesConfig(folder() / "grid_s1"),
        streams=dict(streams),
        targets={
            "transcript": TranscriptConfig("text", unit="word"),
            "times": WordTimesConfig("words"),
        },
        splice=SpliceConfig(tuple(streams), share=0.8, parts=6),
    )
    if len(streams) > 1:
        data = data.replace(optional=tuple(streams))
    heads = _heads(tuple(streams))
    rates = {**RATES, JOINT: TOKENS}
    return Recipe(
        data=data,
        model=ModelConfig(
            encoders={name: encoder(name) for name in streams},
            fusion=_product(tuple(streams)) if len(streams) > 1 else None,
            heads=heads,
        ),
        objectives={
            **{name: CTCConfig(name) for name in heads},
            **{
                f"aligned_{name}": AlignedWordsConfig(name, rate=rates[head.context])
                for name, head in heads.items()
            },
        },
        weights={f"aligned_{name}": 0.5 for name in heads},
        tasks={"transcription": TranscriptionTaskConfig()},
        optim=OptimConfig(lr=2e-3, weight_decay=0.01, ema=0.99),
        run=RunConfig(
            steps=steps,
            batch_size=16,
            evaluate_every=steps,
            checkpoint_every=steps,
            monitor="transcription/WER",
            workers=0,
        ),
    )


def _heads(streams: tuple[str, ...]) -> dict[str, HeadConfig]:
    """The transcript; of several streams, for which the fusion says the words, that of each stream beside it."""
    if len(streams) == 1:
        decoder = CTCDecoderConfig(DIM, UNITS, dropout=DROPOUT)
        return {"transcript": HeadConfig(decoder, WORDS, streams[0])}
    decoder = CTCDecoderConfig(UNITS, UNITS, maps=False)
    alone = {name: HeadConfig(decoder, WORDS, name) for name in streams}
    return {"transcript": HeadConfig(decoder, OF_BOTH, JOINT), **alone}


def _product(streams: tuple[str, ...]) -> InTimeConfig:
    """What each stream says, multiplied by the weights of a gate. Each learns as it would alone, and the gate beside them."""
    return InTimeConfig(
        dict.fromkeys(streams, DIM),
        UNITS,
        repeat={"video": 2},
        dropout=DROPOUT,
        gate_only=True,
    )
