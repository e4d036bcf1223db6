"""What is said in Chinese: every sentence has a translation with the same places."""

import contextlib
import math
import re
import time
from threading import Thread
from types import SimpleNamespace

import pytest
from core import sentences

from weft.cli import main
from weft.core import language, ranges
from weft.core.language import (
    PLACE,
    Entry,
    answering,
    catalogue,
    full_stop,
    listed,
    preferred,
    say,
    speaking,
)
from weft.core.language import language as chosen
from weft.inference.wording import protocol_words


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEFT_LANGUAGE", "zh")


def test_every_sentence_is_in_the_catalogue() -> None:
    missing = [f"{place}: {sentence}" for place, sentence in sentences.missing()]
    assert not missing, "without a translation in language_zh.json:\n" + "\n".join(missing)


def test_sentences_that_a_variable_holds_are_collected() -> None:
    """`reason = f"..."`, and then an error with the reason."""
    module = sentences.PACKAGE / "data" / "formats" / "_turns.py"
    found = [sentence for _, sentence in sentences.said(module)]
    assert "turn {0} of the dialog has no {1}: {2}" in found


def test_translations_have_the_places_of_their_sentences() -> None:
    for entry in catalogue("zh"):
        places = [place[1] for place in PLACE.finditer(entry.english)]
        assert len(places) == len(set(places)), entry.english
        translated = [place[1] for place in PLACE.finditer(entry.translation)]
        kept = [place for place in places if place[0] != "_"]
        assert sorted(kept) == sorted(translated), entry.english
        assert re.search(r"[一-鿿]|~}", entry.translation), entry.english
        assert "~}" not in entry.english


def test_no_sentence_is_translated_as_another() -> None:
    """With words in its places a sentence is found again, and not one that looks like it."""
    for entry in catalogue("zh"):
        filled = PLACE.sub("1", entry.english)
        found = next(one for one in catalogue("zh") if one.pattern.fullmatch(filled))
        as_fixed = fixed(found) == fixed(entry)
        assert as_fixed, f"{entry.english} is taken for {found.english}"


def fixed(entry: Entry) -> str:
    return PLACE.sub("", entry.english).lower()


@pytest.mark.usefixtures("chinese")
def test_alternatives_and_names_in_quotes() -> None:
    assert say("unknown command 'serch': did you mean search or serve? known: search, serve") == (
        "未知的命令 “serch”：您是不是想输入 search 或 serve？已知的有：search, serve"
    )
    several = (
        "no column is called 'Blid', 'zzz': did you mean Blid → Bild or Bilder? known: Bild, Bilder"
    )
    assert say(several) == (
        "没有名为 'Blid', 'zzz' 的列：您是不是想输入 Blid → Bild 或 Bilder？已知的有：Bild, Bilder"
    )
    assert say("t.csv: --columns a=b,c=d: no column is called 'b', 'd': 40 are known") == (
        "t.csv: --columns a=b,c=d：没有名为 'b', 'd' 的列：已知的有 40 个"
    )
    assert say("40 entries, 1 item") == "40 个条目，1 项"
    assert say("unknown action of 'weft data' 'chek': did you mean check? known: check") == (
        "未知的 weft data 的操作 “chek”：您是不是想输入 check？已知的有：check"
    )
    assert say(
        "weft: an index of kind ivf needs the package faiss, which is not installed: pip install 'weft[index]'"
    ) == ("weft: ivf 类索引 需要软件包 faiss，但没有安装：pip install 'weft[index]'")


