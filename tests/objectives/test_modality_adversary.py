"""The classifier of modalities descends its loss, the embeddings climb it: the gradient is turned round between them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from weft.core.records import ACCURACY, Batch, Field, Loss
from weft.objectives.modality_adversary import ModalityAdversary, ModalityAdversaryConfig, apart_of

STREAMS, ROWS, DIM = ("image", "text"), 5, 4
TEXTS = torch.tensor([True, True, False, True, False])


def embedded() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {s: torch.randn(ROWS, DIM, generator=generator).requires_grad_() for s in STREAMS}


def adversary(strength: float) -> ModalityAdversary:
    torch.manual_seed(1)
    return ModalityAdversaryConfig(DIM, STREAMS, hidden=(3,), strength=strength).build()


def loss(objective: ModalityAdversary, embeddings: dict[str, Tensor]) -> Loss:
    """Of rows two of which lack the text."""
    values = torch.zeros(ROWS, 1)
    inputs = {"image": Field(values), "text": Field(values, present=TEXTS)}
    batch = Batch(inputs=inputs, ids=tuple("abcde"), groups=torch.arange(ROWS))
    streams: Any = SimpleNamespace(embedding=embeddings.__getitem__)
    found: Loss = objective(None, batch, streams)
    return found


@pytest.mark.parametrize("strength", [0.0, 0.5, 2.0])
def test_embeddings_climb_what_the_classifier_descends(strength: float) -> None:
    objective, embeddings, plain = adversary(strength), embedded(), embedded()
    found = loss(objective, embeddings)
    found.total.backward()
    of_classifier = [p.grad.clone() for p in objective.parameters() if p.grad is not None]
    objective.zero_grad()
    logits = objective.layers(torch.cat([plain["image"], plain["text"][TEXTS]]))
    labels = torch.tensor([0] * ROWS + [1] * int(TEXTS.sum()))
    cost = F.cross_entropy(logits, labels)
    torch.testing.assert_close(found.total, cost)
    cost.backward()
    for gradient, parameter in zip(of_classifier, objective.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad)
    for stream in STREAMS:
        wanted = plain[stream].grad
        assert wanted is not None
        assert wanted.any()
        torch.testing.assert_close(embeddings[stream].grad, -strength * wanted)
    right = (logits.argmax(1) == labels).float().mean()
    torch.testing.assert_close(found.terms[ACCURACY], right)


def test_an_embedding_that_a_row_lacks_is_not_told() -> None:
    embeddings = embedded()
    loss(adversary(1.0), embeddings).total.backward()
    gradient = embeddings["text"].grad
    assert gradient is not None
    assert not gradient[~TEXTS].any()


def test_matching_draws_the_means_together_and_nothing_else() -> None:
    rows = [torch.tensor([[0.0, 4.0], [2.0, 0.0]]), torch.tensor([[5.0, 2.0]]), torch.empty(0, 2)]
    rows = [one.requires_grad_() for one in rows]
    apart = apart_of(rows)
    assert apart.item() == 4.0  # the means are (1, 2) and (5, 2), nobody has the third stream
    apart.backward()
    first, second, third = (one.grad for one in rows)
    torch.testing.assert_close(first, torch.tensor([[-1.0, 0.0], [-1.0, 0.0]]))
    torch.testing.assert_close(second, torch.tensor([[2.0, 0.0]]))
    assert third is None or not third.any()


def test_matching_is_added_to_the_classifiers_loss() -> None:
    objective, embeddings = adversary(1.0), embedded()
    plain = loss(objective, embeddings)
    objective.config = ModalityAdversaryConfig(DIM, STREAMS, hidden=(3,), matching=2.0)
    found = loss(objective, embeddings)
    apart = apart_of([embeddings["image"], embeddings["text"][TEXTS]])
    torch.testing.assert_close(found.terms["apart"], apart.detach())
    torch.testing.assert_close(found.total, plain.total + 2 * apart)


@pytest.mark.parametrize("streams", [("image",), ("image", "image", "text")])
def test_streams_are_different_ones(streams: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected two or more different ones"):
        ModalityAdversaryConfig(DIM, streams)
