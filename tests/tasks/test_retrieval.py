"""Retrieval against the whole similarity matrix, computed by hand."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny_world import Flat, Lookup, Numbers, Pixels, Pooled

from weft.architectures.model import Model
from weft.core.errors import DataError, WeftError
from weft.data.columns import ModalitySource
from weft.data.learned import Learned
from weft.data.policy import ErrorPolicy
from weft.data.prepare.scan import RowFacts
from weft.evaluation.bootstrap import Bootstrap
from weft.evaluation.leakage import audit
from weft.inference.config import InferenceConfig
from weft.inference.embedding import embed_entries
from weft.inference.member import Entry, Member
from weft.tasks.retrieval import RetrievalConfig

I2T, T2I = "image_to_text", "text_to_image"


def task(**changes):
    return RetrievalConfig(resamples=100).replace(**changes).build()


def expected_similarity(w, captions=3):
    pixels = torch.tensor(w.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    views = [F.normalize(view.flatten(1), dim=-1) for view in (pixels, pixels.flip(-1))]
    images = F.normalize(views[0] + views[1], dim=-1)
    texts = F.normalize(w.table[1:], dim=-1).repeat_interleave(captions, 0)
    return images @ texts.T


@pytest.mark.parametrize("workers", [0, 2])
def test_numbers_equal_those_of_the_matrix(world, workers):
    w = world(noise=1.0)
    config = InferenceConfig(batch_size=5, workers=workers)
    result = task(inference=config).evaluate([w.member()], w.rows)
    similarity = expected_similarity(w)
    image_of = torch.arange(24).repeat_interleave(3)
    right = torch.arange(24)[:, None] == image_of
    best = similarity.masked_fill(~right, -2).max(1).values
    i2t = 1 + (similarity.masked_fill(right, -2) >= best[:, None]).sum(1)
    own = similarity[image_of, torch.arange(72)]
    t2i = 1 + (similarity > own).sum(0)
    assert torch.equal(result.queries[I2T].rank, i2t)
    assert torch.equal(result.queries[T2I].rank, t2i)
    total = 0.0
    for way, ranks in ((I2T, i2t), (T2I, t2i)):
        for k in (1, 5, 10):
            expected = 100 * float((ranks <= k).double().mean())
            total += expected
            estimate = result.metrics[f"{way}/recall@{k}"]
            assert estimate.value == pytest.approx(expected)
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 100
        assert result.metrics[f"{way}/median_rank"].value == np.median(ranks)
        assert result.metrics[f"{way}/MRR"].value == pytest.approx(100 * float((1 / ranks).mean()))
    for way, ranks in ((I2T, i2t), (T2I, t2i)):
        worst = [example.rank for example in result.worst_examples[way]]
        assert worst == sorted(ranks.tolist(), reverse=True)[:4]
    rsum = result.metrics["rsum"]
    assert rsum.value == pytest.approx(total)
    assert rsum.low < rsum.value < rsum.high
    assert 10 < result.metrics[f"{I2T}/recall@1"].value < 90


def test_intervals_resample_pictures_with_all_their_captions(world):
    """Three captions of a picture are not three observations; the seed is the config's."""
    w = world(noise=1.0)
    result = task(resamples=400, seed=3).evaluate([w.member()], w.rows)
    every = torch.cat([queries.groups for queries in result.queries.values()])
    assert len(every) == 4 * 24
    for way, queries in result.queries.items():
        hits = queries.rank <= 5
        assert hits.any()
        assert not hits.all()
        expected = Bootstrap(every, resamples=400, seed=3).mean(hits, queries.groups).estimate()
        assert expected.groups == 24
        assert result.metrics[f"{way}/recall@5"].estimate == expected.percent()
    other = task(resamples=400, seed=4).evaluate([w.member()], w.rows)
    assert other.metrics["rsum"].value == result.metrics["rsum"].value
    assert (other.metrics["rsum"].low, other.metrics["rsum"].high) != (
        result.metrics["rsum"].low,
        result.metrics["rsum"].high,
    )


def test_protocol_baselines_and_json(world):
    w = world(images=10)
    result = task().evaluate([w.member()], w.rows)
    assert result.protocol["split"] == "test"
    assert result.protocol["images"] == 10
    assert result.protocol["texts"] == 30
    assert result.protocol["texts_per_image"] == 3
    assert result.baselines["chance"][f"{T2I}/recall@1"] == pytest.approx(10)
    assert result.baselines["chance"]["rsum"] == pytest.approx(
        sum(v for name, v in result.baselines["chance"].items() if "recall" in name)
    )
    written = result.to_json()
    assert list(written) == ["task", "protocol", "metrics", "baselines", "leakage", "diagnostics"]
    assert set(written["metrics"][f"{I2T}/recall@1"]) == {
        *("value", "low", "high", "groups"),
        *("unit", "better", "digits"),
    }
    assert written["metrics"][f"{I2T}/mean_rank"]["better"] == "lower"
    assert written["leakage"] is None


def test_leakage_is_carried(world):
    w = world(images=6)
    rows = [RowFacts(r.id, r.group, r.source) for r in w.rows]
    result = task().evaluate([w.member()], w.rows, leakage=audit(rows, rows))
    assert result.to_json()["leakage"]["groups"]["found"] == 6


