"""Why a model answers as it does: what it looked at, and what it says without a modality."""
