"""One picture tower, two languages: Flickr8k in English and in Chinese."""

from weft.architectures.model import ModelConfig, ProjectionConfig
from weft.objectives.contrastive import SoftmaxContrastiveConfig
from weft.recipes._data import folder
from weft.recipes._flickr8k import captions, minilm_tokens, run
from weft.recipes.flickr8k import flickr8k
from weft.recipes.flickr8k_zh import chinese, chinese_encoder
from weft.runs.recipe import Recipe
from weft.tasks.retrieval import RetrievalConfig

GRU = 256


def flickr8k_bilingual() -> Recipe:
    """Flickr8k in both languages: the English recipe with a Chinese tower in the same space."""
    english = flickr8k()
    softmax = english.objectives["contrastive"]
    assert isinstance(softmax, SoftmaxContrastiveConfig)
    return english.replace(
        data=captions(
            "captions.jsonl",
            {"text": minilm_tokens(), "text_zh": chinese()},
            joined={"text_zh": folder() / "flickr8k" / "captions_zh.jsonl"},
        ),
        model=ModelConfig(
            encoders={**english.model.encoders, "text_zh": chinese_encoder(GRU)},
            projections={
                **english.model.projections,
                "text_zh": ProjectionConfig(2 * GRU, 1024),
            },
        ),
        objectives={
            **english.objectives,
            "chinese": softmax.replace(streams=("image", "text_zh")),
            "languages": softmax.replace(streams=("text", "text_zh")),
        },
        weights={**english.weights, "languages": 0.5},
        tasks={
            "retrieval": RetrievalConfig(),
            "retrieval_zh": RetrievalConfig(second="text_zh"),
        },
        run=run(epochs=15, batch_size=512, evaluations=3),
    )
