"""An epoch with a locked picture tower: from the feature cache, or through the tower every time.

LiT's setting: a 12 x 384 vision transformer at 224 px is locked, its projection and a text tower learn, in
batches of 64, fp32. open_clip (`lock_image_tower`, all but the projection) reads, decodes and encodes the
pictures in every epoch; ours has encoded them once. Both start from the same weights, see the same pictures
without augmentation and the same tokens, and must agree in their first loss and in what they train. The cost is
proportional to the number of pictures, so 128 stand for all. They are Flickr8k's where the folder of data is
there (WEFT_DATA, or ../shared/data), otherwise generated scenes. Text towers: that of the recipe flickr8k_lit
(2 x 256), which has the aim, and the one of the line clip_step (6 x 384), where the text is the most of our epoch.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks import peers
from benchmarks.clip_weights import from_open_clip
from benchmarks.lines.clip_step import peer_step
from benchmarks.measure import Comparison, Setting, alternate, faster, seconds
from weft.architectures.clip import clip
from weft.architectures.model import Model, ModelConfig
from weft.core.media import Media
from weft.core.records import Batch
from weft.core.samples import Sample
from weft.data.columns import ModalitySource, Source
from weft.data.features import CacheConfig, CachedFeatures, cache_features
from weft.data.formats import open_dataset
from weft.data.loader import Loader
from weft.encoders.frozen import Frozen
from weft.encoders.vit import ViTConfig
from weft.modalities.image import ImageConfig
from weft.modalities.text import Text, TextConfig
from weft.objectives.contrastive import SoftmaxContrastive, SoftmaxContrastiveConfig
from weft.recipes._data import folder as data_folder
from weft.training.config import RunConfig
from weft.training.optim import OptimConfig
from weft.training.players import single_player
from weft.training.step import TrainStep
from weft.worlds.scenes import ScenesConfig

PICTURES, BATCH, SIDE, CONTEXT, VOCABULARY, EMBEDDING = 128, 64, 224, 77, 4000, 384


@dataclass(frozen=True)
class TextTower:
    """Layers and width of the text transformer, and what is asked for with it."""

    depth: int
    width: int
    at_least: float | None


TOWERS = (TextTower(2, 256, 20), TextTower(6, 384, None))


def measure(setting: Setting) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        rows = pictures(Path(folder), PICTURES)
        text = TextConfig(vocab_size=VOCABULARY, max_length=CONTEXT).build()
        text.fit(row.items["text"] for row in rows)
        return [compared(tower, rows, text, Path(folder), setting) for tower in TOWERS]


def compared(
    tower: TextTower, rows: list[Sample], text: Text, folder: Path, setting: Setting
) -> Comparison:
    theirs, ours = models(tower, text)
    objective = SoftmaxContrastiveConfig().build()
    with torch.no_grad():
        theirs.logit_scale.copy_(objective.temperature.log_scale)
    picture = ModalitySource(rows, "image", ImageConfig(size=SIDE).build())
    cached: list[CachedFeatures] = []

    def compute() -> None:
        encoder: Any = ours.encoders["image"]
        config = CacheConfig(folder=folder / f"{tower.depth}", batch_size=BATCH)
        cached.append(cache_features(picture, encoder, config, described_by=(), train=True))

    first = seconds(compute)
    sources: dict[str, Source] = {"image": cached[0], "text": ModalitySource(rows, "text", text)}
    loader = Loader(rows, sources, batch_size=BATCH, seed=0)
    step = TrainStep(ours, {"contrastive": objective})
    pairs = Pairs(rows, text)
    check(theirs, ours, objective, step, pairs, loader.batch(0))
    train = single_player(step, OptimConfig(), RunConfig(steps=1000))
    starts = iter(range(0, 1000, loader.steps_per_epoch))

    def our_epoch() -> None:
        start = next(starts)
        for batch in loader.batches(start, start + loader.steps_per_epoch):
            train.turn(batch)

    their_batches: DataLoader[Any] = DataLoader(
        pairs, BATCH, shuffle=True, drop_last=True, num_workers=setting.threads
    )
    stream: Iterator[Any] = iter(())
    loss = peers.open_clip().ClipLoss()
    their_step = peer_step(theirs, lambda: loss(**theirs(*next(stream))), "fp32")

    def their_epoch() -> None:
        nonlocal stream
        stream = iter(their_batches)
        for _ in range(len(their_batches)):
            their_step()

    our_epoch()
    times = alternate(our_epoch, their_epoch, rounds=max(2, setting.rounds // 3), warmup=0)
    note = f"{PICTURES} pictures, {rows[0].source}; filling the cache took {first:.1f} s, once"
    what = f"epoch, text tower {tower.depth} x {tower.width}"
    return faster(what, *times, at_least=tower.at_least, note=note)


class Pairs(Dataset[Any]):
    """Pictures and captions as open_clip's CsvDataset gives them: its transform, padded tokens."""

    def __init__(self, rows: list[Sample], text: Text) -> None:
        half = (0.5, 0.5, 0.5)
        self._rows = rows
        self._text = text
        self._transform = peers.open_clip().image_transform(
            SIDE, is_train=False, mean=half, std=half
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        items = self._rows[index].items
        ids = torch.zeros(CONTEXT, dtype=torch.int64)
        tokens = self._text.encode(items["text"])
        ids[: len(tokens)] = torch.tensor(tokens)
        return self._transform(Image.open(items["image"].path)), ids


def pictures(folder: Path, count: int) -> list[Sample]:
    """Rows of a picture's file and one caption; source says which pictures they are."""
    photographs = data_folder() / "flickr8k"
    if photographs.exists():
        table = open_dataset(photographs, split="train")
        found = [table[index].items for index in range(count)]
        pairs = [(items["image"], items["text"][0], "Flickr8k") for items in found]
    else:
        scenes = ScenesConfig(count=count, size=SIDE).build()
        pairs = []
        for index in range(count):
            items, path = scenes[index].items, folder / f"{index}.jpg"
            Image.fromarray(items["image"].array()).save(path, quality=90)
            pairs.append((Media.file(path), items["text"][0], "generated scenes"))
    return [
        Sample(str(place), str(place), {"image": image, "text": caption}, source)
        for place, (image, caption, source) in enumerate(pairs)
    ]


def models(tower: TextTower, text: Text) -> tuple[Any, Model]:
    """open_clip's CLIP with a locked picture tower, and ours with the same weights."""
    torch.manual_seed(0)
    picture = {"layers": 12, "width": 384, "head_width": 64, "patch_size": 16, "image_size": SIDE}
    words = {"context_length": CONTEXT, "vocab_size": VOCABULARY, "width": tower.width}
    words |= {"heads": tower.width // 64, "layers": tower.depth}
    ends = {"pool_type": "eos", "eos_id": text.sep_id}
    theirs = peers.open_clip().CLIP(EMBEDDING, picture, {**words, **ends}, output_dict=True)
    theirs.lock_image_tower(unlocked_groups=1)
    seeing = clip(vocab_size=VOCABULARY, image_size=SIDE, embedding=EMBEDDING)
    reading = clip(
        vocab_size=VOCABULARY,
        width=tower.width,
        text_depth=tower.depth,
        max_length=CONTEXT,
        embedding=EMBEDDING,
    )
    image = seeing.encoders["image"]
    assert isinstance(image, ViTConfig)
    image = image.replace(input_norm=True, patch_bias=False, norm_eps=1e-5)
    ours = ModelConfig(
        encoders={"image": image, "text": reading.encoders["text"]},
        projections={
            "image": seeing.projections["image"],
            "text": reading.projections["text"],
        },
    ).build()
    from_open_clip(theirs, ours)
    ours.encoders["image"] = Frozen(ours.encoders["image"], tokens=False)
    return theirs.train(), ours.train()


def check(
    theirs: Any,
    ours: Model,
    objective: SoftmaxContrastive,
    step: TrainStep,
    pairs: Pairs,
    batch: Batch,
) -> None:
    """Both train as many parameters and have the same loss on the same rows."""
    trained = [
        sum(p.numel() for module in side for p in module.parameters() if p.requires_grad)
        for side in ((ours, objective), (theirs,))
    ]
    if trained[0] != trained[1]:
        raise ValueError(f"ours trains {trained[0]} parameters, open_clip {trained[1]}")
    images, ids = (
        torch.stack(side) for side in zip(*(pairs[int(n)] for n in batch.ids), strict=True)
    )
    with torch.no_grad():
        mine = float(step(batch).total)
        other = float(peers.open_clip().ClipLoss()(**theirs(images, ids)))
    if abs(mine - other) > 1e-3 * other:
        raise ValueError(f"our first loss is {mine:.5f}, that of open_clip {other:.5f}")
