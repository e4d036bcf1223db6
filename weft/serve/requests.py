"""Schemas of requests: JSON, or a form with one part of JSON and others with files."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, LiteralString

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from weft.core.ranges import LEAST_WINDOW, WINDOW

ENCODED_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"base64": {"type": "string", "contentEncoding": "base64"}},
    "required": ["base64"],
    "additionalProperties": False,
}
VALUE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "description": "a text"},
        {**ENCODED_SCHEMA, "description": "a picture, a sound, a video or an array (.npy)"},
        {"type": "object", "description": "the columns of a row of a table"},
        {"type": "array", "items": {"type": "number"}, "description": "an array of numbers"},
    ]
}
VALUES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "stream -> a value, or a list of one for each row",
    "additionalProperties": {
        "anyOf": [*VALUE_SCHEMA["anyOf"], {"type": "array", "items": VALUE_SCHEMA}]
    },
}


def expected(what: LiteralString) -> WrapValidator:
    """One error for a value that is none of several types, in the place of one for each type."""

    def validated(value: Any, inner: ValidatorFunctionWrapHandler) -> Any:
        try:
            return inner(value)
        except ValidationError:
            raise PydanticCustomError("expected", what) from None

    return WrapValidator(validated)


Value = Annotated[Any, WithJsonSchema(VALUE_SCHEMA)]
Values = Annotated[dict[str, Any], WithJsonSchema(VALUES_SCHEMA)]
Name = Annotated[str, StringConstraints(max_length=500)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Weight = Annotated[float, Field(ge=-100, le=100)]
Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
MetadataValue = Annotated[
    Scalar | None, expected("expected a text, a finite number, true, false or null")
]
Condition = Annotated[
    Scalar | list[Scalar] | dict[Literal["min", "max"], Scalar],
    expected(
        "expected a text, a finite number, true or false, a list of them, or an object with min, max or both"
    ),
]
Files = Mapping[str, list[bytes]]
"""Maps the name of a form's part to its files."""


class Asked(BaseModel):
    """Fields of every request. run: name of the run; the first one with the operation if not given."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    run: Name | None = None

    def take(self, files: Files) -> None:
        """Puts the files of a form in place of missing values. Raises ValueError for a file that is not used."""
        if files:
            raise ValueError(f"files {', '.join(files)} are not expected")


class ValuesAsked(Asked):
    """values: a value or a list of values for each stream."""

    values: Values = Field(default_factory=dict)

    def take(self, files: Files) -> None:
        for stream, contents in files.items():
            if stream in self.values:
                raise ValueError(f"stream '{stream}' has a value and a file, expected one of them")
            self.values[stream] = contents[0] if len(contents) == 1 else list(contents)


class Embed(ValuesAsked):
    """Values to embed."""


class OfHead(ValuesAsked):
    """head: name of the head; the first suitable one if not given."""

    head: Name | None = None


class Transcribe(OfHead):
    """window: maximum seconds that are transcribed at once. A longer recording is read in parts that end at pauses."""

    window: float = Field(default=WINDOW, ge=LEAST_WINDOW)


class Predict(OfHead):
    """k: number of answers for each row."""

    k: Count = 5


class Turn(BaseModel):
    """A question and its answer."""

    model_config = ConfigDict(extra="forbid")
    question: str
    answer: str


class Ask(OfHead):
    """history: earlier questions and answers, oldest first."""

    question: str
    history: list[Turn] = Field(default_factory=list, max_length=100)
    k: Count = 5


class Generate(OfHead):
    """n: number of values to generate from each input."""

    n: Count = 1
    seed: Seed | None = None
    guidance: float | None = Field(default=None, ge=0, le=1000)
    steps: Count | None = None


class Explain(OfHead):
    """method: how the weights are computed. similarity: explain the cosine of the two streams given, as between a query and a
    hit, not the answer of a head."""

    similarity: bool = False
    method: Literal["auto", "relevance", "rollout", "occlusion"] = "auto"


class Example(BaseModel):
    """An example to search for. A weight below 0 makes it a counterexample."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    stream: Name
    value: Value = None
    weight: Weight = 1.0


class Like(BaseModel):
    """An item of the index used as an example."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    id: Id
    weight: Weight = 1.0


class Search(Asked):
    """query, like: the examples, which are combined into one query. where: filter on metadata. cutoff: minimum score; if
    not given, the calibrated one for a query with one value."""

    query: list[Example] = Field(default_factory=list, max_length=32)
    like: list[Like] = Field(default_factory=list, max_length=32)
    k: Count = 20
    where: dict[str, Condition] = Field(default_factory=dict, max_length=50)
    cutoff: float | None = Field(default=None, ge=-1, le=1)

    def take(self, files: Files) -> None:
        for stream, contents in files.items():
            places = [one for one in self.query if one.stream == stream and one.value is None]
            if len(places) != len(contents):
                raise ValueError(
                    f"got {len(contents)} files '{stream}' for {len(places)} examples without a value"
                )
            for place, content in zip(places, contents, strict=True):
                place.value = content


class Item(BaseModel):
    """An item to add. An item with a known id replaces the old one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    id: Id
    value: Value = None
    metadata: dict[str, MetadataValue] = Field(default_factory=dict, max_length=100)


class AddItems(Asked):
    """items: values of the index's stream."""

    items: list[Item] = Field(min_length=1, max_length=256)

    def take(self, files: Files) -> None:
        """Each file is the value of the next item without one, whatever its name."""
        contents = [content for some in files.values() for content in some]
        places = [one for one in self.items if one.value is None]
        if len(places) != len(contents):
            raise ValueError(f"got {len(contents)} files for {len(places)} items without a value")
        for place, content in zip(places, contents, strict=True):
            place.value = content


class RemoveItems(Asked):
    """ids: ids of the items to remove."""

    ids: list[Id] = Field(min_length=1, max_length=10_000)


class Login(BaseModel):
    """The token of the server."""

    model_config = ConfigDict(extra="forbid")
    token: Annotated[str, StringConstraints(max_length=1000)]

    def take(self, files: Files) -> None:
        if files:
            raise ValueError("files are not expected")
