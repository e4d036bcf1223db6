"""Translation, for your own table of source texts, translations and, optionally, pictures."""

from typing import Annotated, Literal

from weft.architectures.model import ModelConfig
from weft.core.errors import WeftError
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
from weft.recipes._own import inference, lenient, run, target_of
from weft.recipes._own_streams import DIM, LENGTH, VOCABULARY, ImageModel, Towers, Tuned, inputs_of
from weft.runs.recipe import Recipe
from weft.tasks.translation import TranslationTaskConfig
from weft.training.optim import OptimConfig

HEAD = "translation"
MEASURED = 500
"""Number of rows that are translated at each evaluation during training."""


def translate(
    schema: Schema,
    target: Annotated[str | None, "Column of the translations."] = None,
    source: Annotated[
        str | None, "Column of the texts to translate. Default: the only other text column."
    ] = None,
    without: Annotated[
        Literal["nothing", "image"],
        "Stream that is removed from the model, also in training. Use it for blind baselines.",
    ] = "nothing",
    image_model: ImageModel = None,
    tune: Tuned = "frozen",
) -> Recipe:
    """Your table: translates a text, with the help of a picture, sound or video if the row has one."""
    column = target_of(schema, target, ("text",), "translate")
    read = _source(schema, source, column.name)
    pictures = ("image", "images") if without == "nothing" else ()
    media = schema.of(*pictures, "audio", "video")
    others = [name for name in schema.columns if name not in (read, *media)]
    inputs = inputs_of(schema, others, Towers(image_model, None, tune), tokens=True, texts=[read])
    errors = lenient(schema, column, schema.columns[read])
    data = inputs.data({}, errors)
    whole = any(unspaced(one) for one in column.examples)
    pieces = TextConfig(kind="bpe", vocab_size=VOCABULARY, max_length=LENGTH)
    decoder = TransformerDecoderConfig(
        VOCABULARY, DIM, dim=DIM, depth=2, heads=4, max_length=LENGTH, dropout=0.1
    )
    written = TextOutput(column.name, GenerationConfig(max_length=LENGTH))
    blocks = TransformerConfig(DIM, 2, 4, dropout=0.1)
    return Recipe(
        data=data.replace(
            streams={**data.streams, column.name: pieces},
            optional=tuple(name for name in data.streams if name != read),
        ),
        model=ModelConfig(
            encoders=inputs.encoders,
            fusion=EarlyConfig(inputs.widths, blocks, input_norm=True, pooling="mean"),
            heads={HEAD: HeadConfig(decoder, written)},
        ),
        objectives={"translation": CaptioningConfig(HEAD, label_smoothing=0.1)},
        tasks={
            "translation": TranslationTaskConfig(
                HEAD,
                tokenizer="zh" if whole else "13a",
                swap=tuple(media),
                limit=MEASURED,
                inference=inference(errors),
            )
        },
        optim=OptimConfig(lr=2e-3, weight_decay=0.05, warmup=0.1, ema=0.98),
        run=run(schema, "translation/BLEU", most_steps=3000),
    )


def _source(schema: Schema, source: str | None, target: str) -> str:
    """The column of the texts to translate."""
    if source is not None:
        if source not in schema.columns or source == target:
            known = ", ".join(name for name in schema.columns if name != target)
            raise WeftError(f"source '{source}' is no other column, known: {known}")
        return source
    texts = [name for name in schema.of("text") if name != target]
    if len(texts) != 1:
        known = ", ".join(texts) or "none"
        raise WeftError(
            f"which column holds the texts to translate? Name it with --source; texts: {known}"
        )
    return texts[0]
