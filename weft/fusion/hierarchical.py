"""Hierarchical fusion: a tree of fusions, as in Majumder et al. 2018 (arXiv:1806.06228, section 3.3), where pairs of
streams are fused first and then the pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from torch import nn

from weft.core.config import Config
from weft.core.interfaces import JOINT, Fusion
from weft.core.named_modules import NamedModules
from weft.core.records import Features
from weft.fusion._streams import FusionConfig, check_widths, in_order


class Hierarchical(nn.Module):
    """Named nodes, each a fusion of streams and of earlier nodes; the last node is the root.

    A node reads streams as they are in the input, and other nodes as their JOINT. A node without any present input is
    absent too, so any stream may be missing. JOINT is the root's. A stream is returned in the state after the last
    node that reads it.
    """

    def __init__(self, config: "HierarchicalConfig") -> None:
        super().__init__()
        self.config = config
        self.dim = config.dim
        self.streams = tuple(config.widths)
        self.nodes = NamedModules({n: fusion.build() for n, fusion in config.fusions().items()})

    def forward(self, streams: Mapping[str, Features]) -> dict[str, Features]:
        """Any of the streams -> those streams and JOINT."""
        given = in_order(streams, self.config.widths)
        known, fused = dict(given), dict(given)
        for name, node in self.nodes.items():
            reads = self.config.fusions()[name].widths
            inputs = {stream: known[stream] for stream in reads if stream in known}
            if inputs:
                outputs = cast(Fusion, node)(inputs)
                known[name] = outputs[JOINT]
                fused |= {stream: outputs[stream] for stream in inputs if stream in given}
        return {**fused, JOINT: known[self.config.root]}


@dataclass(frozen=True)
class HierarchicalConfig(Config[Fusion]):
    """Hierarchical fusion: a tree of named fusions of streams and of each other."""

    nodes: dict[str, Config[Fusion]]
    """Node -> its fusion, inner nodes first and the root last. The names in a fusion's `widths` are streams, or
    earlier nodes with their `dim`."""

    def __post_init__(self) -> None:
        if not self.nodes:
            raise ValueError("nodes are empty, expected at least one fusion")
        read: set[str] = set()
        done: dict[str, int] = {}
        for name, fusion in self.fusions().items():
            for input_name, width in fusion.widths.items():
                if input_name in self.nodes and input_name not in done:
                    raise ValueError(
                        f"node '{name}' reads '{input_name}', expected it before '{name}'"
                    )
                if done.get(input_name, width) != width:
                    raise ValueError(
                        f"node '{name}' expects '{input_name}' {width} wide, "
                        f"but that node's dim is {done[input_name]}"
                    )
                read.add(input_name)
            done[name] = fusion.dim
        unread = [name for name in list(self.nodes)[:-1] if name not in read]
        if unread:
            raise ValueError(
                f"node '{unread[0]}' is read by no other, expected only the last to be"
            )
        check_widths(self.widths)

    def fusions(self) -> dict[str, FusionConfig]:
        """The nodes, checked to be fusions."""
        for name, fusion in self.nodes.items():
            if not isinstance(fusion, FusionConfig):
                raise ValueError(
                    f"node '{name}' is a {type(fusion).__name__}, expected the config of a fusion"
                )
        return cast(dict[str, FusionConfig], self.nodes)

    @property
    def root(self) -> str:
        return list(self.nodes)[-1]

    @cached_property
    def widths(self) -> dict[str, int]:
        """Stream -> its width, in the order in which the nodes read them."""
        widths: dict[str, int] = {}
        for name, fusion in self.fusions().items():
            for stream, width in fusion.widths.items():
                if stream in self.nodes:
                    continue
                if widths.setdefault(stream, width) != width:
                    raise ValueError(
                        f"node '{name}' expects '{stream}' {width} wide, another {widths[stream]}"
                    )
        return widths

    @property
    def dim(self) -> int:
        return self.fusions()[self.root].dim

    def build(self) -> Hierarchical:
        return Hierarchical(self)
