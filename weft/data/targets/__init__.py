"""Targets, with which a loss compares predictions. Each file is one kind of target."""

NO_CLASS = -1
"""Takes the place of a class if the row's answer is none of the known ones."""
