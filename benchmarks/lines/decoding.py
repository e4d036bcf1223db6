"""Captions of 8 pictures, fp32: 32 tokens each, chosen greedily with a cache.

transformers runs `generate` of a VisionEncoderDecoderModel (ViT, and GPT-2 with cross-attention); ours has
the same weights, and both must say the same. The first shape is that of the recipe flickr8k_captions: a
decoder of 2 x 256 over 2,600 tokens reads 81 patches (and a class token) of a 4 x 256 vision transformer;
once with the encoder's output given, once with the pictures encoded in each call. The second, 6 x 384 over
10,000 tokens with 197 tokens to read, spends most of its time on reading weights, on both sides.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file

from benchmarks import peers
from benchmarks.gpt2_weights import from_gpt2
from benchmarks.measure import Comparison, Setting, alternate, faster
from weft.core.records import Features, Field
from weft.decoders.autoregressive import AutoregressiveDecoder
from weft.decoders.generation import GenerationConfig, Vocabulary, generate
from weft.decoders.text import TransformerDecoder, TransformerDecoderConfig
from weft.encoders.convert import convert, vision_config
from weft.encoders.vit import ViT

BATCH, TOKENS, START, END = 8, 32, 0, 1
LEAST = 1.4


@dataclass(frozen=True)
class Shape:
    """Of both transformers."""

    image: int
    width: int
    heads: int
    encoder: int
    decoder: int
    vocabulary: int


CAPTIONER = Shape(image=144, width=256, heads=8, encoder=4, decoder=2, vocabulary=2600)
LARGER = Shape(image=224, width=384, heads=6, encoder=12, decoder=6, vocabulary=10_000)


def measure(setting: Setting) -> list[Comparison]:
    small, large = Sides(CAPTIONER), Sides(LARGER)
    rounds = setting.rounds
    said = f"{BATCH * TOKENS} tokens, the same on both sides"
    with torch.inference_mode():
        for sides in (small, large):
            sides.compare()
        whole = alternate(small.ours_from_pixels, small.theirs_from_pixels, rounds=rounds)
        written = alternate(small.ours, small.theirs, rounds=rounds)
        larger = alternate(large.ours, large.theirs, rounds=rounds)
    return [
        faster("captions written", *written, at_least=LEAST, note=said),
        faster("pictures encoded, captions written", *whole, note=said),
        faster("captions written, 6 x 384", *larger, note=said),
    ]


class Sides:
    """Both models with the same weights, and the same pictures for both."""

    def __init__(self, shape: Shape) -> None:
        self.peer = their_model(shape)
        self.encoder, self.decoder = our_parts(self.peer, shape)
        size = (BATCH, 3, shape.image, shape.image)
        self.field = Field(torch.randint(0, 256, size, dtype=torch.uint8))
        self.pixels = self.field.values.float() / 127.5 - 1
        with torch.inference_mode():
            self.context = self.encoder(self.field)
            self.encoded = self.peer.encoder(self.pixels)

    def ours_from_pixels(self) -> list[list[int]]:
        return _write(self.decoder, self.encoder(self.field))

    def theirs_from_pixels(self) -> list[list[int]]:
        return _their_ids(self.peer, pixel_values=self.pixels)

    def ours(self) -> list[list[int]]:
        return _write(self.decoder, self.context)

    def theirs(self) -> list[list[int]]:
        return _their_ids(self.peer, encoder_outputs=self.encoded)

    def compare(self) -> None:
        """Raises RuntimeError where the two do not say the same."""
        if self.ours_from_pixels() != self.theirs_from_pixels() or self.ours() != self.theirs():
            raise RuntimeError("both sides have the same weights, but do not say the same")


def their_model(shape: Shape) -> Any:
    """A VisionEncoderDecoderModel with random weights that are large enough to say various things."""
    library = peers.transformers()
    torch.manual_seed(0)
    vision = library.ViTConfig(
        hidden_size=shape.width,
        num_hidden_layers=shape.encoder,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.width,
        image_size=shape.image,
    )
    text = library.GPT2Config(
        vocab_size=shape.vocabulary,
        n_positions=TOKENS + 1,
        n_embd=shape.width,
        n_layer=shape.decoder,
        n_head=shape.heads,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=END,
        add_cross_attention=True,
        is_decoder=True,
    )
    model = library.VisionEncoderDecoderModel(
        encoder=library.ViTModel(vision, add_pooling_layer=False),
        decoder=library.GPT2LMHeadModel(text),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def our_parts(theirs: Any, shape: Shape) -> tuple[ViT, TransformerDecoder]:
    """Our encoder and decoder with their weights."""
    settings = theirs.encoder.config.to_dict()
    encoder = vision_config(settings).build()
    with tempfile.TemporaryDirectory() as folder:  # names in files are the published ones
        theirs.encoder.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
    encoder.load_state_dict(convert(tensors, settings, "the peer's encoder"))
    config = TransformerDecoderConfig(
        shape.vocabulary,
        shape.width,
        dim=shape.width,
        depth=shape.decoder,
        heads=shape.heads,
        max_length=TOKENS + 1,
        activation="gelu_tanh",
    )
    decoder = config.build()
    decoder.load_state_dict(from_gpt2(theirs.decoder.state_dict(), config))
    return encoder.eval(), decoder.eval()


def _write(decoder: TransformerDecoder, context: Features) -> list[list[int]]:
    # One token short of the end: so nothing ends early on either side.
    settings = GenerationConfig(max_length=TOKENS, min_length=TOKENS - 1)
    writer = cast(AutoregressiveDecoder, decoder)  # whose state is any decoder's own
    return generate([(writer, context)], Vocabulary(START, END), settings).ids


def _their_ids(model: Any, **given: Any) -> list[list[int]]:
    ids = model.generate(
        **given,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        do_sample=False,
        num_beams=1,
        decoder_start_token_id=START,
    )
    return [row[1 : TOKENS + 1] for row in ids.tolist()]
