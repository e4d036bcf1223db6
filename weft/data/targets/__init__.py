"""What a loss compares predictions with; one file, one kind of target."""

NO_CLASS = -1
"""In the place of a class: the row's answer is none of those that are known."""
