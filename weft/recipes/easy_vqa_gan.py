"""easy-VQA: pictures generated from a short description by a conditional GAN."""

from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.recipes._gan import trained_gan
from weft.recipes.easy_vqa_flow import SIZE, SPECIAL, VOCABULARY, WORDS, described
from weft.runs.recipe import Recipe
from weft.tasks.generation import GenerationTaskConfig


def easy_vqa_gan() -> Recipe:
    """Pictures of easy-VQA from their descriptions, by a generator and a critic that take turns."""
    return trained_gan(
        described(),
        WordVectorsConfig(VOCABULARY, dim=WORDS, ignored_ids=SPECIAL),
        PictureConvolutionsConfig(WORDS, widths=(96, 64, 48, 24), noise=32, condition=128),
        PictureCriticConfig(SIZE, widths=(24, 48, 96), dim=128, patch=2),
        penalty=0.1,
        task=GenerationTaskConfig(),
    )
