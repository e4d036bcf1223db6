"""LXMERT and BLIP of transformers with random weights, read from their files: ours computes the same."""

from pathlib import Path
from typing import Any

import pytest
import torch
from published import (
    IDS,
    SIZES,
    TEXT,
    VOCABULARY,
    assert_same_tokens,
    fused,
    images,
    ours,
    regions,
    shaken,
)
from torch import Tensor

from weft.architectures.checkpoints import Source, read_checkpoint
from weft.architectures.checkpoints.blip import convert_towers
from weft.core.errors import WeftError
from weft.core.interfaces import JOINT
from weft.core.records import Field
from weft.encoders.weights import read_folder
from weft.hub import read_settings

SIZE = {key: value for key, value in SIZES.items() if key != "num_hidden_layers"}
LXMERT = {
    **SIZE,
    "l_layers": 2,
    "r_layers": 1,
    "x_layers": 2,
    "visual_feat_dim": 7,
    "num_qa_labels": 3,
}
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def lxmert_inputs(image: Field) -> dict[str, Tensor]:
    assert image.mask is not None
    return {
        "input_ids": IDS,
        "attention_mask": (IDS > 0).long(),
        "visual_pos": image.values[:, :, :4],
        "visual_feats": image.values[:, :, 4:],
        "visual_attention_mask": image.mask.long(),
    }


def test_parity_of_lxmert(tmp_path: Path) -> None:
    from transformers import LxmertConfig, LxmertModel

    model = shaken(LxmertModel(LxmertConfig(**LXMERT)))
    image, _ = regions()
    with torch.no_grad():
        wanted = model(**lxmert_inputs(image))
    got = fused(ours(model, tmp_path), image)
    assert_same_tokens(got["text"], wanted.language_output)
    assert_same_tokens(got["image"], wanted.vision_output)
    torch.testing.assert_close(got[JOINT].pooled, wanted.pooled_output, atol=1e-4, rtol=1e-4)


def test_parity_of_lxmert_for_pretraining(tmp_path: Path) -> None:
    from transformers import LxmertConfig, LxmertForPreTraining

    model = shaken(LxmertForPreTraining(LxmertConfig(**LXMERT, id2label=dict(enumerate("abc")))))
    image, _ = regions()
    with torch.no_grad():
        wanted = model(**lxmert_inputs(image))
    got = ours(model, tmp_path)
    with torch.no_grad():
        both = fused(got, image)
        # Of both the last logit says that they belong together.
        matching, answer = got.decode("matching", both), got.decode("answer", both)
    torch.testing.assert_close(matching, wanted.cross_relationship_score, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(answer, wanted.question_answering_score, atol=1e-3, rtol=1e-3)
    checkpoint = read_checkpoint(str(tmp_path))
    assert checkpoint.config.heads["answer"].output.classes == ("a", "b", "c")
    assert checkpoint.language_head["bias"].shape == (VOCABULARY,)


def test_lxmert_with_other_positions_is_refused(tmp_path: Path) -> None:
    from transformers import LxmertConfig, LxmertModel

    LxmertModel(LxmertConfig(**LXMERT, visual_pos_dim=5)).save_pretrained(tmp_path)
    with pytest.raises(WeftError, match="visual_pos_dim is 5, expected 4: corners"):
        read_checkpoint(str(tmp_path))


def blip_settings() -> Any:
    from transformers import BlipConfig

    vision = {**SIZES, "hidden_size": 24, "image_size": 16, "patch_size": 4}
    text = {**SIZES, "encoder_hidden_size": 24}
    return BlipConfig(text_config=text, vision_config=vision, image_text_hidden_size=10)


def pixels(image: Field) -> Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
    return (image.values / 255 - mean) / std


def test_parity_of_blip_for_retrieval(tmp_path: Path) -> None:
    from transformers import BlipForImageTextRetrieval

    model, image = shaken(BlipForImageTextRetrieval(blip_settings())), images()
    given = {"input_ids": IDS, "attention_mask": (IDS > 0).long(), "pixel_values": pixels(image)}
    with torch.no_grad():
        matched = model(**given)
        searched = model(**given, use_itm_head=False)
    got = ours(model, tmp_path)
    with torch.no_grad():
        whole = fused(got, image)
        alone = got.fuse({"text": got.encode("text", TEXT)})
        logits = got.decode("matching", whole)
    assert_same_tokens(whole["image"], matched.last_hidden_state)
    assert_same_tokens(whole["text"], matched.question_embeds)
    torch.testing.assert_close(logits, matched.itm_score, atol=1e-4, rtol=1e-4)
    # Without a picture it is the unimodal encoder.
    assert_same_tokens(alone["text"], searched.question_embeds)

    settings = read_settings(str(tmp_path), tmp_path)
    towers = convert_towers(read_folder(tmp_path), settings, Source(tmp_path, "text")).build()
    with torch.no_grad():
        text = towers.eval().embed("text", towers.encode("text", TEXT))
        cosines = towers.embed("image", towers.encode("image", image)) @ text.T
    torch.testing.assert_close(cosines, searched.itm_score, atol=1e-4, rtol=1e-4)


def test_parity_of_blip_for_questions(tmp_path: Path) -> None:
    from transformers import BlipForQuestionAnswering

    model, image = shaken(BlipForQuestionAnswering(blip_settings())), images()
    with torch.no_grad():
        seen = model.vision_model(pixel_values=pixels(image)).last_hidden_state
        wanted = model.text_encoder(
            input_ids=IDS, attention_mask=(IDS > 0).long(), encoder_hidden_states=seen
        ).last_hidden_state
    got = ours(model, tmp_path)
    assert_same_tokens(fused(got, image)["text"], wanted)
    assert not got.heads


def test_blip_without_a_text_encoder_is_refused(tmp_path: Path) -> None:
    from transformers import BlipForConditionalGeneration

    BlipForConditionalGeneration(blip_settings()).save_pretrained(tmp_path)
    with pytest.raises(WeftError, match="has no text_encoder, expected a BLIP for retrieval"):
        read_checkpoint(str(tmp_path))
