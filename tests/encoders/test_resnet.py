from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from weft.core.records import Field
from weft.encoders.resnet import BOTTLENECKS, STAGES, ResNet, ResNetConfig


def hugging_face(encoder: ResNet, depth: int, width: int) -> torch.nn.Module:
    """transformers' ResNetModel with the weights of `encoder`."""
    from transformers import ResNetConfig as TheirConfig
    from transformers import ResNetModel

    bottleneck = depth in BOTTLENECKS
    config = TheirConfig(
        embedding_size=width,
        hidden_sizes=[width * 2**stage * (4 if bottleneck else 1) for stage in range(4)],
        depths=list(STAGES[depth]),
        layer_type="bottleneck" if bottleneck else "basic",
    )
    names = {"conv1": "embedder.embedder.convolution", "bn1": "embedder.embedder.normalization"}
    for stage, count in enumerate(STAGES[depth]):
        for block in range(count):
            ours = f"layer{stage + 1}.{block}"
            theirs = f"encoder.stages.{stage}.layers.{block}"
            for part in range(3):
                names[f"{ours}.conv{part + 1}"] = f"{theirs}.layer.{part}.convolution"
                names[f"{ours}.bn{part + 1}"] = f"{theirs}.layer.{part}.normalization"
            names[f"{ours}.downsample.0"] = f"{theirs}.shortcut.convolution"
            names[f"{ours}.downsample.1"] = f"{theirs}.shortcut.normalization"
    model = ResNetModel(config).eval()
    model.load_state_dict(
        {
            f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": value
            for key, value in encoder.state_dict().items()
        }
    )
    return model


@pytest.mark.parametrize("depth", [18, 50])
def test_parity_with_transformers(depth: int) -> None:
    torch.manual_seed(0)
    encoder = ResNetConfig(depth=depth, width=8).build()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.5)
            torch.nn.init.uniform_(module.weight, 0.3, 0.8)
            torch.nn.init.normal_(module.bias, std=0.1)
    encoder.eval()
    pixels = torch.randint(0, 256, (2, 3, 64, 96), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        wanted = hugging_face(encoder, depth, 8)(
            (pixels / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
        )
        got = encoder(Field(pixels))
    grid = wanted.last_hidden_state.flatten(2).transpose(1, 2)
    assert grid.abs().max() > 0.1
    torch.testing.assert_close(got.tokens, grid, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.pooled, wanted.pooler_output.flatten(1), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("depth", "dim", "keys", "parameters"),
    [
        (18, 512, 120, 11_176_512),
        (34, 512, 216, 21_284_672),
        (50, 2048, 318, 23_508_032),
        (101, 2048, 624, 42_500_160),
    ],
)
def test_torchvision_keys(depth: int, dim: int, keys: int, parameters: int) -> None:
    with torch.device("meta"):
        encoder = ResNetConfig(depth=depth).build()
    state = encoder.state_dict()
    assert encoder.dim == dim
    assert len(state) == keys
    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert tuple(state["conv1.weight"].shape) == (64, 3, 7, 7)
    assert tuple(state["layer2.0.downsample.0.weight"].shape)[2:] == (1, 1)
    assert "layer2.0.downsample.1.num_batches_tracked" in state
    assert "layer1.1.downsample.0.weight" not in state
    assert ("layer1.0.downsample.0.weight" in state) == (depth in BOTTLENECKS)
    last = "conv3" if depth in BOTTLENECKS else "conv2"
    assert state[f"layer4.{STAGES[depth][3] - 1}.{last}.weight"].shape[0] == dim


def test_weights_with_a_classifier_load(tmp_path: Path) -> None:
    config = ResNetConfig(width=8)
    state = {key: value.contiguous() for key, value in config.build().state_dict().items()}
    state |= {"fc.weight": torch.zeros(1000, 64), "fc.bias": torch.zeros(1000)}
    # Files from before torch counted BatchNorm's batches have no such entry.
    state = {key: value for key, value in state.items() if not key.endswith("tracked")}
    path = tmp_path / "resnet.safetensors"
    save_file(state, path)
    loaded = config.replace(weights=str(path)).build()
    assert torch.equal(loaded.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
