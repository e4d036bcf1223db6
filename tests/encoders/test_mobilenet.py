import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.mobilenet import MobileNetV2, MobileNetV2Config

SharedData = Callable[[str], Path]
FOLDED = "mobilenet_v2_1.0_224_folded_fp16.safetensors"


def images(count: int = 2, size: int = 64) -> Field:
    generator = torch.Generator().manual_seed(0)
    return Field(
        torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)
    )


def hugging_face(encoder: MobileNetV2, tf_padding: bool) -> torch.nn.Module:
    """transformers' MobileNetV2Model with the weights of `encoder`."""
    from transformers import MobileNetV2Config as TheirConfig
    from transformers import MobileNetV2Model

    config = TheirConfig(tf_padding=tf_padding, layer_norm_eps=1e-5)
    model = MobileNetV2Model(config, add_pooling_layer=True).eval()
    ours = encoder.features.state_dict()
    # The stem holds the first, unexpanded block; then 16 blocks; then the last convolution.
    pairs = {
        "conv_stem.first_conv": ("0.0", "0.1"),
        "conv_stem.conv_3x3": ("1.conv.0.0", "1.conv.0.1"),
        "conv_stem.reduce_1x1": ("1.conv.1", "1.conv.2"),
        "conv_1x1": ("18.0", "18.1"),
    }
    for layer in range(16):
        block = f"{layer + 2}.conv"
        pairs[f"layer.{layer}.expand_1x1"] = (f"{block}.0.0", f"{block}.0.1")
        pairs[f"layer.{layer}.conv_3x3"] = (f"{block}.1.0", f"{block}.1.1")
        pairs[f"layer.{layer}.reduce_1x1"] = (f"{block}.2", f"{block}.3")
    mapped = {}
    for theirs, (conv, norm) in pairs.items():
        for key, value in ours.items():
            place, _, name = key.rpartition(".")
            if place == conv:
                mapped[f"{theirs}.convolution.{name}"] = value
            elif place == norm:
                mapped[f"{theirs}.normalization.{name}"] = value
    model.load_state_dict(mapped)
    return model


