"""Outputs: the meaning of a decoder's numbers for people. Each file is one kind of output."""
