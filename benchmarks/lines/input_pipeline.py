"""From tar shards to the batches at 224 px that the model takes, as training reads them: one epoch.

open_clip's side is a pipeline of webdataset's stages as it builds them, with its own training transform: Pillow decodes, a random
90 to 100 % of the picture is resized (bicubic), then it becomes normalised float32. Ours is `Loader` on the same
shards with the same settings; its batch stays uint8, a quarter of the bytes, and our encoders begin with the
normalisation, so that its cost is part of our step in the line clip_step. Pinned to one core both work in the
process itself; on all cores open_clip has as many worker processes as there are cores, ours as many threads.

The pictures are Flickr8k's where the folder of data is there (WEFT_DATA, or ../shared/data), 224 px wide, and
generated scenes of that size otherwise. Photographs as cameras give them are larger: six of them side by side make
one JPEG of 672 x 448. How far our pictures are from Pillow's is printed as PSNR, of the worst of 64.
"""

import io
import math
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import peers
from benchmarks.lines.feature_cache import pictures
from benchmarks.measure import Comparison, Setting, alternate, faster, value
from weft.core.media import Media
from weft.core.records import Field
from weft.core.samples import Sample
from weft.core.shapes import check_shape
from weft.data.columns import ModalitySource
from weft.data.formats import open_dataset
from weft.data.formats._tar_writer import write_shard
from weft.data.loader import Loader
from weft.modalities.image import Image as ImageModality
from weft.modalities.image import ImageConfig
from weft.modalities.image_transforms import random_box

SIDE, BATCH, COUNT, SHARD, COMPARED = 224, 64, 384, 32, 64
SCALE = (0.9, 1.0)
"""Share of the area that open_clip's training transform takes by default."""
COLUMNS, ROWS = 3, 2
QUALITY = 90


def measure(setting: Setting) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        rows = pictures(Path(folder), COUNT)
        small = [row.items["image"].read() for row in rows]
        large = [mosaic(small[n : n + COLUMNS * ROWS]) for n in range(COUNT - COLUMNS * ROWS + 1)]
        large = large[: COUNT // 2 // BATCH * BATCH]
        found = []
        for name, files in (("672 x 448", large), ("224 x 224", small)):
            shards = Path(folder) / name.replace(" ", "")
            for start in range(0, len(files), SHARD):
                part = samples(files)[start : start + SHARD]
                write_shard(part, shards / f"shard-{start:06d}.tar")
            times = alternate(
                our_epoch(shards, setting),
                open_clip_epoch(shards, len(files), setting),
                rounds=setting.rounds,
            )
            note = f"{len(files)} pictures, {rows[0].source}"
            found.append(faster(f"epoch, pictures of {name}", *times, at_least=2.3, note=note))
    return found + likeness(large[:COMPARED])


def modality() -> ImageModality:
    return ImageConfig(size=SIDE, crop_scale=SCALE, flip=0, interpolation="bicubic").build()


def mosaic(files: Sequence[bytes]) -> bytes:
    """One JPEG of `COLUMNS` x `ROWS` pictures."""
    whole = Image.new("RGB", (COLUMNS * SIDE, ROWS * SIDE))
    for place, data in enumerate(files):
        row, column = divmod(place, COLUMNS)
        whole.paste(Image.open(io.BytesIO(data)).resize((SIDE, SIDE)), (column * SIDE, row * SIDE))
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def samples(files: Sequence[bytes]) -> list[Sample]:
    return [
        Sample(str(place), str(place), {"image": image, "text": "a picture"}, str(place))
        for place, image in enumerate(Media.encoded(data, "image", "jpg") for data in files)
    ]


def our_epoch(shards: Path, setting: Setting) -> Callable[[], None]:
    rows = open_dataset(shards)
    loader = Loader(
        rows,
        {"image": ModalitySource(rows, "image", modality())},
        batch_size=BATCH,
        seed=0,
        workers=setting.threads if setting.threads > 1 else 0,
    )

    def epoch() -> None:
        for batch in loader.batches(0, loader.steps_per_epoch):
            read = batch.inputs["image"]
            assert isinstance(read, Field)
            check_shape(read.values, "B 3 H W", "pictures", B=BATCH, H=SIDE, W=SIDE)

    return epoch


def open_clip_epoch(shards: Path, count: int, setting: Setting) -> Callable[[], None]:
    """The stages of `open_clip_train.data.get_wds_dataset`, with its sizes and in its order."""
    import webdataset as wds

    pipeline = wds.DataPipeline(
        wds.SimpleShardList([str(path) for path in sorted(shards.glob("*.tar"))]),
        wds.detshuffle(bufsize=2000, initial=500, seed=0),
        wds.split_by_node,
        wds.split_by_worker,
        wds.tarfile_to_samples(),
        wds.shuffle(bufsize=5000, initial=1000),
        wds.select(lambda sample: "jpg" in sample),
        wds.decode("pilrgb"),
        wds.rename(image="jpg;png;jpeg;webp"),
        wds.map_dict(image=peers.open_clip().image_transform(SIDE, is_train=True)),
        wds.to_tuple("image"),
        wds.batched(BATCH, partial=True),
    )
    workers = setting.threads if setting.threads > 1 else 0
    reader = wds.WebLoader(
        pipeline, batch_size=None, num_workers=workers, persistent_workers=workers > 0
    )

    def epoch() -> None:
        read = sum(len(images) for (images,) in reader)
        if read != count:
            raise ValueError(f"open_clip read {read} pictures, expected {count}")

    return epoch


def likeness(files: Sequence[bytes]) -> list[Comparison]:
    """PSNR of our pictures against Pillow's, in evaluation and of the same random parts."""
    ours = modality()
    transform = peers.open_clip().image_transform(SIDE, is_train=False).transforms[:2]
    found: dict[str, list[float]] = {"evaluation": [], "training, the same parts": []}
    for seed, data in enumerate(files):
        pillow = Image.open(io.BytesIO(data)).convert("RGB")
        item = ours.decode(Media.encoded(data, "image", "jpg"))
        generator = torch.Generator().manual_seed(seed)
        mine = ours.transform(item, train=False, generator=generator)
        other = transform[1](transform[0](pillow))
        found["evaluation"].append(psnr(mine, other))
        top, left, height, width = random_box(
            pillow.height, pillow.width, SCALE, ours.config.crop_ratio, generator.manual_seed(seed)
        )
        mine = ours.transform(item, train=True, generator=generator.manual_seed(seed))
        box = (left, top, left + width, top + height)
        other = pillow.crop(box).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        found["training, the same parts"].append(psnr(mine, other))
    return [
        value(f"PSNR, {what}", min(values), values, at_least=40, unit="dB")
        for what, values in found.items()
    ]


def psnr(ours: torch.Tensor, theirs: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB, at most 99."""
    difference = ours.permute(1, 2, 0).numpy().astype(np.float64) - np.asarray(theirs)
    return 10 * math.log10(255**2 / max(float(np.mean(difference**2)), 1e-5))
