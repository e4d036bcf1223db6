"""Explains answers of a model: which parts of the input they depend on, and the answers without a modality."""
