"""The names of the methods of explanation; nothing here needs torch."""

from typing import Literal

Method = Literal["auto", "relevance", "rollout", "occlusion"]