def test_batchnorm_form_agrees_with_transformers() -> None:
    torch.manual_seed(0)
    encoder = MobileNetV2Config(form="batchnorm").build()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    encoder.eval()
    model = hugging_face(encoder, tf_padding=False)
    field = images()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (field.values / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.no_grad():
        wanted, got = model(pixels), encoder(field)
    grid = wanted.last_hidden_state.flatten(2).transpose(1, 2)
    assert grid.abs().max() > 0.1
    torch.testing.assert_close(got.tokens, grid, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(got.pooled, wanted.pooler_output, atol=1e-5, rtol=1e-5)


def test_folded_form_is_the_batchnorm_form_folded_with_tensorflow_padding() -> None:
    torch.manual_seed(0)
    normed = MobileNetV2Config(form="batchnorm").build().eval()
    folded = MobileNetV2Config(form="folded").build().eval()
    state = dict(normed.state_dict())
    # At initialization BatchNorm only divides by sqrt(1 + eps).
    for key in folded.state_dict():
        if key.endswith(".bias"):
            state[key] = torch.zeros_like(folded.state_dict()[key])
        else:
            state[key] = state[key] * (1 + 1e-5) ** -0.5
    folded.load_state_dict({key: state[key] for key in folded.state_dict()})
    model = hugging_face(normed, tf_padding=True)
    field = images()
    with torch.no_grad():
        wanted, got = model(field.values / 127.5 - 1), folded(field)
    torch.testing.assert_close(got.pooled, wanted.pooler_output, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(
        got.tokens, wanted.last_hidden_state.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-5
    )


def test_torchvision_keys() -> None:
    keys = MobileNetV2Config(form="batchnorm", classes="logits").build().state_dict()
    assert len(keys) == 314
    assert (
        sum(v.numel() for k, v in keys.items() if not k.endswith(("_mean", "_var", "_tracked")))
        == 3_504_872
    )
    shapes = {
        "features.0.0.weight": (32, 3, 3, 3),
        "features.0.1.running_var": (32,),
        "features.1.conv.0.0.weight": (32, 1, 3, 3),
        "features.1.conv.1.weight": (16, 32, 1, 1),
        "features.1.conv.2.bias": (16,),
        "features.17.conv.2.weight": (320, 960, 1, 1),
        "features.17.conv.3.num_batches_tracked": (),
        "features.18.0.weight": (1280, 320, 1, 1),
        "features.18.1.weight": (1280,),
        "classifier.1.weight": (1000, 1280),
    }
    assert {key: tuple(keys[key].shape) for key in shapes} == shapes


def test_real_weights_know_dogs(shared_data: SharedData) -> None:
    folder = shared_data("mobilenet_v2")
    flickr = shared_data("flickr8k")
    labels = json.loads((folder / "imagenet_labels.json").read_text())
    # ILSVRC 2012 orders its classes so that 151 to 268 are the dog breeds.
    assert labels[151] == "Chihuahua"
    assert labels[268] == "Mexican hairless"
    rows = [json.loads(line) for line in (flickr / "captions.jsonl").read_text().splitlines()]
    test_rows = [row for row in rows if row["split"] == "test"]
    named = [
        all("dog" in caption.lower().split() for caption in row["captions"]) for row in test_rows
    ]
    chosen = [row for row, dog in zip(test_rows, named, strict=True) if dog][:60]
    pixels = np.stack(
        [np.asarray(Image.open(flickr / "images" / row["image"]).convert("RGB")) for row in chosen]
    )
    encoder = (
        MobileNetV2Config(weights=str(folder / FOLDED), classes="probabilities").build().eval()
    )
    with torch.no_grad():
        pooled = encoder(Field(torch.from_numpy(pixels).permute(0, 3, 1, 2))).pooled
    assert pooled.shape == (60, 2280)
    probabilities = pooled[:, 1280:]
    torch.testing.assert_close(probabilities.sum(1), torch.ones(60))
    best = probabilities.argmax(1)
    assert ((best >= 151) & (best <= 268)).float().mean() >= 0.65


def test_class_logits_at_the_grid_average_to_the_pooled_ones() -> None:
    encoder = MobileNetV2Config(classes="logits", width=0.35).build().eval()
    assert encoder.dim == 2280
    features = encoder(images())
    torch.testing.assert_close(features.tokens.mean(1), features.pooled, atol=1e-5, rtol=1e-5)


def test_weights_without_head_load_and_wrong_ones_are_named(tmp_path: Path) -> None:
    config = MobileNetV2Config(width=0.35, classes="logits")
    whole = config.build()
    path = tmp_path / "weights.safetensors"
    state = {k: v.contiguous() for k, v in whole.state_dict().items()}
    save_file(state, path)
    headless = config.replace(classes="none", weights=str(path)).build()
    assert torch.equal(headless.features[0][0].weight, whole.features[0][0].weight)
    with pytest.raises(
        WeftError, match=r"weights.safetensors: does not fit .* of other shape: .* \(expected "
    ):
        MobileNetV2Config(width=0.5, weights=str(path)).build()
    renamed = {("other" if k == "features.0.0.weight" else k): v for k, v in state.items()}
    save_file(renamed, path)
    with pytest.raises(WeftError, match=r"1 missing: features.0.0.weight; 1 unexpected: other"):
        config.replace(weights=str(path)).build()
    path.write_bytes(b"\x80\x04pickle?")
    with pytest.raises(WeftError, match="is not a readable safetensors file"):
        config.replace(weights=str(path)).build()
    with pytest.raises(WeftError, match="no such file"):
        config.replace(weights=str(tmp_path / "absent")).build()


@pytest.mark.parametrize("layers", [0, 7, 18, 19])
def test_cut_anywhere_it_gives_the_same(layers: int) -> None:
    torch.manual_seed(0)
    encoder = MobileNetV2Config(width=0.25).build().eval()
    whole = encoder(images())
    found = encoder.upper(encoder.lower(images(), layers), layers)
    torch.testing.assert_close(found.tokens, whole.tokens)
    torch.testing.assert_close(found.pooled, whole.pooled)
    lower = {id(p) for part in encoder.lower_parts(layers) for p in part.parameters()}
    assert lower == {
        id(p) for n, p in encoder.features.named_parameters() if int(n.split(".")[0]) < layers
    }


def test_only_the_grid_of_a_square_can_be_kept() -> None:
    encoder = MobileNetV2Config(width=0.25).build()
    with pytest.raises(ValueError, match="square"):
        encoder.lower(Field(torch.zeros(1, 3, 64, 32, dtype=torch.uint8)), 18)
