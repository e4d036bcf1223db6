"""Pictures of scenes from prompts, by a conditional GAN."""

from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.recipes._gan import trained_gan
from weft.recipes.easy_vqa_flow import SPECIAL
from weft.recipes.scenes_flow import SIZE, VOCABULARY, WORDS, prompted
from weft.runs.recipe import Recipe
from weft.tasks.generation import GenerationTaskConfig


def scenes_gan() -> Recipe:
    """Generates scenes of one to three objects from six kinds of prompts, by a generator and a critic that take turns."""
    return trained_gan(
        prompted(),
        WordVectorsConfig(VOCABULARY, dim=WORDS, ignored_ids=SPECIAL),
        PictureConvolutionsConfig(WORDS, widths=(96, 64, 48, 32, 16), noise=32, condition=128),
        PictureCriticConfig(SIZE, widths=(32, 64, 96), dim=128, patch=4),
        penalty=0.3,
        task=GenerationTaskConfig(limit=600),
    )
