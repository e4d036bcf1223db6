"""A table of many small files, and the memory that a command needs for it.

python -m benchmarks.many_files sounds 20000 FOLDER writes FLAC files of ten seconds at 8 kHz: clips of ESC-10, joined in
pairs at falling levels. python -m benchmarks.many_files pictures 100000 FOLDER writes JPEG files of 64 x 64 pixels, crops
of Flickr8k. The files are in 100 folders; FOLDER/table.csv has the columns audio or image, text, label (of a picture one
of 8 without a relation to it) and patient. Both data sets are read from the folder that WEFT_DATA names.

python -m benchmarks.many_files peak COMMAND ... runs a command and prints the peak of the memory of all its processes
together: the sum of their proportional set sizes, read ten times a second (Linux).
"""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from PIL import Image

from weft.recipes._data import folder

RATE, SECONDS = 8_000, 10
SIDE, LABELS, PATIENTS, FOLDERS = 64, 8, 25_000, 100


class Row(NamedTuple):
    file: str
    text: str
    label: str
    patient: str


def sounds(count: int, into: Path) -> Iterator[Row]:
    with (folder() / "esc10" / "meta.csv").open(encoding="utf-8") as file:
        clips = list(csv.DictReader(file))
    half = RATE * SECONDS // 2
    read: list[np.ndarray] = []
    for clip in clips:
        path = folder() / "esc10" / "audio" / clip["filename"]
        samples_S, rate = soundfile.read(path, dtype="float32")
        read.append(soxr.resample(samples_S, rate, RATE)[:half])
    for number in range(count):
        turn, first = divmod(number, len(clips))
        second = (first + 1 + turn) % len(clips)
        name = f"{number % FOLDERS:02d}/{number:06d}.flac"
        soundfile.write(into / name, np.concatenate([read[first], read[second]]) * 0.98**turn, RATE)
        clip = clips[first]
        yield Row(name, "a recording", clip["category"], clip["freesound_clip"])


def pictures(count: int, into: Path) -> Iterator[Row]:
    random, images = np.random.default_rng(0), folder() / "flickr8k" / "images"
    with (folder() / "flickr8k" / "captions.jsonl").open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    for number in range(count):
        turn, place = divmod(number, len(lines))
        with Image.open(images / lines[place]["image"]) as picture:
            left, top = (int(random.integers(side - SIDE + 1)) for side in picture.size)
            crop = picture.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
        name = f"{number % FOLDERS:02d}/{number:06d}.jpg"
        crop.save(into / name, quality=80)
        captions = lines[place]["captions"]
        label, patient = random.integers(LABELS), random.integers(PATIENTS)
        yield Row(name, captions[turn % len(captions)], str(label), str(patient))


def write(kind: str, count: int, into: Path) -> None:
    """Writes the files and table.csv."""
    column, rows = KINDS[kind]
    for number in range(FOLDERS):
        (into / f"{number:02d}").mkdir(parents=True, exist_ok=True)
    with (into / "table.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow([column, *Row._fields[1:]])
        table.writerows(rows(count, into))


KINDS: dict[str, tuple[str, Callable[[int, Path], Iterator[Row]]]] = {
    "sounds": ("audio", sounds),
    "pictures": ("image", pictures),
}


def peak(command: list[str]) -> tuple[int, int]:
    """(exit status, bytes of all processes of the command together). An interrupt ends these processes, too."""
    process, done, most = subprocess.Popen(command, start_new_session=True), threading.Event(), 0

    def watch() -> None:
        nonlocal most
        while not done.wait(0.1):
            most = max(most, held(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        status = process.wait()
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        done.set()
        watcher.join()
    return status, most


def held(session: int) -> int:
    """Bytes that all processes of a session hold; what several share is counted once."""
    total = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            # Behind the name in parentheses: state, parent, group, session.
            if int((place / "stat").read_text().rsplit(")", 1)[1].split()[3]) == session:
                lines = (place / "smaps_rollup").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except OSError:  # it has ended
            continue
    return total * 1024


def run(words: list[str]) -> int:
    """Returns the exit status."""
    match words:
        case ["peak", *command] if command:
            status, most = peak(command)
            print(f"peak memory: {most / 1e9:.2f} GB")
            return status
        case [kind, count, into] if kind in KINDS and count.isdecimal():
            write(kind, int(count), Path(into))
            return 0
    raise ValueError(
        f"got {' '.join(words) or 'nothing'}, expected sounds or pictures with a number and a folder, or peak with a command"
    )


def main() -> None:
    try:
        raise SystemExit(run(sys.argv[1:]))
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
