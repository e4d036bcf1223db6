"""Texts that describe pictures, sounds or videos, for your own table."""

from typing import Annotated

from weft.architectures.model import ModelConfig
from weft.core.text import unspaced
from weft.data.schema import Schema
from weft.decoders.generation import GenerationConfig
from weft.decoders.text import TransformerDecoderConfig
from weft.fusion.early import EarlyConfig
from weft.heads.head import HeadConfig
from weft.heads.texts import TextOutput
from weft.layers.transformer import TransformerConfig
from weft.modalities.text import TextConfig
from weft.objectives.captioning import CaptioningConfig
from weft.recipes._own import inference, lenient, run
from weft.recipes._own_streams import DIM, LENGTH, VOCABULARY, ImageModel, Towers, Tuned, inputs_of
from weft.recipes.retrieve import Find, recording_and_text
from weft.runs.recipe import Recipe
from weft.tasks.captioning import CaptioningTaskConfig
from weft.training.optim import OptimConfig

HEAD = "caption"
MEASURED = 200
"""Number of rows whose texts are generated at each evaluation during training."""


def caption(
    schema: Schema,
    target: Annotated[str | None, "Column of the texts. Default: the only text column."] = None,
    find: Find = None,
    image_model: ImageModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: writes the text of a picture, sound or video, such as a caption or a report."""
    media, text = recording_and_text(schema, target, "caption", find)
    others = [name for name in schema.columns if name != media]
    inputs = inputs_of(schema, others, Towers(image_model, None, tune), tokens=True)
    errors = lenient(schema, schema.columns[text])
    data = inputs.data({}, errors)
    words = TextConfig(vocab_size=VOCABULARY, max_length=LENGTH)
    decoder = TransformerDecoderConfig(
        VOCABULARY, DIM, dim=DIM, depth=2, heads=4, max_length=LENGTH, dropout=0.1
    )
    written = TextOutput(text, GenerationConfig(max_length=LENGTH))
    whole = any(unspaced(one) for one in schema.columns[text].examples)
    return Recipe(
        data=data.replace(streams={**data.streams, text: words}),
        model=ModelConfig(
            encoders=inputs.encoders,
            fusion=EarlyConfig(inputs.widths, TransformerConfig(DIM, 1, 4), pooling="mean"),
            heads={HEAD: HeadConfig(decoder, written, context=media)},
        ),
        objectives={"captioning": CaptioningConfig(label_smoothing=0.1)},
        tasks={
            "captioning": CaptioningTaskConfig(
                references=text,
                unit="character" if whole else "word",
                limit=MEASURED,
                inference=inference(errors),
            )
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=run(schema, "captioning/CIDEr-D", most_steps=1000),
    )
