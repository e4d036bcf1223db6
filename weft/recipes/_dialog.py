"""Shared by the recipes for dialogs: history, question and picture; answers that are ranked or generated."""

from typing import Annotated, Literal

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.core.config import Config
from weft.core.interfaces import JOINT, Objective
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import TextOutput
from weft.inference.config import InferenceConfig
from weft.layers.transformer import TransformerConfig
from weft.modalities.history import HistoryConfig
from weft.modalities.text import TextConfig
from weft.objectives.answer_ranking import AnswerRankingConfig
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._own_streams import Inputs, Stream
from weft.runs.recipe import DataConfig, Recipe
from weft.tasks.dialog import DialogConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig

QUESTION, HISTORY, ROUND, ANSWER, HEAD = "question", "history", "round", "answer", "answer"
Without = Annotated[
    Literal["nothing", "image", "history"],
    "Stream that is removed from the model, also in training. Use it for blind baselines.",
]
DIM, HEADS, DEPTH = 64, 4, 2
LENGTH, BEFORE, ANSWERED, ANSWERS = 32, 128, 12, 1000
"""Largest number of tokens of a question, of the history and of an answer, with special tokens; vocabulary size of
answers."""
FIT = 20_000
"""Rows on which tokenizers are trained."""


def words(vocabulary: int, question: str = QUESTION, *, history: bool = True) -> Inputs:
    """The question, and the history if `history`: word embeddings with position codes."""
    found = Inputs()
    asked = TextConfig(vocab_size=vocabulary, max_length=LENGTH, fit_captions=FIT)
    before = HistoryConfig(vocab_size=vocabulary, max_length=BEFORE, fit_captions=FIT)
    for name, config in {question: asked, **({HISTORY: before} if history else {})}.items():
        longest = config.max_length
        tower = TextTransformerConfig(vocabulary, DIM, depth=0, heads=HEADS, max_length=longest)
        found.add(name, Stream(config, tower, DIM))
    return found


def dialog_recipe(
    inputs: Inputs,
    data: DataConfig,
    *,
    generative: bool,
    question: str = QUESTION,
    answer: str = ANSWER,
    inference: InferenceConfig | None = None,
    optim: OptimConfig,
    run: RunConfig,
) -> Recipe:
    """A recipe in which the words of the question attend to all other streams. data: has the streams of `inputs`.
    question, answer: names of these streams.

    A discriminative model ranks candidates by the cosine of their embedding with that of the question; a generative one
    writes the answer (Das et al. 2017, arXiv:1611.08669, section 4).
    """
    blocks = TransformerConfig(DIM, DEPTH, HEADS)
    fusion = CrossAttentionConfig(inputs.widths, blocks, queries=question)
    answers = TextConfig(vocab_size=ANSWERS, max_length=ANSWERED, fit_captions=FIT)
    task = DialogConfig(
        answer=answer,
        head=HEAD if generative else None,
        inference=inference or InferenceConfig(),
    )
    objectives: dict[str, Config[Objective]]
    if generative:
        decoder = TransformerDecoderConfig(
            ANSWERS, DIM, dim=DIM, depth=1, heads=HEADS, max_length=ANSWERED
        )
        output = TextOutput(answer, GenerationConfig(max_length=ANSWERED))
        model = ModelConfig(
            encoders=inputs.encoders, fusion=fusion, heads={HEAD: HeadConfig(decoder, output)}
        )
        objectives = {"writing": CaptioningConfig(HEAD)}
    else:
        model = ModelConfig(
            encoders={**inputs.encoders, answer: WordVectorsConfig(ANSWERS, dim=DIM)},
            fusion=fusion,
            projections={
                JOINT: ProjectionConfig(DIM, DIM, hidden=(2 * DIM,)),
                answer: ProjectionConfig(DIM, DIM),
            },
        )
        objectives = {"ranking": AnswerRankingConfig()}
    return Recipe(
        data=data.replace(streams={**data.streams, answer: answers}),
        model=model,
        objectives=objectives,
        tasks={"dialog": task},
        optim=optim,
        run=run,
    )
