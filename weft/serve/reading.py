"""Parses the body of a request: JSON, or a form with one part of JSON and others with files."""

import asyncio
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from weft.serve.refusals import RefusedError
from weft.serve.requests import Asked, Login
from weft.serve.settings import Limits

Model = TypeVar("Model", bound=Asked | Login)
PART = "request"
"""Name of the JSON part of a form."""
INLINE_BYTES = 1 << 16
"""Maximum bytes that the event loop parses itself. Another thread parses more, so that other requests do not wait."""


async def read(request: Request, model: type[Model], limits: Limits) -> Model:
    """Raises RefusedError: 415 for another content type, 422 for malformed content."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _form(request, model, limits)
    if kind != "application/json":
        raise RefusedError(
            415,
            f"the content is '{kind[:80] or 'of no type'}', expected application/json or multipart/form-data",
        )
    return await _parsed(model, await request.body())


async def _parsed(model: type[Model], body: bytes) -> Model:
    if len(body) <= INLINE_BYTES:
        return _validated(model, body)
    return await asyncio.to_thread(_validated, model, body)


def _validated(model: type[Model], body: bytes) -> Model:
    try:
        return cast(Model, model.model_validate_json(body))
    except ValidationError as error:
        raise RefusedError(422, said_of(error, model)) from None


async def _form(request: Request, model: type[Model], limits: Limits) -> Model:
    parser = _InMemory(
        request.headers,
        request.stream(),
        max_files=limits.values,
        max_fields=1,
        max_part_size=limits.body_bytes,
    )
    try:
        try:
            form = await parser.parse()
        except (MultiPartException, KeyError, UnicodeDecodeError) as error:
            raise RefusedError(422, f"the form cannot be read: {error}") from None
        if not parser.ended:
            raise RefusedError(422, "the form ends before its last boundary")
        body: str | bytes = "{}"
        files: dict[str, list[bytes]] = {}
        for name, part in form.multi_items():
            content = await part.read() if isinstance(part, UploadFile) else part
            if name == PART:
                body = content
            elif isinstance(content, bytes):
                files.setdefault(name, []).append(content)
            else:
                raise RefusedError(
                    422, f"part '{name[:80]}' is no file, expected '{PART}' or files"
                )
    finally:
        parser.close()
    asked = await _parsed(model, body.encode() if isinstance(body, str) else body)
    try:
        asked.take(files)
    except ValueError as error:
        raise RefusedError(422, str(error)) from None
    return asked


class _InMemory(MultiPartParser):
    """Parses a form. Files stay in memory, bounded by the limit of the body, and are never written to disk."""

    spool_max_size = 1 << 40
    ended = False

    def on_end(self) -> None:
        super().on_end()
        self.ended = True

    def close(self) -> None:
        """Frees the memory of all files, also of incomplete ones."""
        for file in self._files_to_close_on_error:
            file.close()


EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number with fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "a text",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "literal_error": "one of {expected}",
    "greater_than_equal": "at least {ge:,}",
    "less_than": "less than {lt:,}",
    "less_than_equal": "at most {le:,}",
    "too_short": "a length of at least {min_length:,}",
    "too_long": "a length of at most {max_length:,}",
    "string_too_short": "a text of length {min_length:,} or more",
    "string_too_long": "a text of at most {max_length:,} characters",
}
"""Type of error of pydantic -> what was expected instead."""
OF_FIELDS = {"missing": "is missing", "extra_forbidden": "there is no such field"}


def said_of(error: ValidationError, model: type[BaseModel]) -> str:
    """Returns the first error and its place in one sentence. The value is not repeated: it may be a token.

    model: class of the request, whose fields are listed if the request has an unknown one.
    """
    first: Any = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(one) for one in first["loc"])
    kind = first["type"]
    if kind in EXPECTED:
        told = f"expected {EXPECTED[kind].format(**first.get('ctx', {}))}"
    else:
        told = OF_FIELDS.get(kind) or " ".join(str(first["msg"]).split())
    if kind == "extra_forbidden" and len(first["loc"]) == 1:
        told = f"there is no such field, known: {', '.join(model.model_fields)}"
    more = error.error_count() - 1
    also = f"; {more} more {'error' if more == 1 else 'errors'}" if more else ""
    return f"{where}: {told}{also}" if where else f"{told}{also}"
