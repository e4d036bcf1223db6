"""Digits in three modalities: recordings of spoken digits, generated pictures, and number words."""

from weft.worlds.digits.drawing import draw_digit
from weft.worlds.digits.source import DrawnDigitsConfig

__all__ = ["DrawnDigitsConfig", "draw_digit"]
