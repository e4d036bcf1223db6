"""The commands; every module of this folder is one, with `main(words)` and its help as docstring."""
