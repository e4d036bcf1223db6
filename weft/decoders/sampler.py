"""The interface of everything that is generated step by step.

A text is generated token by token, greedily, by beam search or by sampling; a picture by the steps of a flow; a sound
frame by frame. Each is a sampler: it starts from a source, takes steps until it is done, and finishes with the
result.
"""

from typing import Protocol, TypeVar


class Progress(Protocol):
    """The progress of a sampler."""

    @property
    def done(self) -> bool:
        """Whether only `finish` is left."""
        ...


Source_contra = TypeVar("Source_contra", contravariant=True)
P = TypeVar("P", bound=Progress)
Made_co = TypeVar("Made_co", covariant=True)


class Sampler(Protocol[Source_contra, P, Made_co]):
    """The settings of a generation; the progress holds everything that changes.

    source: the input, such as decoders with their contexts. One sampler can work on several sources.
    """

    def start(self, source: Source_contra) -> P:
        """Returns the progress before the first step."""
        ...

    def step(self, progress: P) -> P:
        """Takes one step. The given progress may become unusable."""
        ...

    def finish(self, progress: P) -> Made_co:
        """Returns the result, after the last step or any other."""
        ...


def sample(sampler: Sampler[Source_contra, P, Made_co], source: Source_contra) -> Made_co:
    """Returns the sampler's result for the source, with its gradient if the sampler supports it."""
    progress = sampler.start(source)
    while not progress.done:
        progress = sampler.step(progress)
    return sampler.finish(progress)
