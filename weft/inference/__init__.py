"""Runs a trained model over rows: reads, encodes, fuses, decodes. Tasks, explanations and reports use this package."""
