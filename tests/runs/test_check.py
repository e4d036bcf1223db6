"""Mistakes in a recipe that are found before anything is read."""

from dataclasses import replace
from pathlib import Path

import pytest

from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.samples import Sample
from weft.core.tensors import write_tensors
from weft.data.features import CacheConfig
from weft.data.mixing import MixConfig
from weft.data.policy import ErrorPolicy
from weft.data.splicing import SpliceConfig
from weft.data.targets.transcript import TranscriptConfig
from weft.modalities.frame_sampling import FrameSamplingConfig
from weft.modalities.video import VideoConfig
from weft.objectives.latent_codec import LatentCodecConfig
from weft.objectives.masked import MaskedLanguageConfig
from weft.objectives.word_prediction import WordPredictionConfig
from weft.recipes import recipe
from weft.runs.check import check_columns, check_names, default_tasks
from weft.runs.parts import WEIGHTS
from weft.runs.recipe import Recipe
from weft.runs.train import starting_model
from weft.tasks.base import TaskConfig
from weft.tasks.captioning import CaptioningTaskConfig
from weft.tasks.matching import MatchingConfig as MatchingTask
from weft.tasks.mismatch import MismatchConfig
from weft.tasks.retrieval import RetrievalConfig
from weft.tasks.vqa import VQAConfig

MASKED = MaskedLanguageConfig(dim=16, vocab_size=300)


def test_a_cached_stream_cannot_be_masked() -> None:
    made = recipe("clip").replace(objectives={"words": MASKED}, weights={})
    check_names(made)
    cached = made.replace(data=made.data.replace(cache={"text": CacheConfig()}))
    with pytest.raises(
        WeftError, match=r"objectives\.words alters stream 'text' before it is encoded"
    ):
        check_names(cached)
    other = made.replace(objectives={"words": MASKED.replace(masked="speech")})
    with pytest.raises(WeftError, match=r"unknown stream of objectives\.words 'speech'"):
        check_names(other)


def test_words_are_told_from_a_stream_that_is_encoded() -> None:
    made = recipe("flickr8k_captions")
    (head,) = made.model.heads

    def telling(stream: str) -> Recipe:
        words = WordPredictionConfig(16, head, stream=stream)
        return made.replace(objectives={"words": words}, weights={})

    check_names(telling("image"))
    with pytest.raises(WeftError, match=r"unknown stream of objectives\.words 'imge'"):
        check_names(telling("imge"))
    check_names(telling(JOINT))
    with pytest.raises(WeftError, match=r"objectives\.words .*fus"):
        check_names(telling(JOINT).replace(model=made.model.replace(fusion=None)))


def test_rows_are_mixed_for_objectives_that_know_the_ratio() -> None:
    def mixing(made: Recipe, stream: str = "image", **data: object) -> Recipe:
        return made.replace(data=replace(made.data, mix=MixConfig((stream,)), **data))

    check_names(mixing(recipe("easy_vqa")))
    with pytest.raises(WeftError, match=r"objectives\.contrastive .* does not weigh its cost"):
        check_names(mixing(recipe("clip")))
    with pytest.raises(WeftError, match="unknown stream in data.mix 'sound'"):
        check_names(mixing(recipe("easy_vqa"), "sound"))
    with pytest.raises(
        WeftError, match="data.mix.streams names 'image', whose features are cached"
    ):
        check_names(mixing(recipe("easy_vqa"), cache={"image": CacheConfig()}))


def test_rows_are_put_together_of_all_their_recordings() -> None:
    made = recipe("grid_audiovisual")
    check_names(made)

    def spliced(names: tuple[str, ...], **data: object) -> Recipe:
        return made.replace(data=made.data.replace(splice=SpliceConfig(names), **data))

    with pytest.raises(WeftError, match=r"data\.splice\.streams lacks 'video', which would then"):
        check_names(spliced(("audio",)))
    with pytest.raises(WeftError, match=r"unknown stream in data\.splice 'mouth'"):
        check_names(spliced(("audio", "video", "mouth")))
    with pytest.raises(
        WeftError, match=r"data\.splice joins the raw values of rows, .* data.cache caches video"
    ):
        check_names(spliced(("audio", "video"), cache={"video": CacheConfig()}))
    video = made.data.streams["video"]
    assert isinstance(video, VideoConfig)
    uniform = video.replace(sampling=FrameSamplingConfig("uniform"))
    with pytest.raises(WeftError, match="samples uniform frames, expected sampling.method dense"):
        check_names(spliced(("audio", "video"), streams={**made.data.streams, "video": uniform}))


def test_words_are_aligned_with_times_of_the_whole_recording() -> None:
    made = recipe("grid")
    check_names(made)
    aligned = made.objectives["aligned_transcript"]
    other = made.replace(
        objectives={**made.objectives, "aligned_transcript": aligned.replace(times="transcript")}
    )
    with pytest.raises(
        WeftError, match="is 'transcript', a TranscriptConfig, expected a WordTimes"
    ):
        check_names(other)
    audio = made.data.streams["audio"]
    for setting, value in (("trim", 30.0), ("seconds", 2.0)):
        streams = {**made.data.streams, "audio": audio.replace(**{setting: value})}
        with pytest.raises(
            WeftError, match=rf"data\.streams\.audio\.{setting} is {value}, but words"
        ):
            check_names(made.replace(data=made.data.replace(streams=streams)))
    targets = {**made.data.targets, "transcript": TranscriptConfig("text")}
    characters = made.replace(data=made.data.replace(targets=targets))
    with pytest.raises(WeftError, match="unit is character, expected word, or a weight of 0"):
        check_names(characters)
    check_names(characters.replace(weights={"aligned_transcript": 0}))


