"""The demo's questions: a pretrained picture encoder, with a new text encoder and classifier."""

from weft.data.targets.cells import CellsConfig
from weft.data.targets.classes import ClassesConfig
from weft.decoders.classifier import ClassifierConfig
from weft.encoders.transformer_text import TextTransformerConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.layers.transformer import TransformerConfig
from weft.objectives.classification import ClassificationConfig
from weft.recipes._scenes import LENGTH, PICTURE, SIMPLE, VOCABULARY, data
from weft.recipes.scenes_objects import CELLS, OBJECTS
from weft.recipes.scenes_vqa import scenes_vqa
from weft.runs.recipe import Recipe
from weft.worlds.scenes.source import GeneratedConfig

DIM, HEADS = 64, 4
ANSWERS = (*SIMPLE.colors, *SIMPLE.shapes)


def scenes_questions() -> Recipe:
    """`scenes_vqa` in minutes: simpler scenes and questions; --init RUN takes the picture encoder of `scenes_objects`.

    The words of the question attend to the grid cells in one block of cross-attention.
    """
    whole, base = scenes_vqa(), data(SIMPLE)
    answer = whole.model.heads["answer"].replace(decoder=ClassifierConfig(DIM, len(ANSWERS)))
    return whole.replace(
        data=base.replace(
            source=GeneratedConfig(scenes=SIMPLE, rows="questions"),
            streams={**whole.data.streams, "image": base.streams["image"]},
            targets={
                "answer": ClassesConfig("answer", ANSWERS),
                "objects": CellsConfig(cells=CELLS),
            },
        ),
        model=whole.model.replace(
            encoders={
                "image": whole.model.encoders["image"],
                "question": TextTransformerConfig(
                    VOCABULARY, dim=DIM, depth=0, heads=HEADS, max_length=LENGTH
                ),
            },
            fusion=CrossAttentionConfig(
                {"question": DIM, "image": PICTURE},
                TransformerConfig(dim=DIM, depth=1, heads=HEADS),
                queries="question",
            ),
            heads={"answer": answer},
        ),
        objectives={"answer": ClassificationConfig(), "objects": OBJECTS},
        optim=whole.optim.replace(lr=5e-3, warmup=0.1, ema=0.95),
        run=whole.run.replace(steps=400, evaluate_every=200, checkpoint_every=200),
    )
