"""The protocols of the parts stay as small as their module says."""

import inspect

from weft.core import interfaces


def test_a_protocol_has_one_to_three_methods_beside_those_that_it_extends() -> None:
    found = {}
    for name, protocol in vars(interfaces).items():
        if not (inspect.isclass(protocol) and protocol.__module__ == interfaces.__name__):
            continue
        methods = {m for m, value in vars(protocol).items() if inspect.isfunction(value)}
        methods -= {"__init__", "__subclasshook__"}
        methods -= {"__call__"} if "forward" in methods else set()  # both say the same
        extended = {m for base in protocol.__mro__[1:] for m in vars(base)}
        found[name] = len(methods - extended)
    assert len(found) >= 15
    assert (found.pop("EncodedStreams"), found.pop("Reader")) == (4, 6)
    assert max(found.values()) == 3, found
