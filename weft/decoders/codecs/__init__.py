"""Codecs: values to latents and back, so that a flow can generate latents."""
