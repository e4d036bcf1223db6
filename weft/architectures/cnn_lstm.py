"""CNN + LSTM for questions about pictures: the first model of VQA (Antol et al., ICCV 2015,
arXiv:1505.00468, section 4, "deeper LSTM Q + norm I")."""

from weft.architectures.model import ModelConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import ClassOutput
from weft.heads.head import HeadConfig


def cnn_lstm(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    answers: int,
    words: int = 300,
    hidden: int = 512,
    layers: int = 2,
    width: int = 1024,
    dropout: float = 0.5,
    text: str = "question",
) -> ModelConfig:
    """Pooled features of `image`, of width `image_dim`, times the question's last LSTM state.

    Both are mapped to `width` with tanh and multiplied; an MLP gives a logit for each answer. words,
    hidden, layers: of the LSTM. The picture's features are normalised by a layer norm where the paper
    divides by their length. text: the name of the question's stream.
    """
    return ModelConfig(
        encoders={
            "image": image,
            text: RecurrentConfig(
                vocab_size, embedding=words, hidden=hidden, layers=layers, cell="lstm"
            ),
        },
        fusion=LateConfig(
            {"image": image_dim, text: hidden},
            dim=width,
            combine="product",
            activation="tanh",
            norm=True,
        ),
        heads={
            "answer": HeadConfig(
                ClassifierConfig(width, answers, hidden=(width, width), dropout=dropout),
                ClassOutput("answer"),
            )
        },
    )
