"""Generated sounds: a note says by its timbre the shape of an object, by its pitch the colour, by its loudness the size."""

from weft.worlds.sounds.notes import PITCHES, TIMBRES, Note, Timbre, render

__all__ = ["PITCHES", "TIMBRES", "Note", "Timbre", "render"]
