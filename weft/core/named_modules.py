"""A ModuleDict with names that people chose, such as the columns of a table."""

import re
from collections.abc import ItemsView, Iterator, KeysView
from urllib.parse import unquote

from torch import nn

_OWN = frozenset(dir(nn.ModuleDict()))


class NamedModules(nn.ModuleDict):
    """A ModuleDict for any names that are not empty.

    torch accepts no name with a dot, and none of ModuleDict's own names, such as `items`. Modules with such names,
    and so their weights, are stored with these characters percent-encoded (`size%2Ecm`, `%69tems`); all other names
    stay the same.
    """

    def __getitem__(self, key: str) -> nn.Module:
        return super().__getitem__(_written(key))

    def __setitem__(self, key: str, module: nn.Module) -> None:
        super().__setitem__(_written(key), module)

    def __delitem__(self, key: str) -> None:
        super().__delitem__(_written(key))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and _written(key) in self._modules

    def __iter__(self) -> Iterator[str]:
        return map(unquote, self._modules)

    def keys(self) -> KeysView[str]:
        return dict.fromkeys(self).keys()

    def items(self) -> ItemsView[str, nn.Module]:
        return dict(zip(self, self.values(), strict=True)).items()

    def pop(self, key: str) -> nn.Module:
        module = self[key]
        del self[key]
        return module


def _written(name: str) -> str:
    name = re.sub(r"%(?=[0-9A-Fa-f]{2})", "%25", name).replace(".", "%2E")
    return f"%{ord(name[0]):02X}{name[1:]}" if name in _OWN else name
