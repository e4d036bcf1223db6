"""The commands: each module without a leading underscore. It has `main(words)`, and its help as docstring."""
