"""CNN + LSTM for questions about pictures: the first model of VQA (Antol et al., ICCV 2015,
arXiv:1505.00468, section 4, "deeper LSTM Q + norm I")."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import Encoder
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.recurrent import RecurrentConfig
from weft.fusion.late import LateConfig
from weft.heads.classes import MATCHING, ClassOutput
from weft.heads.head import HeadConfig


def cnn_lstm(
    *,
    image: Config[Encoder],
    image_dim: int,
    vocab_size: int,
    answers: int = 0,
    words: int = 300,
    hidden: int = 512,
    layers: int = 2,
    width: int = 1024,
    dropout: float = 0.5,
    embedding: int = 0,
    text: str = "question",
) -> ModelConfig:
    """The elementwise product of `image`'s pooled features, of width `image_dim`, and the question's last LSTM state.

    Both are projected to `width` with tanh before the product; an MLP gives a logit for each answer. words, hidden,
    layers: of the LSTM. The picture's features are normalised by a layer norm, while the paper divides them by their
    length. text: the name of the question's stream.

    The paper uses a pretrained ImageNet CNN and an LSTM from scratch. Here captions can pretrain both: the head
    "matching" predicts whether picture and text belong together (2 logits), and embedding is E of the space for a
    contrastive objective, 0 for none. answers: classes of the head "answer", 0 for no such head.
    """
    vectors = {"image": image_dim, text: hidden}
    heads = {"matching": HeadConfig(ClassifierConfig(width, 2), MATCHING)}
    if answers:
        answer = ClassifierConfig(width, answers, hidden=(width, width), dropout=dropout)
        heads["answer"] = HeadConfig(answer, ClassOutput("answer"))
    return ModelConfig(
        encoders={
            "image": image,
            text: RecurrentConfig(
                vocab_size, embedding=words, hidden=hidden, layers=layers, cell="lstm"
            ),
        },
        fusion=LateConfig(
            vectors,
            dim=width,
            combine="product",
            activation="tanh",
            norm=True,
        ),
        heads=heads,
        projections={
            stream: ProjectionConfig(dim, embedding) for stream, dim in vectors.items() if embedding
        },
    )
