"""How long a test waits for another process before it fails."""

LIMIT_S = 600
"""Seconds: at least ten times what any such process takes on one busy core of an older server."""