@pytest.mark.usefixtures("chinese")
def test_places_are_filled_and_sentences_within_sentences_are_said() -> None:
    assert say("photos/a.jpg: picture is truncated") == "photos/a.jpg: 图片不完整（被截断）"
    assert say("a.csv:4: has no 'x', it has: nothing") == "a.csv:4: 没有 “x”，也没有其他值"
    assert say("left out: a.csv:4: picture is empty (0 bytes)") == (
        "略去：a.csv:4: 图片为空（0 字节）"
    )
    assert say("data.csv:7: column 'image' holds 3, expected a path") == (
        "data.csv:7: 列 “image” 的值是 3，应为路径"
    )
    assert say("unknown command 'trian': did you mean train? known: data, train") == (
        "未知的命令 “trian”：您是不是想输入 train？已知的有：data, train"
    )
    assert say("a sentence that nobody has translated") == "a sentence that nobody has translated"
    # What is in a place is the user's, whatever it is called.
    found = 'is not UTF-8 text: --encoding gbk reads "图片,报告", --encoding big5 reads "芞え"'
    assert say(f"a.csv:1: {found}").startswith(
        "a.csv:1: 不是 UTF-8 文本：--encoding gbk 读作“图片,报告”"
    )
    assert "“command”" in say("has no 'command', it has: column, class")
    # A place at the end of a sentence holds neither its full stop nor the next sentence.
    careful = "The model is not shown to be better than chance. No number was measured."
    assert say(careful) == "没有证据表明模型优于基线（随机水平）。没有测得任何数值。"
    assert say("the folder of the files of 'image' is .") == "“image” 的文件在 . 中查找"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "WEFT_LANGUAGE": "en"}, "en"),
        ({"LC_ALL": "C", "WEFT_LANGUAGE": "zh-Hans"}, "zh"),
    ],
)
def test_the_language_is_chosen_as_gettext_does(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WEFT_LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert chosen() == expected


def test_the_option_language(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WEFT_LANGUAGE", "en")
    for words in (["--language", "zh", "trian"], ["trian", "--language=zh"]):
        assert main(words) == 2
        assert "未知的命令 “trian”" in capsys.readouterr().err
    assert main(["trian"]) == 2
    assert "unknown command" in capsys.readouterr().err
    assert main(["--language", "fr", "list"]) == 2
    assert capsys.readouterr().err == "weft: unknown language 'fr': known: en, zh\n"
    assert main(["list", "--language"]) == 2
    assert "unknown language ''" in capsys.readouterr().err
    with speaking("zh"):
        assert chosen() == "zh"
    assert chosen() == "en"


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    "words", [[], ["evaluate"], ["data", "check"], ["data", "prepare"], ["train", "clip"]]
)
def test_help_is_in_chinese(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with contextlib.suppress(SystemExit):
        main([*words, "--help"])
    said = capsys.readouterr().out
    assert "用法：weft" in said
    about = [line for line in said.splitlines() if not line.startswith(("usage", "  weft"))]
    assert sum(bool(re.search(r"[一-鿿]", line)) for line in about) > len(about) / 2


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("", None),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB, zh", "en"),
        ("en;q=0.5, ZH-Hans;q=0.7", "zh"),
        ("fr-CH, fr;q=0.9, zh;q=0.3", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("zh;q=0", None),
        ("*", None),
        ("zh;q=x, de", None),
        (";;,,=q zhen", None),
    ],
)
def test_the_language_of_a_request(accepted: str, expected: str | None) -> None:
    assert preferred(accepted) == expected


@pytest.mark.usefixtures("chinese")
def test_a_reader_is_answered_in_her_language_alone() -> None:
    heard = []
    with answering("en"):
        thread = Thread(target=lambda: heard.append(chosen()))
        thread.start()
        thread.join()
        assert chosen() == "en"
        with answering("fr"):
            assert chosen() == "zh"  # that of the process
        assert chosen() == "en"
    assert [*heard, chosen()] == ["zh", "zh"]


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    "part", ["; the server is stopping", ": no such fil", "; a: b", ", expected a", "; "]
)
def test_data_that_look_like_many_sentences_take_no_time(part: str) -> None:
    """They come from anybody: one part more once doubled the time."""
    began = time.process_time()
    say("x" + part * 80)
    assert time.process_time() - began < 10


def test_a_catalogue_is_read_once() -> None:
    assert catalogue("zh") is language.catalogue("zh")


@pytest.mark.usefixtures("chinese")
def test_sentences_and_protocols_are_listed_with_the_marks_of_the_language() -> None:
    found = "12 of 500 pictures are identical to a training picture"
    said = listed(["leakage from training: none found", found]) + full_stop()
    assert said == "来自训练集的泄漏：没有发现；500 张图片中有 12 张与训练图片完全相同。"
    assert say(protocol_words("embedded_audios")) == "嵌入的声音数"
    assert say(protocol_words("embedded_text_zhs")) == "嵌入的中文文本数"


@pytest.mark.parametrize(
    "allowed",
    [
        *(found for found in vars(ranges).values() if isinstance(found, ranges.Range)),
        ranges.at_least(3, 7),
    ],
    ids=lambda allowed: allowed.says,
)
def test_a_setting_out_of_its_range_is_named_in_chinese(allowed: ranges.Range) -> None:
    """Messages of `require`, in the form in which `weft train` prints them."""
    number = math.nan
    with pytest.raises(ValueError, match=re.escape(allowed.says)) as raised:
        ranges.require(SimpleNamespace(lr=number), lr=allowed)
    with speaking("zh"):
        said = say(f"optim: {raised.value}")
    assert said.startswith("optim: lr 的值是 nan，应")
    assert not re.search(r"[a-z]{2}", said.removeprefix("optim: lr 的值是 nan"))