def test_a_perfect_model_and_a_collapsed_one(world):
    w = world(noise=0.0)
    perfect = task().evaluate([w.member()], w.rows).metrics
    assert perfect["rsum"].value == 600
    assert perfect[f"{I2T}/recall@1"].low < 100
    w.table[1:] = 1.0
    collapsed = task().evaluate([w.member()], w.rows).metrics
    assert collapsed[f"{I2T}/recall@10"].value == 0
    assert collapsed[f"{I2T}/median_rank"].value == 70


def test_pairs_that_repeat_their_image_are_one_image(world):
    w = world()
    pairs = [
        dataclasses.replace(row, id=f"{row.id}-{c}", items={**row.items, "text": text})
        for row in w.rows
        for c, text in enumerate(row.items["text"])
    ]
    whole = task().evaluate([w.member()], w.rows)
    paired = task().evaluate([w.member(pairs)], pairs)
    assert paired.protocol["images"] == 24
    for name, estimate in whole.metrics.items():
        assert paired.metrics[name].value == pytest.approx(estimate.value)


def test_different_pictures_of_a_group_all_stay(world):
    w = world(images=8)
    rows = [dataclasses.replace(row, group=f"pair{n // 2}") for n, row in enumerate(w.rows)]
    result = task().evaluate([w.member(rows)], rows)
    assert result.protocol["images"] == 8
    assert len(result.queries[I2T].groups.unique()) == 4


def test_what_matches_is_right_and_intervals_go_by_group(world):
    """Pictures of one patient: the text of another picture of hers is wrong."""
    w = world(images=8, noise=1.0)
    rows = [
        dataclasses.replace(row, group=f"patient{n // 4}", match=row.group)
        for n, row in enumerate(w.rows)
    ]
    found = task().evaluate([w.member(rows)], rows)
    plain = task().evaluate([w.member()], w.rows)
    for way, queries in found.queries.items():
        assert torch.equal(queries.rank, plain.queries[way].rank)
        assert len(queries.groups.unique()) == 2
    assert found.baselines == plain.baselines
    by_group = [dataclasses.replace(row, match=None) for row in rows]
    lenient = task().evaluate([w.member(by_group)], by_group)
    assert lenient.baselines["chance"]["rsum"] > found.baselines["chance"]["rsum"]


def test_rows_without_a_partner_are_left_out(world):
    w = world(images=8)
    alone = dataclasses.replace(w.rows[0], items={"image": w.pictures[0]})
    rows = [alone, *w.rows[1:]]
    result = task().evaluate([w.member(rows)], rows)
    assert result.protocol["images"] == 7
    assert result.protocol["left_out_without_partner"] == 1


def test_a_stream_that_is_nowhere_is_named(world):
    w = world(images=3)
    with pytest.raises(WeftError, match="no row has 'sound', the rows have: image, label"):
        task(first="sound").evaluate([w.member()], w.rows)


def test_an_unreadable_picture_follows_the_error_policy(world):
    w = world(images=8)
    broken = dataclasses.replace(w.rows[2], items={**w.rows[2].items, "image": b"no"})
    rows = [*w.rows[:2], broken, *w.rows[3:]]
    with pytest.raises(DataError, match="made.jsonl:3: is not a picture"):
        task().evaluate([w.member(rows)], rows)
    lenient = InferenceConfig(errors=ErrorPolicy(mode="skip", limit=0.5))
    result = task(inference=lenient).evaluate([w.member(rows)], rows)
    assert result.protocol["images"] == 7
    assert result.protocol["texts"] == 21
    assert result.protocol["left_out_unreadable"] == 4


def test_an_ensemble_averages_similarities(world):
    w = world(noise=1.0)
    generator = torch.Generator().manual_seed(5)
    other = w.table + torch.randn(w.table.shape, generator=generator)
    other[0] = 0  # the word that says nothing
    members = [w.member(), w.member(weights=other)]
    result = task().evaluate(members, w.rows)
    first = expected_similarity(w)
    w.table = other
    similarity = (first + expected_similarity(w)) / 2
    own = similarity[torch.arange(24).repeat_interleave(3), torch.arange(72)]
    assert torch.equal(result.queries[T2I].rank, 1 + (similarity > own).sum(0))
    assert result.protocol["models"] == 2
    same = task(standardise=True).evaluate([members[0], members[0]], w.rows)
    alone = task().evaluate([members[0]], w.rows)
    assert same.metrics["rsum"].value == pytest.approx(alone.metrics["rsum"].value)


def test_examples_show_right_and_wrong(world):
    w = world(noise=1.0)
    result = task(examples=4).evaluate([w.member()], w.rows)
    similarity = expected_similarity(w)
    for example in result.examples[I2T]:
        answers = [a.entry.row * 3 + a.entry.alternative for a in example.answers]
        assert answers == similarity[example.query.row].topk(5).indices.tolist()
        for answer in example.answers:
            assert answer.right == (answer.entry.row == example.query.row)
    ranks = [example.rank for example in result.examples[I2T]]
    assert ranks[:2] == [1, 1]
    assert min(ranks[2:]) > 1
    assert result.examples[T2I][0].query.alternative is not None


