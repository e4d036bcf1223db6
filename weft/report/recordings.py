"""Sounds and videos in a page: a picture of them, and a player. All data are embedded in the page."""

import base64
import html as escaping
import io

import numpy as np
import torch

from weft.core.display import Recording
from weft.core.errors import MissingExtraError, WeftError
from weft.core.language import say
from weft.core.media import Media
from weft.modalities.audio_decoding import read_sound, require, sound_facts
from weft.modalities.sound_parts import drawn
from weft.modalities.spectrogram import Spectrogram, SpectrogramConfig
from weft.modalities.video_decoding import read_frames, video_facts
from weft.report import html
from weft.report.html import Html

RATE = 16_000
LONGEST = 20.0
"""Maximum seconds of a sound in a page, from its start."""
LARGEST_VIDEO = 400_000
"""Maximum bytes of a video in a page. Larger ones are shown only as frames."""
FRAMES, FRAME_SIDE = 4, 120
CONTAINERS = {"mp4": "mp4", "m4v": "mp4", "webm": "webm"}
"""Suffix -> media type of videos that browsers play."""


def recording(found: Recording, caption: str, width: int, *, played: bool = True) -> Html:
    """Shows a spectrogram or some frames, `width` CSS pixels wide, with a player of the same width below if `played`.

    A recording that cannot be decoded becomes an empty frame with the reason, such as a missing package.
    """
    try:
        sound = found.media.kind != "video"
        pixels = spectrogram(found.media) if sound else strip(found.media)
        player = (audio(found.media) if sound else video(found.media)) if played else ""
    except WeftError as error:
        missing = isinstance(error, MissingExtraError)
        reason = html.text(say(str(error))) if missing else say("cannot be decoded")
        below = f"<figcaption>{html.text(caption)}</figcaption>" if caption else ""
        gone = f'<div class="gone">{reason}</div>'
        return Html(f'<figure class="picture" style="width:{width}px">{gone}{below}</figure>')
    figure = html.figure(pixels, caption, width)
    if not player:
        return figure
    return Html(f'<div class="recording" style="width:{width}px">{figure}{player}</div>')


def spectrogram(media: Media) -> np.ndarray:
    """(H, W, 3) uint8 of the first LONGEST seconds, low frequencies at the bottom. Raises WeftError."""
    samples = read_sound(media, RATE, seconds=LONGEST)
    made = Spectrogram(SpectrogramConfig(mels=64, hop=max(0.01, len(samples) / RATE / 480)), RATE)
    return drawn(made(torch.from_numpy(samples)))


def strip(media: Media) -> np.ndarray:
    """(H, W, 3) uint8: evenly spaced frames, side by side. Raises WeftError."""
    seconds = min(video_facts(media).seconds, 3600.0)
    times = [(n + 0.5) * seconds / FRAMES for n in range(FRAMES)]
    frames = read_frames(media, times, min_side=FRAME_SIDE)
    return np.concatenate(list(frames), axis=1)


def audio(media: Media) -> Html:
    """Returns a player for the first LONGEST seconds as MP3, which every browser plays."""
    require("soundfile", "writing sound")
    import soundfile

    samples = read_sound(media, RATE, seconds=LONGEST)
    file = io.BytesIO()
    soundfile.write(file, samples.clip(-1, 1), RATE, format="MP3", bitrate_mode="VARIABLE")
    cut = sound_facts(media).seconds > LONGEST
    note = f"<small>{say(f'the first {LONGEST:.0f} s')}</small>" if cut else ""
    source = f"data:audio/mpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
    return Html(f'<audio controls preload="none" src="{source}"></audio>{note}')


def video(media: Media) -> Html:
    """Returns a player for a small video that browsers support; empty for any other."""
    kind = CONTAINERS.get(media.suffix)
    size = media.place.size()
    if kind is None or size is None or size > LARGEST_VIDEO:
        return Html("")
    source = f"data:video/{kind};base64,{base64.b64encode(media.read()).decode()}"
    part = "" if not media.start and media.end is None else f"#t={media.start:g}"
    part += "" if media.end is None else f",{media.end:g}"
    address = escaping.escape(source + part, quote=True)
    return Html(f'<video controls preload="metadata" src="{address}"></video>')
