"""Free Spoken Digit Dataset: numbers of several digits to words. It judges numbers that other runs speak."""

from weft.data.chaining import ChainConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.decoders.ctc import CTCDecoderConfig
from weft.heads.head import HeadConfig
from weft.heads.transcripts import TranscriptOutput
from weft.modalities.audio_transforms import SoundChangesConfig
from weft.objectives.ctc import CTCConfig
from weft.recipes.fsdd import DIGITS, heard
from weft.recipes.fsdd_words import DIM, spoken
from weft.runs.recipe import Recipe


def fsdd_numbers() -> Recipe:
    """Spoken numbers of one to five digits to words, by CTC; training joins recordings of single digits."""
    single = spoken(TranscriptConfig("text", unit="word"))
    changes = SoundChangesConfig(speed=(0.8, 1.25), noise=(5.0, 30.0))
    return single.replace(
        data=single.data.replace(
            streams={"audio": heard().replace(trim=None, changes=changes)},
            chain=ChainConfig(rows=(1, 5)),
        ),
        model=single.model.replace(
            heads={
                "transcript": HeadConfig(
                    CTCDecoderConfig(DIM, DIGITS + 1), TranscriptOutput(), "audio"
                )
            }
        ),
        objectives={"ctc": CTCConfig()},
        weights={},
        run=single.run.replace(steps=1500, evaluate_every=500, checkpoint_every=500),
    )
