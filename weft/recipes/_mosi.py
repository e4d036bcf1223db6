"""Shared by the recipes of CMU-MOSI: the score and its scale, its head, its objective and its task."""

from weft.core.config import Config
from weft.core.interfaces import Objective, Target
from weft.data.sources import FilesConfig
from weft.data.targets.numbers import NumbersConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.stacked_frames import StackedFramesConfig
from weft.heads.head import HeadConfig
from weft.heads.numbers import NumberOutput
from weft.objectives.classification import RegressionConfig
from weft.recipes._data import folder
from weft.tasks.base import Task
from weft.tasks.regression import RegressionTaskConfig

WIDTHS = {"text_feat": 100, "audio_feat": 73, "visual_feat": 100}
"""Widths of the vectors in the data."""
LIMITS, STD = (-3.0, 3.0), 1.5
"""Range of the scores, and their standard deviation in the training rows."""
DIM = 128
HEAD = "score"
OBJECTIVES: dict[str, Config[Objective]] = {HEAD: RegressionConfig(HEAD)}
TARGETS: dict[str, Config[Target]] = {HEAD: NumbersConfig(HEAD, limits=LIMITS)}
TASKS: dict[str, Config[Task]] = {"regression": RegressionTaskConfig(HEAD)}


def rows(partition: str) -> FilesConfig:
    """The sentences, with splits from the column `partition`: `fold` (standard) or `split` (Poria et al. 2017)."""
    return FilesConfig(folder() / "cmu_mosi", columns={"split": partition})


def vector(name: str) -> StackedFramesConfig:
    """The single vector of a row, unchanged."""
    return StackedFramesConfig(WIDTHS[name], stack=1)


def score(dropout: float) -> HeadConfig:
    """The head of the score, which reads the fused streams."""
    decoder = ClassifierConfig(DIM, 1, hidden=(DIM,), dropout=dropout, scale=STD)
    return HeadConfig(decoder, NumberOutput(HEAD))
