"""One module a line. It has `measure(setting) -> list[Comparison]`; adding a line is adding its file."""
