"""Recurrent networks over padded sequences: packed, or masked in the padded mode."""

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from weft.layers.padded import is_padded

Recurrence = nn.GRU | nn.LSTM
States = tuple[Tensor, ...]
"""Hidden states (layers * directions, B, D), and for an LSTM as many cell states."""
Step = Callable[[States, tuple[Tensor, Tensor]], tuple[States, Tensor]]
"""States (B, D) and (input, mask) of one position -> the next states, and the output."""


def recur(
    network: Recurrence,
    inputs_BTE: Tensor,
    mask_BT: Tensor | None = None,
    states: States | None = None,
) -> tuple[Tensor, States]:
    """Returns outputs (B, T, D) of the top layer, zero in the padding, and the last states of every layer.

    network: batch_first. mask_BT: True where real, None if all are. Padding is skipped wherever it lies; its inputs
    may be any numbers but NaN. states: before the first token, zeros by default. Do not use the last states of a row
    without tokens.
    """
    static = is_padded() or 0 in inputs_BTE.shape
    if mask_BT is None:
        if not static:
            return _run(network, inputs_BTE, states)
        mask_BT = torch.ones(inputs_BTE.shape[:2], dtype=torch.bool, device=inputs_BTE.device)
    outputs_BTD, last = (_masked if static else _packed)(network, inputs_BTE, mask_BT, states)
    return outputs_BTD.masked_fill(~mask_BT[..., None], 0), last


def _run(
    network: Recurrence, inputs: Tensor | PackedSequence, states: States | None
) -> tuple[Any, States]:
    """Runs the network itself. An LSTM has a pair of states, a GRU one tensor."""
    given = states[0] if states is not None and len(states) == 1 else states
    outputs, last = network(inputs, given)
    return outputs, last if isinstance(last, tuple) else (last,)


def _packed(
    network: Recurrence, inputs_BTE: Tensor, mask_BT: Tensor, states: States | None
) -> tuple[Tensor, States]:
    order_BT = None
    if bool((mask_BT[:, 1:] & ~mask_BT[:, :-1]).any()):  # padding before or between real tokens
        order_BT = (~mask_BT).int().argsort(dim=1, stable=True)
        inputs_BTE = inputs_BTE.take_along_dim(order_BT[..., None], dim=1)
    # A recurrence needs at least one token in each row; empty rows read a zero.
    lengths = mask_BT.sum(dim=1).clamp_min(1).cpu()
    packed = pack_padded_sequence(inputs_BTE, lengths, batch_first=True, enforce_sorted=False)
    outputs, last = _run(network, packed, states)
    outputs_BTD, _ = pad_packed_sequence(outputs, batch_first=True, total_length=mask_BT.shape[1])
    if order_BT is not None:  # restores the order: `order` holds the original position of each
        index_BTD = order_BT[..., None].expand_as(outputs_BTD)
        outputs_BTD = torch.zeros_like(outputs_BTD).scatter(1, index_BTD, outputs_BTD)
    return outputs_BTD, last


def _masked(
    network: Recurrence, inputs_BTE: Tensor, mask_BT: Tensor, states: States | None
) -> tuple[Tensor, States]:
    """Steps through the positions; states do not change at padding."""
    kinds = 2 if isinstance(network, nn.LSTM) else 1
    directions = 2 if network.bidirectional else 1
    rows = inputs_BTE.shape[0]
    last: list[States] = []
    for layer in range(network.num_layers):
        outputs: list[Tensor] = []
        for direction in range(directions):
            number = layer * directions + direction
            if states is None:
                # An LSTM needs two separate tensors: an exported scan would merge one that occurs
                # twice.
                first: States = tuple(
                    inputs_BTE.new_zeros(rows, network.hidden_size) for _ in range(kinds)
                )
            else:
                first = tuple(state[number] for state in states)
            weights = cast(list[Tensor], network.all_weights[number])
            output_BTD, after = _one_way(
                weights, inputs_BTE, mask_BT, first, reverse=direction == 1
            )
            outputs.append(output_BTD)
            last.append(after)
        inputs_BTE = torch.cat(outputs, dim=2)
        if layer + 1 < network.num_layers:
            inputs_BTE = F.dropout(inputs_BTE, network.dropout, network.training)
    return inputs_BTE, tuple(torch.stack(kind) for kind in zip(*last, strict=True))


