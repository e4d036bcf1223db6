"""The padded mode: static shapes in place of packing, for torch.export, torch.func and torch.compile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Active(threading.local):
    """Of each thread by itself, as the attention weights of `recording` are."""

    padded: bool = False


_active = _Active()


def is_padded() -> bool:
    """Whether this thread computes in the padded mode."""
    return _active.padded


@contextmanager
def padded() -> Iterator[None]:
    """While it lasts layers compute whole padded batches: no shape and no branch depends on a value.

        with padded():
            program = torch.export.export(model, inputs, dynamic_shapes=...)
            gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, rows)

    Outputs and gradients are those of packing, to rounding: padding is set to zero before it is
    computed with, is hidden from attention, and is zero again in what comes out. What can be checked
    only by looking at values is not checked: ids outside of a table, real tokens after padding. A
    limit on the length of a text is one on the width to which it is padded. A compiled function keeps
    the mode in which it was traced.
    """
    before = _active.padded
    _active.padded = True
    try:
        yield
    finally:
        _active.padded = before
