"""What everything that is made step by step has in common.

A text is made a token at a time, greedily, by a beam of candidates or by drawing; a picture by the steps of
a flow; a sound frame by frame. Each is a sampler: it starts from a source, takes steps until nothing is left
to do, and finishes with what was made.
"""

from typing import Protocol, TypeVar


class Progress(Protocol):
    """How far a sampler has come."""

    @property
    def done(self) -> bool:
        """Is nothing left to do but to finish?"""
        ...


Source_contra = TypeVar("Source_contra", contravariant=True)
P = TypeVar("P", bound=Progress)
Made_co = TypeVar("Made_co", covariant=True)


class Sampler(Protocol[Source_contra, P, Made_co]):
    """The settings of how something is made; what changes while it is made is in the progress.

    source: what it is made from, such as decoders with their contexts. One sampler can be at work on
    several sources.
    """

    def start(self, source: Source_contra) -> P:
        """Before the first step."""
        ...

    def step(self, progress: P) -> P:
        """One step on. The progress that is given may be used up."""
        ...

    def finish(self, progress: P) -> Made_co:
        """What was made, after the last step or any other."""
        ...


def sample(sampler: Sampler[Source_contra, P, Made_co], source: Source_contra) -> Made_co:
    """What the sampler makes of the source, with its gradient where the sampler has one."""
    progress = sampler.start(source)
    while not progress.done:
        progress = sampler.step(progress)
    return sampler.finish(progress)
