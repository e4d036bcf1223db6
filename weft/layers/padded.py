"""The padded mode: static shapes in place of packing, for torch.export, torch.func and torch.compile."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Active(threading.local):
    """State of each thread, as for the attention weights of `recording`."""

    padded: bool = False


_active = _Active()


def is_padded() -> bool:
    """Whether this thread computes in the padded mode."""
    return _active.padded


@contextmanager
def padded() -> Iterator[None]:
    """Inside, layers compute whole padded batches: no shape and no branch depends on a value.

        with padded():
            program = torch.export.export(model, inputs, dynamic_shapes=...)
            gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, rows)

    Outputs and gradients equal those of packing, up to rounding: padding is set to zero before it is used, hidden
    from attention, and zero again in the output. Checks that need values are skipped: ids outside a table, real
    tokens after padding. A limit on the length of a text applies to its padded width. A compiled function keeps the
    mode in which it was traced.
    """
    before = _active.padded
    _active.padded = True
    try:
        yield
    finally:
        _active.padded = before
