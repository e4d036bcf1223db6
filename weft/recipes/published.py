"""A published model of pictures or sounds and texts, zero-shot or fine-tuned on your own rows."""

import math
from pathlib import Path
from typing import Annotated

from weft.architectures.published import Tune, streams_of
from weft.architectures.published import published as architecture
from weft.core.config import Config
from weft.core.interfaces import Modality, Objective
from weft.data.features import CacheConfig
from weft.data.no_data import NoDataConfig
from weft.encoders.clap import Clap
from weft.encoders.dual import read_number, require_dual
from weft.encoders.dual_encoder import BIAS, SCALE, DualEncoder
from weft.hub import fetched
from weft.modalities.image import ImageConfig
from weft.modalities.processor import image_of
from weft.modalities.published_media import audio_of
from weft.modalities.text import TextConfig
from weft.objectives.contrastive import SigmoidContrastiveConfig, SoftmaxContrastiveConfig
from weft.objectives.temperature import TemperatureConfig
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.retrieval import RetrievalConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

LEARNING_RATES: dict[Tune, float] = {
    "full": 1e-5,
    "lora": 1e-4,
    "locked_image": 1e-5,
    "locked_audio": 1e-5,
    "locked_text": 1e-5,
    "locked": 1e-3,
}


def published(
    model: Annotated[
        str, "Published model: a folder, package:NAME or a name on the Hugging Face hub."
    ],
    tune: Annotated[
        Tune,
        "Trainable part: full, lora, locked_image, locked_audio, locked_text, or locked (only the projections).",
    ] = "full",
) -> Recipe:
    """CLIP, SigLIP, SigLIP 2, CLAP or an open_clip model as published: zero-shot, or fine-tuned on --data."""
    # A run may be used from another current folder, so the path of a local folder is stored as absolute.
    name = str(Path(model).expanduser().absolute()) if Path(model).expanduser().is_dir() else model
    folder = fetched(name, weights=True)
    dual = require_dual(name, folder)
    parts = architecture(name, tune)
    first, second = streams_of(dual)
    locked = tune in ("locked", f"locked_{first}")
    return Recipe(
        data=DataConfig(
            source=NoDataConfig(),
            streams={first: _seen(name, dual), second: _texts(name, dual)},
            optional=(first, second),
            cache={first: CacheConfig()} if locked else {},
        ),
        model=parts,
        objectives={"contrastive": _objective(dual, folder)},
        tasks={"retrieval": RetrievalConfig(first, second)},
        optim=OptimConfig(
            lr=LEARNING_RATES[tune], weight_decay=0.1, betas=(0.9, 0.98), eps=1e-6, warmup=0.1
        ),
        run=RunConfig(
            steps=1000,
            batch_size=64,
            evaluate_every=250,
            checkpoint_every=250,
            monitor="retrieval/rsum",
            precision="auto",
            workers=2,
        ),
    )


def _seen(name: str, dual: DualEncoder | Clap) -> Config[Modality]:
    """The modality of pictures or sounds."""
    return audio_of(name) if isinstance(dual, Clap) else _pictures(name, dual)


def _pictures(name: str, dual: DualEncoder) -> ImageConfig:
    """Pictures as published. Training crops a little, as CLIP's did, but does not mirror: texts say left and right."""
    base = ImageConfig(
        crop_scale=(0.9, 1.0), flip=0.0, interpolation="bicubic", scaled_decoding=False
    )
    own = image_of(name, base)
    return own.replace(size=dual.image.image_size)


def _texts(name: str, dual: DualEncoder | Clap) -> TextConfig:
    longest = dual.longest if isinstance(dual, Clap) else dual.text.max_length
    return TextConfig(kind="pretrained", pretrained=name, max_length=longest)


def _objective(dual: DualEncoder | Clap, folder: Path) -> Config[Objective]:
    """The loss that the model was trained with, at its temperature and bias."""
    init = math.exp(-read_number(dual, folder, SCALE))
    # CLIP's temperature is at least 1 / 100, which many of its models have reached; SigLIP's has no bound.
    temperature = TemperatureConfig(
        init=init, minimum=min(init, 0.001 if dual.sigmoid else 0.01), maximum=max(init, 1.0)
    )
    if dual.sigmoid:
        return SigmoidContrastiveConfig(
            temperature=temperature, bias=read_number(dual, folder, BIAS)
        )
    return SoftmaxContrastiveConfig(tuple(streams_of(dual)), temperature=temperature)