def test_evaluation_leaves_the_model_as_it_was(world):
    w = world(images=4)
    member = w.member()
    member.model.train()
    member.model.encoders["image"].eval()
    task().evaluate([member], w.rows)
    assert member.model.training
    assert not member.model.encoders["image"].training


def test_order_and_batches_do_not_change_embeddings(world):
    w = world()
    member = w.member()
    entries = [Entry("text", row, view) for row in range(24) for view in range(3)]
    embeddings = []
    for batch_size in (1, 7, 100):
        config = InferenceConfig(batch_size=batch_size)
        bad = config.errors.build(24)
        found = embed_entries([member], entries, w.rows, config, bad)
        assert found.entries == tuple(entries)
        embeddings.append(found.vectors[0])
    torch.testing.assert_close(embeddings[0], embeddings[1])
    torch.testing.assert_close(embeddings[0], embeddings[2])


def test_no_member_and_missing_source_are_refused(world):
    w = world(images=3)
    with pytest.raises(ValueError, match="no members"):
        task().evaluate([], w.rows)
    bare = dataclasses.replace(w.member(), sources={})
    with pytest.raises(WeftError, match="unknown stream of the member 'image'"):
        task().evaluate([bare], w.rows)


def third_stream(w):
    """Rows of the world with another text, which two of them lack, and a member that reads it."""
    rows = [
        dataclasses.replace(row, items={**row.items, **({} if n < 2 else {"words": f"{n + 1}"})})
        for n, row in enumerate(w.rows)
    ]
    table = w.table + torch.randn(w.table.shape, generator=torch.Generator().manual_seed(2))
    names = {"image": Pixels(), "text": Numbers(), "words": Numbers()}
    model = Model(
        {"image": Flat(), "text": Lookup(w.table), "words": Lookup(table)},
        projections={name: Pooled() for name in names},
    )
    sources = {s: ModalitySource(rows, s, m, optional=True) for s, m in names.items()}
    return rows, Member(model, sources, Learned(names))


def test_all_pairs_of_several_streams_are_searched_and_each_stream_is_embedded_once(world):
    """The numbers of a pair are those of a search of these two alone."""
    w = world(noise=1.0)
    rows, member = third_stream(w)
    encoded = dict.fromkeys(member.model.encoders, 0)
    for name, encoder in member.model.encoders.items():

        def count(*_, name=name):
            encoded[name] += 1

        encoder.register_forward_hook(count)
    names = ("image", "text", "words")
    config = InferenceConfig(batch_size=100, workers=0)
    found = task(streams=names, inference=config).evaluate([member], rows)
    assert encoded == {"image": 1, "text": 1, "words": 1}
    assert len(found.queries) == 6
    recalls = 0.0
    for first, second in (("image", "text"), ("image", "words"), ("text", "words")):
        alone = task(first=first, second=second, inference=config).evaluate([member], rows)
        for way, queries in alone.queries.items():
            assert torch.equal(found.queries[way].rank, queries.rank)
            name = f"{way}/recall@1"
            assert found.metrics[name].value == alone.metrics[name].value
            assert found.baselines["chance"][name] == alone.baselines["chance"][name]
            recalls += sum(found.metrics[f"{way}/recall@{k}"].value for k in (1, 5, 10))
    assert found.metrics["rsum"].value == pytest.approx(recalls)
    assert set(task(streams=names).metrics) >= {m.metric for m in found.metrics.values()}


def test_streams_that_cannot_be_are_refused():
    for streams in (("image",), ("image", "image", "text")):
        with pytest.raises(ValueError, match="expected two or more different ones"):
            RetrievalConfig(streams=streams)


def test_clips_of_a_film_are_found_by_its_paragraph(world):
    """Of each group the mean of its entries' embeddings is searched, both ways."""
    w = world(noise=1.5)
    films = [n // 4 for n in range(24)]
    rows = [
        dataclasses.replace(row, group=f"film{film}", match=row.id)
        for row, film in zip(w.rows, films, strict=True)
    ]
    member = w.member()
    result = task(by_group=True).evaluate([member], rows)
    pixels = torch.tensor(w.pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    views = [F.normalize(view.flatten(1), dim=-1) for view in (pixels, pixels.flip(-1))]
    clips = F.normalize(views[0] + views[1], dim=-1)
    sentences = F.normalize(w.table[1:], dim=-1)
    means = [F.normalize(one.view(6, 4, -1).mean(1), dim=-1) for one in (clips, sentences)]
    similarity = means[0] @ means[1].T
    for way, scores in ((I2T, similarity), (T2I, similarity.T)):
        ranks = 1 + (scores > scores.diagonal()[:, None]).sum(1)
        assert torch.equal(result.queries[way].rank, ranks)
    assert result.protocol["images"] == result.protocol["texts"] == 6
    assert result.protocol["embedded_images"] == 24
    assert result.protocol["embedded_texts"] == 72
    assert result.protocol["left_out_unreadable"] == 0
