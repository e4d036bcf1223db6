"""Shared by the recipes of GRID: the sound of a speaker and the video of the mouth."""

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
"""Number of output units: more than the 51 words of GRID and the blank."""
RATE, FRAMES = 12.5, 38
"""Video frames per second, and their largest number. The sound has 25 tokens per second, two for each frame."""
TOKENS = 25.0
"""Tokens per second of the sound."""
RATES = {"audio": TOKENS, "video": RATE}
"""Tokens per second of each stream."""
WORDS = TranscriptOutput(search="beam")
OF_BOTH = WORDS.replace(blank_penalty=1.0)
"""Output of the fused streams. In a product of probabilities the blank wins if either stream is unsure, so it gets a
penalty. For a single stream a penalty brought no gain."""
DROPOUT = 0.1
NOISE, NOISY = (-10.0, 25.0), 0.75
"""Signal-to-noise ratio of white noise in training, in dB, and the share of the sounds that get noise."""
MOUTH = 24
"""Side of the mouth in pixels: small, so that a linear map can be learned from 300 sentences."""


def heard() -> AudioConfig:
    """Log-mel frames of 10 ms; training often adds noise."""
    return AudioConfig(
        rate=16_000,
        level="rms",
        normalise="row",
        spectrogram=SpectrogramConfig(mels=MELS, window=0.032, low=60.0, floor=70.0),
        changes=SoundChangesConfig(noise=NOISE, noise_chance=NOISY),
    )


def seen() -> VideoConfig:
    """The mouth, found as the part with most motion: its difference from the mean frame, in every frame."""
    return VideoConfig(
        FrameSamplingConfig("dense", frames=FRAMES, rate=RATE),
        ImageConfig(size=MOUTH, fit="squash", crop_scale=None, flip=0.5),
        part=MovingPartConfig(share=0.25, shift=0.08, change=True),
    )


def encoder(stream: str) -> Config[Encoder]:
    """The encoder of the sound or of the mouth: a bidirectional GRU of two layers over the frames."""
    if stream == "video":
        mouths = SpaceTimeConvolutionsConfig(MOUTH, widths=())
        return OverTimeConfig(
            mouths, dim=DIM, kind="gru", depth=2, input_norm=False, dropout=2 * DROPOUT
        )
    return OverTimeConfig(
        StackedFramesConfig(MELS, STACK), dim=DIM, kind="gru", depth=2, dropout=DROPOUT
    )


def speech(streams: Mapping[str, Config[Modality]], steps: int) -> Recipe:
    """Words of GRID by CTC, from one stream; or from two, together and each alone.

    The run is evaluated only at the end. On 50 validation clips of clean sound, steps hardly differ; in noise the last
    step is the best.
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
    """The head of the transcript. With several streams it reads the fusion, and each stream has its own head too."""
    if len(streams) == 1:
        decoder = CTCDecoderConfig(DIM, UNITS, dropout=DROPOUT)
        return {"transcript": HeadConfig(decoder, WORDS, streams[0])}
    decoder = CTCDecoderConfig(UNITS, UNITS, maps=False)
    alone = {name: HeadConfig(decoder, WORDS, name) for name in streams}
    return {"transcript": HeadConfig(decoder, OF_BOTH, JOINT), **alone}


def _product(streams: tuple[str, ...]) -> InTimeConfig:
    """The product of the streams' outputs, weighted by a gate. It trains only the gate; each stream learns as if alone."""
    return InTimeConfig(
        dict.fromkeys(streams, DIM),
        UNITS,
        repeat={"video": 2},
        dropout=DROPOUT,
        gate_only=True,
    )
