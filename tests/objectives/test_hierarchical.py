"""Contrast of clips, films and tokens, against each written out row by row."""

import tiny_objectives as tiny
import torch
import torch.nn.functional as F

from weft.objectives.hierarchical import HierarchicalContrastiveConfig
from weft.objectives.temperature import TemperatureConfig

FILMS = (0, 1, 1, 2, 2, 2)
COLD = TemperatureConfig(init=0.2)


def loss_of(config: HierarchicalContrastiveConfig, rows):
    reader = tiny.model()
    return config.build()(reader, rows, tiny.streams(reader, rows)), reader


def contrast(cosines: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
    """The mean of both directions' cross-entropies with even targets."""
    both = []
    for logits, right in ((cosines / 0.2, positives), (cosines.T / 0.2, positives.T)):
        rows = [-(logit.log_softmax(0)[r]).mean() for logit, r in zip(logits, right, strict=True)]
        both.append(torch.stack(rows).mean())
    return torch.stack(both).mean()


def test_films_are_the_means_of_their_clips() -> None:
    rows = tiny.batch(FILMS)
    config = HierarchicalContrastiveConfig(("image", "text"), clip=0.0, video=1.0, temperature=COLD)
    loss, reader = loss_of(config, rows)
    films = []
    for stream in ("image", "text"):
        clips = reader.embed(stream, reader.encode(stream, rows.inputs[stream]))
        means = [clips[torch.tensor(FILMS) == film].mean(0) for film in range(3)]
        films.append(F.normalize(torch.stack(means), dim=-1))
    torch.testing.assert_close(
        loss.total, contrast(films[0] @ films[1].T, torch.eye(3, dtype=torch.bool))
    )
    assert set(loss.terms) == {"video", "video_temperature", "video_accuracy"}


def test_a_film_without_one_of_the_streams_is_left_out() -> None:
    config = HierarchicalContrastiveConfig(("image", "text"), clip=0.0, temperature=COLD)
    lacking = tiny.without(tiny.batch(FILMS), "text", [1, 2])
    found, _ = loss_of(config, lacking)
    expected, _ = loss_of(config, tiny.batch(FILMS).take(torch.tensor([0, 3, 4, 5])))
    torch.testing.assert_close(found.total, expected.total)
    # Of a film that has both streams each is pooled over the clips that have it.
    partly, _ = loss_of(config, tiny.without(tiny.batch(FILMS), "text", [1]))
    assert not torch.allclose(partly.total, expected.total)


def test_tokens_meet_their_nearest_of_the_other_stream() -> None:
    rows = tiny.batch()
    config = HierarchicalContrastiveConfig(
        ("image", "text"), clip=0.0, video=0.0, token=2.0, temperature=COLD
    )
    loss, reader = loss_of(config, rows)
    tokens = {}
    for stream in ("image", "text"):
        features = reader.encode(stream, rows.inputs[stream])
        layers = reader.projections[stream].layers
        tokens[stream] = [
            F.normalize(layers(one[real]), dim=-1)
            for one, real in zip(features.tokens, features.mask, strict=True)
        ]

    def cosines(asks: str, answers: str) -> torch.Tensor:
        return torch.stack(
            [
                torch.stack([(one @ other.T).amax(1).mean() for other in tokens[answers]])
                for one in tokens[asks]
            ]
        )

    own = torch.arange(6)
    ways = (cosines("image", "text"), cosines("text", "image"))
    expected = sum(F.cross_entropy(way / 0.2, own) for way in ways) / 2
    torch.testing.assert_close(loss.total, 2 * expected)


def test_levels_add_up_with_their_weights() -> None:
    rows = tiny.batch(FILMS)
    weighted = HierarchicalContrastiveConfig(("image", "text"), clip=0.5, video=2.0, token=0.25)
    loss, _ = loss_of(weighted, rows)
    parts = 0.5 * loss.terms["clip"] + 2 * loss.terms["video"] + 0.25 * loss.terms["token"]
    torch.testing.assert_close(loss.total, parts)
