"""Generated sounds: the timbre of a note encodes an object's shape, the pitch its colour, the loudness its size."""

from weft.worlds.sounds.notes import PITCHES, TIMBRES, Note, Timbre, render

__all__ = ["PITCHES", "TIMBRES", "Note", "Timbre", "render"]
