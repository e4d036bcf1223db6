"""One training step of masked language modelling with ViLT: 32 pictures, captions of at most 40 tokens.

Shape: 12 x 384, pictures of 224 px in patches of 32 (those of the paper), 30,522 tokens, captions as
long as those of Flickr8k, of which 15% are masked. transformers runs its ViltForMaskedLM on what the
paper's processor gives, captions padded to 40 tokens, and once more padded to the longest of the batch
only; with the optimizer of our step (fused AdamW). Ours is `Player.turn`: choosing and masking tokens
is in it, while the peer is handed masked captions. Both start from the same weights, and the largest
relative difference of the gradients is printed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks import peers
from benchmarks.lines.clip_step import LENGTHS, normalized, peer_step
from benchmarks.measure import Comparison, Setting, alternate, faster, value
from weft.architectures.checkpoints import Checkpoint, Source, checkpoints
from weft.core.precision import Precision, bf16_is_faster
from weft.core.records import Batch, Field
from weft.modalities.vocabulary import Vocabulary
from weft.objectives.masked import MaskedLanguage, MaskedLanguageConfig
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep

BATCH, IMAGE, PATCH, WIDTH, CONTEXT, WORDS = 32, 224, 32, 384, 40, 30522
BEGIN, END, MASK = 101, 102, 103
IGNORED = -100
VOCABULARY = Vocabulary(WORDS, MASK, (0, 100, BEGIN, END, MASK))

Step = Callable[[], object]


def measure(setting: Setting) -> list[Comparison]:
    found = [gradients()]
    aims: dict[Precision, float | None] = {"fp32": None, "bf16": 1.6}
    for precision, aim in aims.items():
        if precision == "bf16" and not bf16_is_faster(setting.device):
            note = "this processor has no bf16 instructions and emulates them"
            found.append(Comparison("step, bf16", note=note))
            continue
        ours = weft_step(precision)
        for what, context in (("40 tokens", CONTEXT), ("the longest caption", longest())):
            theirs = transformers_step(precision, context)
            times = alternate(ours, theirs, rounds=setting.rounds)
            asked = aim if context == CONTEXT else None
            name = f"step, {precision}, against transformers padded to {what}"
            found.append(faster(name, *times, at_least=asked))
    return found


def gradients() -> Comparison:
    """The largest difference of any parameter's gradient, relative to the largest gradient of it."""
    theirs = their_model()
    checkpoint = converted(theirs, theirs.state_dict())
    model, objective = checkpoint.build(), our_objective()
    objective.load_state_dict(checkpoint.language_head)
    step = TrainStep(model, {"masked": objective})
    step(batch()).total.backward()
    theirs(**their_inputs(objective, CONTEXT)).loss.backward()
    wanted = {n: p.grad for n, p in theirs.named_parameters() if p.grad is not None}
    wanted |= {n: torch.zeros_like(p) for n, p in theirs.named_parameters() if n not in wanted}
    # What conversion adds to the positions has no share in their gradient.
    for name in wanted:
        if name.endswith("text_embeddings.token_type_embeddings.weight"):
            wanted[name] = torch.zeros_like(wanted[name])
    reference = converted(theirs, wanted)
    worst = max(
        _difference(model, reference.tensors), _difference(objective, reference.language_head)
    )
    return value(
        "largest relative difference of gradients",
        worst,
        at_most=1e-3,
        note="against transformers, fp32, same weights and masked tokens",
    )


def _difference(module: nn.Module, wanted: Mapping[str, Tensor]) -> float:
    return max(
        float((p.grad - wanted[name]).abs().max() / wanted[name].abs().max())
        for name, p in module.named_parameters()
        if p.grad is not None and wanted[name].abs().max() > 0
    )


def longest() -> int:
    """Tokens of the longest caption."""
    return max(length for length, _ in LENGTHS)


def data() -> tuple[Tensor, Tensor, Tensor]:
    """uint8 pictures, ids (B, 40) padded with 0, and lengths (B,)."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, IMAGE, IMAGE), generator=generator).to(torch.uint8)
    lengths = torch.tensor([length for length, times in LENGTHS for _ in range(times)])
    lengths = lengths[torch.randperm(BATCH, generator=generator)]
    ids = torch.randint(1000, WORDS, (BATCH, CONTEXT), generator=generator)
    places = torch.arange(CONTEXT)
    ids[:, 0] = BEGIN
    ids[places == lengths[:, None] - 1] = END
    return images, ids.masked_fill(places >= lengths[:, None], 0), lengths


def batch() -> Batch:
    """The rows as our loader collates them: padded to the longest caption."""
    images, ids, lengths = data()
    mask = torch.arange(longest()) < lengths[:, None]
    inputs = {"image": Field(images), "text": Field(ids[:, : longest()], mask)}
    rows = torch.arange(BATCH)
    return Batch(inputs, ids=tuple(map(str, range(BATCH))), groups=rows, seeds=rows)


def our_objective() -> MaskedLanguage:
    objective = MaskedLanguageConfig(dim=WIDTH, vocab_size=WORDS).build()
    objective.use(VOCABULARY)
    return objective


def weft_step(precision: Precision) -> Step:
    theirs = their_model()
    checkpoint = converted(theirs, theirs.state_dict())
    step = TrainStep(checkpoint.build(), {"masked": our_objective()})
    run = RunConfig(batch_size=BATCH, precision=precision)
    trained = single_player(step, OptimConfig(lr=1e-4, eps=1e-6), run)
    rows = batch()
    return lambda: trained.turn(rows)


def converted(theirs: nn.Module, tensors: Mapping[str, Tensor]) -> Checkpoint:
    """The model, or its gradients, as ours."""
    settings = theirs.config.to_dict()  # type: ignore[union-attr, operator]
    return checkpoints()["vilt"].convert(tensors, settings, Source(Path(), "text"))


def their_model() -> Any:
    transformers = peers.transformers()
    torch.manual_seed(0)
    config = transformers.ViltConfig(
        vocab_size=WORDS,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_attention_heads=6,
        num_hidden_layers=12,
        image_size=IMAGE,
        patch_size=PATCH,
        max_position_embeddings=CONTEXT,
    )
    return transformers.ViltForMaskedLM(config).train()


def their_inputs(objective: MaskedLanguage, context: int) -> dict[str, Tensor]:
    """Captions masked as our objective masks those of the batch, padded to `context` tokens."""
    images, ids, lengths = data()
    rows = batch()
    field = rows.inputs["text"]
    assert isinstance(field, Field)
    altered, chosen = objective.hide(rows, field)
    masked = nn.functional.pad(altered.values, (0, CONTEXT - longest()))
    labels = ids[:, : longest()].masked_fill(~chosen, IGNORED)
    labels = nn.functional.pad(labels, (0, CONTEXT - longest()), value=IGNORED)
    return {
        "input_ids": masked[:, :context],
        "attention_mask": (torch.arange(context) < lengths[:, None]).long(),
        "pixel_values": normalized(images),
        "pixel_mask": torch.ones(BATCH, IMAGE, IMAGE, dtype=torch.long),
        "labels": labels[:, :context].contiguous(),
    }


def transformers_step(precision: Precision, context: int) -> Step:
    model = their_model()
    inputs = their_inputs(our_objective(), context)
    return peer_step(model, lambda: model(**inputs).loss, precision, fused=True)
