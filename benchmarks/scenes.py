"""What drawing a scene costs against bare Pillow: python benchmarks/scenes.py [--size 64]

Bare Pillow draws the same polygons and ellipses, at coordinates computed beforehand, at twice the
size on one flat colour, and halves the picture with its fastest filter (reduce) into a NumPy array.
Ours starts from the scene and adds coordinates, patterned background and noise. Both are measured
turn by turn; the printed ratio is that of the medians. The aim is at most 1.2. The second line is
bare Pillow that starts from the scene too, and so computes the coordinates in its time.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from weft.worlds.scenes import ScenesConfig
from weft.worlds.scenes.drawing import BACKDROPS, PALETTE, RING_WIDTH
from weft.worlds.scenes.world import ROUND, Scene, outline

Figure = tuple[str, list[float], tuple[int, int, int], int]


def figures(scene: Scene, scale: int) -> list[Figure]:
    """Method, coordinates, colour and line width of each object."""
    found: list[Figure] = []
    for thing in scene.objects:
        x, y, radius = thing.x * scale, thing.y * scale, thing.radius * scale - 0.5
        box = [x - radius, y - radius, x + radius, y + radius]
        method = thing.shape if thing.shape in ROUND else "polygon"
        corners = [
            (px * radius + x, py * radius + y) for px, py in outline(thing.shape, thing.turn)
        ]
        coordinates = [v for corner in corners for v in corner] if method == "polygon" else box
        found.append((method, coordinates, PALETTE[thing.color], round(RING_WIDTH * radius)))
    return found


def bare(drawing: list[Figure], backdrop: tuple[int, int, int], size: int) -> np.ndarray:
    image = Image.new("RGB", (2 * size, 2 * size), backdrop)
    canvas = ImageDraw.Draw(image)
    for method, coordinates, color, width in drawing:
        if method == "circle":
            canvas.ellipse(coordinates, fill=color)
        elif method == "ring":
            canvas.ellipse(coordinates, outline=color, width=width)
        else:
            canvas.polygon(coordinates, fill=color)
    return np.array(image.reduce(2))


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def drain(values: Iterable[object]) -> None:
    """Takes every value and keeps none, as a training loop does."""
    for _ in values:
        pass


def drawn(scene: Scene, backdrop: tuple[int, int, int], size: int) -> object:
    """The scene from its facts, by Pillow alone."""
    return bare(figures(scene, 2 * size), backdrop, size)


def whole(part: Callable[[int], object], number: int) -> None:
    """What `part` makes of each scene."""
    drain(map(part, range(number)))


def main() -> None:
    parser = argparse.ArgumentParser(description="Cost of drawing a scene against bare Pillow.")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    size, number = options.size, options.scenes
    data = ScenesConfig(count=number, size=size).build()
    scenes = [data.scene(index) for index in range(number)]
    drawings = [(figures(scene, 2 * size), BACKDROPS[scene.tint]) for scene in scenes]
    for scene in scenes:
        data.image(scene)
    ours: list[float] = []
    pillow: list[float] = []
    from_scene: list[float] = []
    for _ in range(options.rounds):
        for scene, (drawing, backdrop) in zip(scenes, drawings, strict=True):
            pillow.append(seconds(partial(bare, drawing, backdrop, size)))
            ours.append(seconds(partial(data.image, scene)))
            from_scene.append(seconds(partial(drawn, scene, backdrop, size)))
    pillow_median, ours_median, from_scene_median = map(
        statistics.median, (pillow, ours, from_scene)
    )
    print(f"pictures of {size} px, {number} scenes, {options.rounds} rounds, medians")
    print(f"bare Pillow, 2x and reduced  {pillow_median * 1e6:8.1f} us")
    print(f"bare Pillow from the scene   {from_scene_median * 1e6:8.1f} us")
    print(f"scenes, complete picture     {ours_median * 1e6:8.1f} us")
    print(f"ratio                        {ours_median / pillow_median:8.3f}")
    print(f"ratio, both from the scene   {ours_median / from_scene_median:8.3f}")
    parts: dict[str, Callable[[int], object]] = {
        "sampling a scene": data.scene,
        "5 English captions": lambda i: data.captions(scenes[i], i, "en"),
        "5 Chinese captions": lambda i: data.captions(scenes[i], i, "zh"),
        "questions": lambda i: data.questions(scenes[i], i),
        "whole rows (English)": lambda i: data[i],
    }
    for name, part in parts.items():
        took = min(seconds(partial(whole, part, number)) for _ in range(5))
        print(f"{name:28s} {took / number * 1e6:8.1f} us, {number / took:8.0f} scenes/s")


if __name__ == "__main__":
    main()
