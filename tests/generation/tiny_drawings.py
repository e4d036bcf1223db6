"""A folder of small easy-VQA-like pictures, and recipes of generation made tiny for it; run as one of several ranks."""

import json
import sys
from pathlib import Path

import numpy as np
import torch

from weft.architectures import gan as gans
from weft.architectures.autoencoder import autoencoder
from weft.architectures.rectified_flow import rectified_flow
from weft.core.config import Config
from weft.data.sources import FilesConfig
from weft.decoders.drawing import DrawingConfig
from weft.decoders.flow import FlowConfig
from weft.decoders.generation import GenerationConfig
from weft.decoders.picture_convolutions import PictureConvolutionsConfig
from weft.decoders.recurrent import RecurrentDecoderConfig
from weft.decoders.velocity.unet import UNetConfig
from weft.encoders.convnet import ConvNetConfig
from weft.encoders.flattened import FlattenedConfig
from weft.encoders.picture_critic import PictureCriticConfig
from weft.encoders.word_vectors import WordVectorsConfig
from weft.fusion.joint_posterior import Joining
from weft.heads.head import HeadConfig
from weft.heads.pictures import PictureOutput
from weft.heads.texts import TextOutput
from weft.modalities.image import ImageConfig
from weft.objectives.evidence import EvidenceConfig
from weft.recipes.easy_vqa_flow import easy_vqa_flow
from weft.recipes.easy_vqa_gan import easy_vqa_gan
from weft.recipes.easy_vqa_judge import easy_vqa_judge
from weft.runs.recipe import Recipe
from weft.runs.train import train
from weft.tasks.reconstruction import ReconstructionTaskConfig

SIDE, WIDTH, VOCABULARY, NOISE = 8, 8, 300, 3
COLOURS = {"red": (250, 10, 10), "blue": (10, 10, 250), "green": (10, 250, 10)}


def pictures(folder: Path, rows: int = 90) -> Path:
    """Plain squares of three colours, a rectangle or a circle by the name of their shape."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for split, count in (("train", rows), ("test", rows // 2)):
        images, lines = [], []
        for n in range(count):
            name = list(COLOURS)[n % 3]
            shape = ("circle", "rectangle")[n % 2]
            image = np.full((SIDE, SIDE, 3), COLOURS[name]) + generator.integers(
                -9, 9, (SIDE, SIDE, 3)
            )
            if shape == "circle":
                image[::7, ::7] = 255
            images.append(image.clip(0, 255).astype(np.uint8))
            lines += [
                {"image": n, "question": "what color is the shape?", "answer": name},
                {"image": n, "question": "what shape is in the image?", "answer": shape},
            ]
        np.savez(folder / f"{split}_images.npz", images=np.stack(images))
        text = "\n".join(json.dumps(line) for line in lines)
        (folder / f"{split}_questions.jsonl").write_text(text + "\n")
    return folder


def small(made: Recipe, folder: Path, model: Config, steps: int) -> Recipe:
    streams = {
        name: ImageConfig(size=SIDE, crop_scale=None, flip=0.5)
        if name == "image"
        else one.replace(vocab_size=VOCABULARY)
        for name, one in made.data.streams.items()
    }
    source = FilesConfig(folder, format="easy_vqa_shapes")
    tasks = {name: task.replace(resamples=10) for name, task in made.tasks.items()}
    run = made.run.replace(
        steps=steps,
        batch_size=6,
        evaluate_every=steps,
        checkpoint_every=max(1, steps // 2),
        log_every=1,
        workers=0,
        device="cpu",
        precision="fp32",
    )
    return made.replace(
        data=made.data.replace(source=source, streams=streams), model=model, tasks=tasks, run=run
    )


def gan(folder: Path, steps: int = 4) -> Recipe:
    made = easy_vqa_gan()
    words = WordVectorsConfig(VOCABULARY, dim=WIDTH)
    decoder = PictureConvolutionsConfig(WIDTH, widths=(8, 6), noise=NOISE, condition=8)
    critic = PictureCriticConfig(SIDE, widths=(4, 8), dim=WIDTH)
    model = gans.gan(text=words, text_dim=WIDTH, generator=decoder, critic=critic)
    return small(made, folder, model, steps)


def flow(folder: Path, steps: int = 4) -> Recipe:
    unet = UNetConfig(SIDE, WIDTH, widths=(8,), patch=2, condition=8, attention=False)
    words = WordVectorsConfig(VOCABULARY, dim=WIDTH)
    drawing = DrawingConfig(steps=3, guidance=2.0)
    model = rectified_flow(text=words, flow=FlowConfig(unet), drawing=drawing)
    return small(easy_vqa_flow(), folder, model, steps)


def both_ways(folder: Path, joining: Joining = "product", steps: int = 1) -> Recipe:
    """An autoencoder of the pictures and their descriptions."""
    made, words = easy_vqa_flow(), WordVectorsConfig(VOCABULARY, dim=WIDTH)
    writer = RecurrentDecoderConfig(VOCABULARY, WIDTH, embedding=8, hidden=8, max_length=8)
    model = autoencoder(
        encoders={"image": FlattenedConfig(ConvNetConfig((4, 4), 2), WIDTH, 4), "text": words},
        heads={
            "image": HeadConfig(
                PictureConvolutionsConfig(WIDTH, (4, 4), condition=8), PictureOutput()
            ),
            "text": HeadConfig(writer, TextOutput(generation=GenerationConfig(max_length=8))),
        },
        dim=WIDTH,
        joining=joining,
    )
    made = made.replace(
        objectives={"evidence": EvidenceConfig()},
        tasks={"reconstruction": ReconstructionTaskConfig()},
        run=made.run.replace(monitor="reconstruction/image to image/PSNR"),
    )
    return small(made, folder, model, steps)


def judge(folder: Path, steps: int = 4) -> Recipe:
    made = easy_vqa_judge()
    head = made.model.heads["kind"]
    model = made.model.replace(
        encoders={"image": ConvNetConfig(widths=(4, 8), halvings=2)},
        heads={"kind": head.replace(decoder=head.decoder.replace(in_dim=8, hidden=()))},
    )
    return small(made, folder, model, steps)


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(gan(Path(sys.argv[1])), Path(sys.argv[2]))