def test_a_metric_that_no_task_measures_is_refused_before_training() -> None:
    made = recipe("clip")
    assert "retrieval" in made.tasks

    def monitoring(name: str) -> None:
        check_names(made.replace(run=made.run.replace(monitor=name)))

    for name in (
        "retrieval/rsum",
        "retrieval/image_to_text/mean_rank",
        "retrieval/text_to_image/mAP",
    ):
        monitoring(name)
    with pytest.raises(
        WeftError, match="unknown metric in run.monitor.*did you mean retrieval/rsum"
    ):
        monitoring("retrieval/rsun")
    with pytest.raises(WeftError, match="unknown metric in run.monitor"):
        monitoring("retrieval/image_to_text/recall@7")
    with pytest.raises(WeftError, match="unknown task in run.monitor"):
        monitoring("rsum")
    asked = recipe("easy_vqa")
    check_names(asked.replace(run=asked.run.replace(monitor="vqa/type/n/a/accuracy")))


def test_a_column_that_a_task_needs_is_missed_before_training() -> None:
    made = recipe("scenes_questions")
    rows = [Sample("a", "a", {"question": "what?", "answer": "red"}, "rows:1")]
    check_columns(made, rows)
    other = made.replace(tasks={"vqa": VQAConfig(answer="reply")})
    with pytest.raises(WeftError, match=r"rows:1: has no 'reply', which tasks\.vqa needs; it has"):
        check_columns(other, rows)


NEEDS = {
    r"unknown head of tasks\.vqa 'reply': known: answer": {"tasks": {"vqa": VQAConfig("reply")}},
    r"tasks\.captioning needs head 'answer' with a TextOutput, it has a ClassOutput": {
        "tasks": {"captioning": CaptioningTaskConfig("answer")}
    },
    r"unknown projection of tasks\.retrieval 'image'": {
        "tasks": {"retrieval": RetrievalConfig(second="question")}
    },
    r"unknown target of model\.heads\.answer 'answer'": {"targets": {}},
    r"tasks\.matching reads fused streams, but model\.fusion is None": {
        "tasks": {"matching": MatchingTask(second="question", head="answer")},
        "fusion": None,
    },
}


@pytest.mark.parametrize("message", NEEDS)
def test_what_objectives_and_tasks_need_is_there(message: str) -> None:
    made = recipe("scenes_questions")
    changes = {"objectives": {"answer": made.objectives["answer"]}, "weights": {}, **NEEDS[message]}
    data = made.data.replace(targets=changes.pop("targets", made.data.targets))
    model = made.model.replace(fusion=changes.pop("fusion", made.model.fusion))
    run = made.run.replace(monitor=None)
    with pytest.raises(WeftError, match=message):
        check_names(made.replace(data=data, model=model, run=run, **changes))


def without_codec_objective(**changes: object) -> Recipe:
    made = recipe("scenes_flow")
    objectives = {name: one for name, one in made.objectives.items() if name != "codec"}
    return made.replace(objectives=objectives, players={}, **changes)


def test_a_flow_over_latents_needs_an_objective_that_trains_its_codec() -> None:
    check_names(recipe("scenes_flow"))
    random = r"model\.heads\.picture\.decoder\.codec is trained by no objective"
    with pytest.raises(WeftError, match=random):
        check_names(without_codec_objective())
    with pytest.raises(WeftError, match=random):
        check_names(recipe("scenes_flow").replace(weights={"codec": 0.0}))
    flow = recipe("easy_vqa_flow")
    check_names(flow)
    with pytest.raises(
        WeftError, match=r"objectives\.codec trains the codec of head 'picture', but"
    ):
        check_names(flow.replace(objectives={**flow.objectives, "codec": LatentCodecConfig()}))


def test_a_codec_may_come_from_another_run(tmp_path: Path) -> None:
    whole = recipe("scenes_flow").model.build().state_dict()
    made = without_codec_objective(init=tmp_path)
    write_tensors(tmp_path / WEIGHTS, whole, {})
    check_names(made)
    codec = "heads.picture.decoder.codec.up.0.weight"
    assert starting_model(made).state_dict()[codec].equal(whole[codec])
    write_tensors(tmp_path / WEIGHTS, {k: v for k, v in whole.items() if k != codec}, {})
    with pytest.raises(
        WeftError, match=r"has no weights for model\.heads\.picture\.decoder\.codec"
    ):
        starting_model(made)


def test_default_tasks_treat_unreadable_rows_as_training_does() -> None:
    made = recipe("clips")
    lenient = made.replace(data=made.data.replace(errors=ErrorPolicy("skip", limit=0.2)))
    for settings in default_tasks(lenient).values():
        if isinstance(settings, TaskConfig):
            assert settings.inference.errors == lenient.data.errors


def test_the_first_two_compared_streams_are_exchanged() -> None:
    for name, streams in (
        ("scenes", ("image", "text")),
        ("grid_any_to_any", ("audio", "video")),
        ("clips", ("video", "text")),
    ):
        settings = default_tasks(recipe(name))["mismatch"]
        assert isinstance(settings, MismatchConfig)
        assert (settings.first, settings.second) == streams
