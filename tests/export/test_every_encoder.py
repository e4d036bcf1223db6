"""Every encoder of weft/encoders as the tower of a file: another batch and another length than were traced."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "encoders"))

import tiny_encoders
from tiny_encoders import Case, built_shallow, inputs

from weft.architectures.model import Model, ProjectionConfig
from weft.core.errors import WeftError
from weft.core.records import Field
from weft.encoders.spectrogram_picture import SpectrogramPictureConfig
from weft.export._graphs import LEAST_COSINE
from weft.export._onnx_file import save_onnx, session
from weft.export._parity import eager, parity
from weft.export._tower import graph_of
from weft.export.pt2 import _loaded, save_pt2

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
STREAM = "stream"
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:torch")  # of torch's own insides
NO_GRAPH = {
    # Pictures of its own size of each sound have no static shape.
    SpectrogramPictureConfig: "is no graph that can be exported",
}
OF_EACH = {type(case.config): name for name, case in reversed(tiny_encoders.CASES.items())}
"""Config -> its first case: one of each class, since an export takes a second."""
IN_ONNX = ("values", "words", "convnet", "time-convolutions", "vivit")
"""Those that are written as ONNX, too, which takes three to thirty seconds each. Tried by hand, all others gave a
cosine above LEAST_COSINE."""


def model_of(case: Case) -> Model:
    """The encoder with a projection."""
    encoder = built_shallow(case)
    torch.manual_seed(0)
    projection = ProjectionConfig(encoder.dim, 8).build()
    return Model({STREAM: encoder}, projections={STREAM: projection}).eval()


def zeroed(field: Field) -> Field:
    """With the padding that batches have."""
    if field.mask is None:
        return field
    mask = field.mask.view(*field.mask.shape, *(1,) * (field.values.ndim - 2))
    return Field(field.values.masked_fill(~mask, 0), field.mask)


def others(field: Field) -> list[Field]:
    """Fewer rows and a shorter length; the rows twice, with more padding."""
    twice = Field(torch.cat([field.values, field.values.flip(0)]))
    if field.mask is None:
        return [Field(field.values[:1]), twice]
    length = int(field.mask[:2].sum(1).max())
    fewer = Field(field.values[:2, :length], field.mask[:2, :length])
    mask = torch.cat([field.mask, field.mask.flip(0)])
    return [fewer, zeroed(tiny_encoders.widened(Field(twice.values, mask), 5))]


def test_every_encoder_is_here_or_has_a_reason() -> None:
    assert len(OF_EACH) == 37
    assert set(NO_GRAPH) <= set(OF_EACH)
    assert set(IN_ONNX) <= set(OF_EACH.values())


@pytest.mark.parametrize("name", [n for kind, n in OF_EACH.items() if kind not in NO_GRAPH])
def test_the_archive_of_an_encoder_gives_its_embeddings(name: str, tmp_path: Path) -> None:
    case = tiny_encoders.CASES[name]
    model, field = model_of(case), zeroed(inputs(case.kind))
    graph = graph_of(model, STREAM, field)
    save_pt2(graph, tmp_path / "tower.pt2")
    found = parity(_loaded(tmp_path / "tower.pt2"), eager(model, STREAM), others(field))
    assert found.worst >= LEAST_COSINE
    if name in IN_ONNX:
        save_onnx(graph, tmp_path / "tower.onnx")
        found = parity(session(tmp_path / "tower.onnx"), eager(model, STREAM), others(field))
        assert found.worst >= LEAST_COSINE


@pytest.mark.parametrize("kind", NO_GRAPH)
def test_an_encoder_that_is_no_graph_is_refused_in_one_line(kind: type) -> None:
    case = tiny_encoders.CASES[OF_EACH[kind]]
    with pytest.raises(WeftError, match=NO_GRAPH[kind]) as caught:
        graph_of(model_of(case), STREAM, zeroed(inputs(case.kind)))
    assert "\n" not in str(caught.value)
