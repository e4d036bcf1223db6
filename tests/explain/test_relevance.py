"""Relevance by gradient x attention, against the equations written out for one row."""

import pytest
import torch
from tiny_models import (
    BLOCKS,
    CNN,
    LENGTHS,
    POST,
    WIDTHS,
    batch,
    decision,
)

from weft.core.interfaces import JOINT
from weft.explain.relevance import NoAttentionError
from weft.explain.relevance import relevance as relevance_of
from weft.fusion.coattention import CoAttentionConfig
from weft.fusion.cross_attention import CrossAttentionConfig
from weft.fusion.cross_modality import CrossModalityConfig
from weft.fusion.early import EarlyConfig
from weft.fusion.hierarchical import HierarchicalConfig
from weft.fusion.late import LateConfig
from weft.fusion.mask_tokens import MaskTokensConfig
from weft.layers.recording import recording

FUSIONS = {
    "early": EarlyConfig(WIDTHS, BLOCKS),
    "early-mean": EarlyConfig(WIDTHS, BLOCKS, pooling="mean"),
    "coattention": CoAttentionConfig(dict.fromkeys(WIDTHS, POST), dim=16, depth=2, heads=2),
    "cross-modality": CrossModalityConfig({"text": 16, "image": 16}, POST),
    "cross-attention": CrossAttentionConfig(WIDTHS, POST),
    "late": LateConfig(WIDTHS, dim=16, combine="product"),
    "mask-tokens": MaskTokensConfig(EarlyConfig(WIDTHS, BLOCKS)),
}


def relevance(one, given, rule="relevance"):
    """What the decision alone says of the batch is explained."""
    return relevance_of(one, given, one.said(given), rule)


every_fusion = pytest.mark.parametrize("fusion", FUSIONS.values(), ids=FUSIONS.keys())


@every_fusion
@pytest.mark.parametrize("rule", ["relevance", "rollout"])
def test_each_row_by_itself(fusion, rule) -> None:
    """A row alone and without padding has the relevances that it has in a batch."""
    one = decision(fusion.build())
    together = relevance(one, batch(), rule)
    assert set(together) == set(WIDTHS)
    for stream, values in together.items():
        assert (values >= 0).all()
        assert values.isfinite().all()
        assert values.any()
        for row, length in enumerate(LENGTHS):
            alone = batch().take(torch.tensor([row]))
            text = alone.inputs["text"]
            short = type(text)(text.values[:, :length], text.mask[:, :length])
            found = relevance(one, alone.with_inputs(text=short), rule)[stream][0]
            torch.testing.assert_close(values[row, : len(found)], found, atol=1e-6, rtol=1e-4)
    assert not together["text"][1, LENGTHS[1] :].any()


def test_nothing_is_left_behind() -> None:
    one = decision(FUSIONS["early"].build())
    relevance(one, batch())
    assert all(parameter.grad is None for parameter in one.model.parameters())
    assert not one.model.fusion._forward_hooks


def first_row(one):
    """Attention and its gradient of the first row, (N, T, L), encoders first."""
    alone = batch().take(torch.tensor([0]))
    own, streams = {}, {}
    for stream in alone.inputs:
        with recording() as found:
            streams[stream] = one.model.encode(stream, alone.inputs[stream])
        own[stream] = found
    with recording() as fused:
        logits = one.model.decode("answer", one.model.fuse(streams))
    logits.max().backward()

    def mixing(record):
        return (record.weights.grad[0] * record.weights[0]).clamp_min(0).mean(0).detach()

    return (
        {s: [mixing(r) for r in some] for s, some in own.items()},
        [(r, mixing(r)) for r in fused],
        streams,
        alone,
    )


def test_single_stream_is_the_paper_s_rule() -> None:
    one = decision(FUSIONS["early"].build())
    own, fused, streams, alone = first_row(one)
    maps = {}
    for stream, mixings in own.items():
        maps[stream] = torch.eye(streams[stream].tokens.shape[1])
        for mixing in mixings:
            maps[stream] = maps[stream] + mixing @ maps[stream]
    order = list(one.model.fuse(streams))  # that of the joint sequence
    sizes = [streams[s].tokens.shape[1] for s in order if s != JOINT]
    joint = torch.zeros(1 + sum(sizes), sum(sizes))
    joint[1:] = torch.block_diag(*(maps[s] for s in order if s != JOINT))
    for _, mixing in fused:
        joint = joint + mixing @ joint
    read = fused[-1][0].weights.grad[0].abs().sum((0, 2))
    assert read[0] > 0
    assert not read[1:].any()  # the class token alone is read
    wanted = dict(zip([s for s in order if s != JOINT], joint[0].split(sizes), strict=True))
    found = relevance(one, alone)
    for stream in found:
        torch.testing.assert_close(found[stream][0], read[0] * wanted[stream], atol=1e-6, rtol=1e-4)


def normalised(own):
    added = own - torch.eye(len(own))
    return added / added.sum(1, keepdim=True).clamp_min(1e-12) + torch.eye(len(own))


