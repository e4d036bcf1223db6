"""Digits three ways: recordings of people who say them, pictures that are drawn, and their words."""

from weft.worlds.digits.drawing import draw_digit
from weft.worlds.digits.source import DrawnDigitsConfig

__all__ = ["DrawnDigitsConfig", "draw_digit"]
