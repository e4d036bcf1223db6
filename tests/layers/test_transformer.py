import pytest
import torch
from torch import nn

from weft.layers.packing import Packing
from weft.layers.transformer import ResidualDropout, Transformer, TransformerConfig, activate

CONFIGS = [
    TransformerConfig(dim=16, depth=2, heads=4),
    TransformerConfig(dim=16, depth=2, heads=2, norm="post", activation="relu"),
    TransformerConfig(dim=16, depth=2, heads=4, causal=True, activation="quick_gelu"),
]


def built(config: TransformerConfig) -> Transformer:
    torch.manual_seed(0)
    return config.build().eval()


def run(stack: Transformer, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    packing = Packing.of(mask)
    return packing.unpack(stack(packing.pack(tokens), packing))


@pytest.mark.parametrize("config", CONFIGS)
def test_alone_padded_reordered_and_beside_nan_are_the_same(config: TransformerConfig) -> None:
    stack = built(config)
    lengths = [5, 2, 5, 1]
    mask = torch.arange(6)[None] < torch.tensor(lengths)[:, None]
    tokens = torch.randn(4, 6, 16).masked_fill(~mask[:, :, None], torch.nan)
    together = run(stack, tokens, mask)
    assert together.isfinite().all()
    for row, length in enumerate(lengths):
        alone = run(stack, tokens[row : row + 1, :length], mask[row : row + 1, :length])
        torch.testing.assert_close(alone[0], together[row, :length], atol=1e-5, rtol=0)
    order = torch.tensor([3, 1, 0, 2])
    torch.testing.assert_close(
        run(stack, tokens[order], mask[order]), together[order], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("config", CONFIGS)
def test_parity_with_torch_encoder_values_and_gradients(config: TransformerConfig) -> None:
    if config.activation == "quick_gelu":
        config = config.replace(activation="gelu")
    stack = built(config)
    layer = nn.TransformerEncoderLayer(
        config.dim,
        config.heads,
        config.hidden,
        dropout=0.0,
        activation=config.activation,
        norm_first=config.norm == "pre",
        batch_first=True,
    )
    reference = nn.TransformerEncoder(layer, config.depth, enable_nested_tensor=False)
    names = {
        "self_attn.in_proj_": "attention.qkv.",
        "self_attn.out_proj.": "attention.out.",
        "linear1.": "fc1.",
        "linear2.": "fc2.",
    }
    state = stack.blocks.state_dict()
    mapped = {}
    for key in reference.layers.state_dict():
        ours = key
        for theirs, name in names.items():
            ours = ours.replace(theirs, name)
        mapped[key] = state[ours]
    reference.layers.load_state_dict(mapped)
    mask = torch.arange(6)[None] < torch.tensor([6, 3, 4])[:, None]
    tokens = torch.randn(3, 6, 16)
    causal = nn.Transformer.generate_square_subsequent_mask(6) if config.causal else None
    padding = torch.zeros(3, 6).masked_fill(~mask, -torch.inf)
    inputs = [tokens.clone().requires_grad_() for _ in range(2)]
    wanted = reference(inputs[0], mask=causal, src_key_padding_mask=padding)
    got = run(stack, inputs[1], mask)
    torch.testing.assert_close(got[mask], wanted[mask], atol=1e-5, rtol=0)
    weight = torch.randn(int(mask.sum()), 16)
    (wanted[mask] * weight).sum().backward()
    (got[mask] * weight).sum().backward()
    torch.testing.assert_close(inputs[1].grad, inputs[0].grad, atol=1e-5, rtol=1e-5)
    for theirs, ours in (("linear1.weight", "fc1.weight"), ("norm2.bias", "norm2.bias")):
        torch.testing.assert_close(
            stack.blocks[0].get_parameter(ours).grad,
            reference.layers[0].get_parameter(theirs).grad,
            atol=1e-4,
            rtol=1e-4,
        )


def test_a_batch_without_any_token_gives_an_empty_output() -> None:
    stack = built(CONFIGS[0])
    mask = torch.zeros(2, 3, dtype=torch.bool)
    assert torch.equal(run(stack, torch.full((2, 3, 16), torch.nan), mask), torch.zeros(2, 3, 16))


def test_causal_tokens_do_not_see_later_ones() -> None:
    stack = built(CONFIGS[2])
    mask = torch.ones(1, 5, dtype=torch.bool)
    tokens = torch.randn(1, 5, 16)
    changed = tokens.clone()
    changed[:, 3:] = 7.0
    before, after = run(stack, tokens, mask), run(stack, changed, mask)
    torch.testing.assert_close(after[:, :3], before[:, :3], atol=1e-6, rtol=0)
    assert (after[:, 3:] - before[:, 3:]).abs().max() > 1e-2


def test_drop_path_drops_whole_sequences_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = ResidualDropout(0.0, 0.25)
    packing = Packing.of(torch.arange(3)[None] < torch.tensor([3, 2] * 500)[:, None])
    branch = packing.unpack(drop(torch.ones(len(packing.positions()), 1), packing))[:, :, 0]
    assert sorted(set(branch[:, 0].tolist())) == pytest.approx([0.0, 4 / 3])
    assert torch.equal(branch[:, 0], branch[:, 1])
    assert branch[:, 0].mean().item() == pytest.approx(1.0, abs=0.1)
    assert torch.equal(drop.eval()(torch.ones(4, 1), packing), torch.ones(4, 1))


def test_dropout_works_in_training_only() -> None:
    stack = built(CONFIGS[0].replace(dropout=0.5, attention_dropout=0.5))
    mask = torch.ones(1, 4, dtype=torch.bool)
    tokens = torch.randn(1, 4, 16)
    assert torch.equal(run(stack, tokens, mask), run(stack, tokens, mask))
    stack.train()
    assert not torch.allclose(run(stack, tokens, mask), run(stack, tokens, mask))


def test_layers_can_be_run_in_two_parts() -> None:
    stack = built(CONFIGS[0])
    packing = Packing.of(torch.tensor([[True, True, False]]))
    tokens = torch.randn(2, 16)
    halves = stack(stack(tokens, packing, slice(1)), packing, slice(1, None))
    assert torch.equal(halves, stack(tokens, packing))


def test_activations() -> None:
    values = torch.linspace(-3, 3, 7)
    assert torch.equal(activate(values, "relu"), values.clamp_min(0))
    assert (activate(values, "quick_gelu") - activate(values, "gelu")).abs().max() < 0.03
    assert 0 < (activate(values, "gelu_tanh") - activate(values, "gelu")).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"heads": 3}, "heads is 3, expected a divisor"), ({"dropout": 1.0}, "dropout is 1.0")],
)
def test_impossible_settings_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CONFIGS[0].replace(**changes)
