"""Weights of several query streams that search together: how much each tells of the stream that is searched.

With contrast between pairs of streams, cosine / temperature is the logit of an entry, given one stream. If the streams are
independent given the entry, the logits of several add up (product of experts: Hinton 2002, Neural Computation 14,
equation 1). The temperature of each stream differs, as a stream that tells little should count little.
"""

import torch
from torch import Tensor

STEPS = 30
PENALTY = 1e-5
"""Of the squared weights, so that they stay finite where every row is found or a stream always says the same."""


def query_weights(similarities_SQN: Tensor, right_QN: Tensor) -> Tensor:
    """(S,) float64 weights of S query streams, of which the largest is 1, by maximum likelihood of the right entries.

    similarities_SQN: of each stream of Q queries to N entries. right_QN: bool, at least one True in each row. The logits
    are the weighted sum of the similarities. The likelihood, less a small penalty of large weights, is concave, and Newton
    steps find its maximum. A weight below 0 becomes 0. Weights are equal if no stream is better than chance.
    """
    similarities = similarities_SQN.double()
    share_QN = right_QN.double() / right_QN.sum(1, keepdim=True)
    wanted_S = (similarities * share_QN).sum(2).mean(1)
    weights_S = similarities.new_zeros(len(similarities))
    likelihood = -torch.inf
    step_S = weights_S
    for _ in range(STEPS):
        logits_QN = torch.einsum("s,sqn->qn", weights_S, similarities)
        penalty = PENALTY / 2 * weights_S.square().sum()
        found = float((weights_S * wanted_S).sum() - logits_QN.logsumexp(1).mean() - penalty)
        if found < likelihood:  # too far: half of the step
            step_S = step_S / 2
            weights_S = weights_S - step_S
            continue
        likelihood = found
        chance_QN = logits_QN.softmax(1)
        expected_SQ = torch.einsum("qn,sqn->sq", chance_QN, similarities)
        products_SS = torch.einsum("qn,sqn,tqn->st", chance_QN, similarities, similarities)
        curvature_SS = (products_SS - expected_SQ @ expected_SQ.T) / expected_SQ.shape[1]
        curvature_SS = curvature_SS + PENALTY * torch.eye(len(weights_S)).to(curvature_SS)
        slope_S = wanted_S - expected_SQ.mean(1) - PENALTY * weights_S
        step_S = torch.linalg.solve(curvature_SS, slope_S)
        if float(step_S.abs().max()) <= 1e-6 * float(1 + weights_S.abs().max()):
            break
        weights_S = weights_S + step_S
    weights_S = weights_S.clamp_min(0)
    largest = weights_S.max()
    return weights_S / largest if largest > 0 else torch.ones_like(weights_S)
