"""Turns raw files into clean, split, sharded data, with a data card."""
