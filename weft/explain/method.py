"""The names of the explanation methods. Nothing here needs torch."""

from typing import Literal

Method = Literal["auto", "relevance", "rollout", "occlusion"]
