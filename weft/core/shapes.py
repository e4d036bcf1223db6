"""Shape checks for public boundaries.

Dimensions in the whole project: B batch, T tokens, D width, N heads, K head width, E embedding, V vocabulary, C H W
image, F frames, M mel bins, S audio samples.
"""

from torch import Tensor


def check_shape(tensor: Tensor, spec: str, name: str, **sizes: int) -> None:
    """Raises ValueError unless `tensor` has the dimensions of `spec`, such as "B T D".

    `sizes` fixes the size of a dimension. A dimension without a size may have any size, but the same letter twice
    means the same size. A digit in the spec is the size itself.
    """
    letters = spec.split()
    if tensor.ndim != len(letters):
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}, expected {len(letters)} dimensions ({spec})"
        )
    known = dict(sizes)
    for letter, size in zip(letters, tensor.shape, strict=True):
        expected = int(letter) if letter.isdigit() else known.setdefault(letter, size)
        if size != expected:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)}, expected ({spec}) with {letter} = {expected}"
            )
