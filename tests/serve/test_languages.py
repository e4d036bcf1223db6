"""In which language a caller is answered."""

import asyncio

import pytest
from asking import Answer, ask, gate, media

from weft.core.language import answering, language, say
from weft.serve.batcher import Batcher
from weft.serve.refusals import RefusedError
from weft.serve.service import Service

CHINESE, ENGLISH = "zh-CN,zh;q=0.9,en;q=0.8", "en-GB,en;q=0.9"
SEARCH = {"query": [{"stream": "text", "value": "a dog"}]}
TEXT = {"text": "a dog"}


def asked(service: Service, accepted: str, path: str, content: object) -> Answer:
    method = "GET" if content is None else "POST"
    return asyncio.run(
        ask(gate(service), method, path, content, {"accept-language": accepted} if accepted else {})
    )


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("/none", None, "没有这个地址"),
        ("/embed", None, "此地址不接受 GET"),
        ("/embed", {"run": "no", "values": TEXT}, "未知的运行 “no”：已知的有："),
        ("/embed", {}, "没有给出值，应给出其中一个或多个：image, text"),
        ("/embed", {"values": {"image": media(b"<html>")}}, "image: 是网页，应为图片"),
        ("/embed", {"values": {"image": "a.png"}}, 'image: 得到 \'a.png\'，应为 {"base64": "..."} 形式的图片；不会打开路径和地址'),
        ("/search", {**SEARCH, "k": 10**6}, "k 为 1,000,000，最多 "),
        ("/search", {**SEARCH, "where": {"no": 1}}, "未知的列 “no”"),
        ("/search", {"like": 1}, "like: "),
        ("/predict", {"run": "scenes", "values": TEXT}, "运行 “scenes” 不能 predict，它能够：embed"),
    ],
)  # fmt: skip
def test_errors_are_in_the_language_that_is_asked_for(
    service: Service, path: str, content: object, said: str
) -> None:
    found = asked(service, CHINESE, path, content)
    assert found.error.startswith(said)
    english = asked(service, ENGLISH, path, content)
    assert english.status == found.status
    assert english.error.isascii()


def test_a_full_queue_is_told_in_chinese() -> None:
    batcher = Batcher(waiting=0)
    with pytest.raises(RefusedError) as refused, batcher.arriving():
        pass
    batcher.close()
    with answering(CHINESE):
        said = say(refused.value.message)
    assert said == "有 0 个请求在等待模型，应少于 0 个；请在 1 秒后重试"


def test_the_language_of_the_server_where_none_is_asked_for(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEFT_LANGUAGE", "zh")
    assert asked(service, "", "/none", None).error == "没有这个地址"
    assert asked(service, "fr, *;q=0.1", "/none", None).error == "没有这个地址"
    assert asked(service, "en", "/none", None).error == "there is no such address"


def test_callers_of_two_languages_at_once(service: Service) -> None:
    """Each is answered in its own, and the process stays as it is."""

    async def both() -> list[Answer]:
        local = gate(service)
        unknown = {"values": {"no": "a dog"}}
        asked = [
            ask(local, "POST", "/embed", unknown, {"accept-language": one})
            for one in (CHINESE, ENGLISH) * 10
        ]
        return list(await asyncio.gather(*asked))

    before = language()
    said = [one.error for one in asyncio.run(both())]
    assert len({*said[::2]}) == len({*said[1::2]}) == 1
    assert said[0].startswith("未知的流 “no”")
    assert said[1].startswith("unknown stream 'no'")
    assert language() == before
