"""Weft: from raw pictures, text, sound and video to a measured multimodal model."""

__version__ = "0.1.0"