def test_cross_attention_is_the_paper_s_rule() -> None:
    one = decision(CrossAttentionConfig(WIDTHS, POST.replace(depth=1)).build())
    own, fused, streams, alone = first_row(one)
    text, image = (torch.eye(streams[s].tokens.shape[1]) for s in ("text", "image"))
    for mixing in own["text"]:
        text = text + mixing @ text
    for mixing in own["image"]:
        image = image + mixing @ image
    (within, a), (across, b) = fused
    assert (within.kind, across.kind) == ("self", "cross")
    text = text + a @ text
    crossed = normalised(text).T @ b @ normalised(image)
    read = across.weights.grad[0].abs().sum((0, 2))
    found = relevance(one, alone)
    torch.testing.assert_close(found["image"][0], read @ crossed, atol=1e-6, rtol=1e-4)
    words = read @ (text - torch.eye(len(text)))
    torch.testing.assert_close(found["text"][0], words, atol=1e-6, rtol=1e-4)


def test_streams_that_attend_to_each_other_see_each_other_as_they_were() -> None:
    one = decision(CrossModalityConfig({"text": 16, "image": 16}, POST.replace(depth=1)).build())
    own, fused, streams, alone = first_row(one)
    kinds = [(record.kind, record.queries.stream) for record, _ in fused]
    assert kinds[:2] in (
        [("cross", "text"), ("cross", "image")],
        [("cross", "image"), ("cross", "text")],
    )
    maps = {}
    for stream, mixings in own.items():
        maps[stream] = torch.eye(streams[stream].tokens.shape[1])
        for mixing in mixings:
            maps[stream] = maps[stream] + mixing @ maps[stream]
    by_stream = {record.queries.stream: mixing for record, mixing in fused[:2]}
    text, image = maps["text"], maps["image"]
    crossed = normalised(text).T @ by_stream["text"] @ normalised(image)
    (last,) = [(r, m) for r, m in fused[2:] if r.queries.stream == "text"]
    crossed = crossed + last[1] @ crossed
    text = text + last[1] @ text
    read = last[0].weights.grad[0].abs().sum((0, 2))
    found = relevance(one, alone)
    torch.testing.assert_close(found["image"][0], read @ crossed, atol=1e-6, rtol=1e-4)


def test_streams_that_have_seen_each_other_before_add_the_paper_s_eq_11() -> None:
    """R_ss += A R_qs, without the normalised R_ss that eq. 10 puts before A; layer after layer."""
    one = decision(FUSIONS["coattention"].build())
    own, fused, streams, alone = first_row(one)
    sizes = {s: f.tokens.shape[1] for s, f in streams.items()}
    maps = {
        (s, q): torch.eye(sizes[s]) if s == q else torch.zeros(sizes[s], sizes[q])
        for s in sizes
        for q in sizes
    }
    for stream, mixings in own.items():
        for mixing in mixings:
            maps[stream, stream] = maps[stream, stream] + mixing @ maps[stream, stream]
    crosses = [n for n, (record, _) in enumerate(fused) if record.kind == "cross"]
    assert len(crosses) == 4  # two layers, each with both directions side by side
    before = maps
    for n, (record, a) in enumerate(fused):
        s, q = record.queries.stream, record.keys.stream
        if n not in crosses:
            for other in sizes:
                maps[s, other] = maps[s, other] + a @ maps[s, other]
            continue
        if n in crosses[::2]:  # both directions read the maps as they were before the two
            before, maps = maps, dict(maps)
        maps[s, q] = before[s, q] + normalised(before[s, s]).T @ a @ normalised(before[q, q])
        maps[s, s] = before[s, s] + a @ before[q, s]
    read = {record.queries.stream: record.weights.grad[0].abs().sum((0, 2)) for record, _ in fused}
    found = relevance(one, alone)
    for stream in sizes:
        wanted = sum(
            read[asks] @ (map_TL - torch.eye(len(map_TL)) if asks == stream else map_TL)
            for asks in sizes
            for map_TL in [maps[asks, stream]]
        )
        torch.testing.assert_close(found[stream][0], wanted, atol=1e-6, rtol=1e-4)


def test_a_stream_without_attention_is_missing() -> None:
    found = relevance(decision(FUSIONS["late"].build(), image=CNN), batch())
    assert set(found) == {"text"}


def test_what_cannot_be_followed_is_said() -> None:
    tree = {
        "inner": EarlyConfig({"text": 16}, BLOCKS),
        "all": EarlyConfig({"inner": 16, "image": 16}, BLOCKS),
    }
    one = decision(HierarchicalConfig(tree).build())
    with pytest.raises(NoAttentionError, match="cannot be followed|shorter"):
        relevance(one, batch())


def test_a_model_without_attention() -> None:
    one = decision(LateConfig({"image": 16}, dim=16).build(), image=CNN)
    del one.model.encoders["text"]
    with pytest.raises(NoAttentionError, match="no attention"):
        relevance(one, batch())


def test_a_mask_token_takes_no_relevance_from_the_words() -> None:
    """A row without a picture: its words have the places of their own tokens in the joint sequence."""
    one = decision(MaskTokensConfig(EarlyConfig(WIDTHS, BLOCKS)).build())
    whole = batch()
    alone = type(whole)({"text": whole.inputs["text"]}, whole.ids, whole.groups)
    found = relevance(one, alone)
    assert set(found) == {"text"}
    for row, length in enumerate(LENGTHS):
        assert (found["text"][row, :length] > 0).any()
        assert not found["text"][row, length:].any()