def _one_way(
    weights: list[Tensor], inputs_BTE: Tensor, mask_BT: Tensor, first: States, *, reverse: bool
) -> tuple[Tensor, States]:
    """Runs one layer in one direction: outputs (B, T, D) and the last states (B, D)."""
    of_inputs, of_states, *biases = weights
    input_bias, state_bias = biases or (None, None)
    gates_BTG = F.linear(inputs_BTE, of_inputs, input_bias)
    cell = _lstm if len(first) == 2 else _gru

    def step(states: States, place: tuple[Tensor, Tensor]) -> tuple[States, Tensor]:
        gates_BG, mask_B = place
        computed = cell(states, gates_BG, F.linear(states[0], of_states, state_bias))
        kept = tuple(
            torch.where(mask_B[:, None], new, old)
            for new, old in zip(computed, states, strict=True)
        )
        return kept, kept[0].clone()

    over = _scan if torch.compiler.is_compiling() and mask_BT.shape[1] != 1 else _loop
    return over(step, first, (gates_BTG, mask_BT), reverse=reverse)


def _loop(
    step: Step, states: States, places: tuple[Tensor, Tensor], *, reverse: bool
) -> tuple[Tensor, States]:
    """Runs `step` over (B, T, ...) inputs and mask in a loop: outputs (B, T, D) and the last states."""
    inputs_TBG, mask_TB = (part.transpose(0, 1) for part in places)
    length = inputs_TBG.shape[0]
    found: list[Tensor] = []
    for place in range(length)[:: -1 if reverse else 1]:
        states, output_BD = step(states, (inputs_TBG[place], mask_TB[place]))
        found.append(output_BD)
    if not found:
        return states[0].new_zeros(states[0].shape[0], 0, states[0].shape[1]), states
    return torch.stack(found[:: -1 if reverse else 1], dim=1), states


def _scan(
    step: Step, states: States, places: tuple[Tensor, Tensor], *, reverse: bool
) -> tuple[Tensor, States]:
    """The same as one node of a graph, for any length. A prototype in torch, used only for compiling and export."""
    from torch._higher_order_ops import scan

    inputs = tuple(part.transpose(0, 1) for part in places)
    last, outputs_TBD = scan(step, states, inputs, reverse=reverse)
    return outputs_TBD.transpose(0, 1), last


def _lstm(states: States, of_input_BG: Tensor, of_state_BG: Tensor) -> States:
    """Hochreiter & Schmidhuber 1997 with a forget gate, as torch.nn.LSTM."""
    taken, kept, new, shown = (of_input_BG + of_state_BG).chunk(4, dim=1)
    cell_BD = torch.sigmoid(kept) * states[1] + torch.sigmoid(taken) * torch.tanh(new)
    return torch.sigmoid(shown) * torch.tanh(cell_BD), cell_BD


def _gru(states: States, of_input_BG: Tensor, of_state_BG: Tensor) -> States:
    """Cho et al. 2014, arXiv:1406.1078, with the reset gate after the product, as torch.nn.GRU."""
    reset, kept, new = of_input_BG.chunk(3, dim=1)
    reset_state, kept_state, new_state = of_state_BG.chunk(3, dim=1)
    kept_BD = torch.sigmoid(kept + kept_state)
    new_BD = torch.tanh(new + torch.sigmoid(reset + reset_state) * new_state)
    return (new_BD + kept_BD * (states[0] - new_BD),)
