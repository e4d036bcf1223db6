"""A trained model run over rows: read, encoded, fused, decoded. Tasks, explanations and reports stand on it."""
