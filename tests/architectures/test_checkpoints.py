"""Models of transformers with random weights, read from their files: ours computes the same."""

import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import pytest
import torch
from published import IDS, SIZES, assert_same_tokens, fused, images, ours, regions, shaken
from torch import Tensor

import weft.architectures.checkpoints
from weft.architectures.checkpoints import checkpoints, read_checkpoint
from weft.architectures.model import ModelConfig
from weft.core import config as configs
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Field
from weft.core.tensors import load_built
from weft.objectives.masked import MaskedLanguageConfig

VILT = {**SIZES, "image_size": 16, "patch_size": 4}


def their_inputs(image: Field) -> dict[str, Tensor]:
    return {
        "input_ids": IDS,
        "attention_mask": (IDS > 0).long(),
        "pixel_values": image.values / 127.5 - 1,
    }


@pytest.fixture
def patches_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers draws an order for the patches; none is as good as any."""
    monkeypatch.setattr(torch, "multinomial", lambda weights, count, **_: torch.arange(int(count)))


def test_every_architecture_is_tested_here() -> None:
    files = {info.name for info in pkgutil.iter_modules(weft.architectures.checkpoints.__path__)}
    found = {name for name in files if not name.startswith("_")}
    kinds = {
        importlib.import_module(f"weft.architectures.checkpoints.{name}").MODEL_TYPE
        for name in found
    }
    assert kinds == checkpoints().keys()
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_checkpoints*.py"))
    assert all(f"def test_parity_of_{name}" in tests for name in found)


@pytest.mark.usefixtures("patches_in_order")
@pytest.mark.parametrize("size", [(16, 16), (24, 20)])
def test_parity_of_vilt(size: tuple[int, int], tmp_path: Path) -> None:
    from transformers import ViltConfig, ViltModel

    model, image = shaken(ViltModel(ViltConfig(**VILT))), images(*size)
    with torch.no_grad():
        wanted = model(**their_inputs(image))
    got = fused(ours(model, tmp_path), image)
    assert_same_tokens(got[JOINT], wanted.last_hidden_state)
    torch.testing.assert_close(got[JOINT].pooled, wanted.pooler_output, atol=1e-4, rtol=1e-4)
    assert_same_tokens(got["text"], wanted.last_hidden_state[:, : IDS.shape[1]])
    assert len(list(model.parameters())) > 50


@pytest.mark.usefixtures("patches_in_order")
def test_parity_of_vilt_for_questions(tmp_path: Path) -> None:
    from transformers import ViltConfig, ViltForQuestionAnswering

    answers = {0: "yes", 1: "no", 2: "a red dog"}
    config = ViltConfig(**VILT, id2label=answers, label2id={v: k for k, v in answers.items()})
    model, image = shaken(ViltForQuestionAnswering(config)), images()
    with torch.no_grad():
        wanted = model(**their_inputs(image)).logits
    got = ours(model, tmp_path)
    with torch.no_grad():
        logits = got.decode("answer", fused(got, image))
    torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=1e-4)
    assert read_checkpoint(str(tmp_path)).config.heads["answer"].output.classes == (
        "yes",
        "no",
        "a red dog",
    )


@pytest.mark.usefixtures("patches_in_order")
def test_parity_of_vilt_for_retrieval(tmp_path: Path) -> None:
    from transformers import ViltConfig, ViltForImageAndTextRetrieval

    model, image = shaken(ViltForImageAndTextRetrieval(ViltConfig(**VILT))), images()
    with torch.no_grad():
        wanted = model(**their_inputs(image)).logits
    got = ours(model, tmp_path)
    with torch.no_grad():
        scores = got.decode("rank", fused(got, image))
    torch.testing.assert_close(scores, wanted, atol=1e-4, rtol=1e-4)


def test_of_vilt_for_two_pictures_the_body_is_read(tmp_path: Path) -> None:
    from transformers import ViltConfig, ViltForImagesAndTextClassification

    config = ViltConfig(**VILT, num_images=2, modality_type_vocab_size=3)
    model = ViltForImagesAndTextClassification(config)
    found = ours(model, tmp_path)
    assert not found.heads
    wanted = model.vilt.embeddings.token_type_embeddings.weight[:2]
    assert torch.equal(found.get_parameter("fusion.types"), wanted)


def test_parity_of_visualbert(tmp_path: Path) -> None:
    from transformers import VisualBertConfig, VisualBertModel

    model = shaken(VisualBertModel(VisualBertConfig(**SIZES, visual_embedding_dim=7)))
    image, inputs = regions()
    with torch.no_grad():
        wanted = model(**inputs)
    got = fused(ours(model, tmp_path), image)
    assert_same_tokens(got[JOINT], wanted.last_hidden_state)
    torch.testing.assert_close(got[JOINT].pooled, wanted.pooler_output, atol=1e-4, rtol=1e-4)


def test_parity_of_visualbert_for_pretraining(tmp_path: Path) -> None:
    from transformers import VisualBertConfig, VisualBertForPreTraining

    model = shaken(VisualBertForPreTraining(VisualBertConfig(**SIZES, visual_embedding_dim=7)))
    image, inputs = regions()
    with torch.no_grad():
        wanted = model(**inputs).seq_relationship_logits
    got = ours(model, tmp_path)
    with torch.no_grad():
        logits = got.decode("matching", fused(got, image))
    # Theirs says yes first, ours last.
    torch.testing.assert_close(logits, wanted.flip(1), atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("patches_in_order")
@pytest.mark.parametrize("kind", ["vilt", "visual_bert"])
def test_parity_of_the_head_for_masked_words(kind: str, tmp_path: Path) -> None:
    from transformers import (
        ViltConfig,
        ViltForMaskedLM,
        VisualBertConfig,
        VisualBertForPreTraining,
    )

    if kind == "vilt":
        theirs, image = shaken(ViltForMaskedLM(ViltConfig(**VILT))), images()
        inputs = their_inputs(image)
    else:
        config = VisualBertConfig(**SIZES, visual_embedding_dim=7)
        theirs, (image, inputs) = shaken(VisualBertForPreTraining(config)), regions()
    theirs.save_pretrained(tmp_path)
    checkpoint = read_checkpoint(str(tmp_path))
    model = checkpoint.build().eval()
    objective = MaskedLanguageConfig(dim=32, vocab_size=SIZES["vocab_size"]).build()
    objective.load_state_dict(checkpoint.language_head)
    with torch.no_grad():
        output = theirs(**inputs)
        wanted = output.logits if kind == "vilt" else output.prediction_logits
        tokens = fused(model, image)["text"].tokens[IDS > 0]
        logits = objective.logits(tokens, model)
    length = IDS.shape[1]
    torch.testing.assert_close(logits, wanted[:, :length][IDS > 0], atol=1e-4, rtol=1e-4)


def saved(folder: Path, **changes: Any) -> Path:
    from transformers import ViltConfig, ViltModel

    ViltModel(ViltConfig(**VILT)).save_pretrained(folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**settings, **changes}))
    return folder


def test_a_saved_checkpoint_is_a_model_of_ours(tmp_path: Path) -> None:
    found = read_checkpoint(str(saved(tmp_path / "theirs")))
    found.save(tmp_path / "ours")
    described = tmp_path / "ours" / "model.json"
    build = configs.load(described, ModelConfig).build
    model = load_built(described.with_name("model.safetensors"), build, described).eval()
    image = images()
    got, wanted = fused(model, image)[JOINT], fused(found.build().eval(), image)[JOINT]
    assert torch.equal(got.pooled, wanted.pooled)


def test_checkpoints_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(WeftError, match=r"is a 'bert' model, expected one of: .*vilt"):
        read_checkpoint(str(saved(tmp_path / "bert", model_type="bert")))
    with pytest.raises(WeftError, match="activation 'silu', which weft does not support"):
        read_checkpoint(str(saved(tmp_path / "silu", hidden_act="silu")))
    with pytest.raises(WeftError, match="expected a ViLT with qkv_bias and square pictures"):
        read_checkpoint(str(saved(tmp_path / "wide", image_size=[16, 32])))
    with pytest.raises(WeftError, match=r"has no tensor 'encoder.layer.3"):
        read_checkpoint(str(saved(tmp_path / "deep", num_hidden_layers=4)))
    with pytest.raises(WeftError, match=r"does not fit Model: .* of other shape"):
        read_checkpoint(str(saved(tmp_path / "long", max_position_embeddings=13))).build()
    with pytest.raises(WeftError, match="no pretrained model at"):
        read_checkpoint(str(tmp_path / "no where"))
    (tmp_path / "wide" / "model.safetensors").write_bytes(b"\x80\x04")
    with pytest.raises(WeftError, match="is not a readable safetensors file"):
        read_checkpoint(str(tmp_path / "wide"))
