"""Describes the interface (OpenAPI 3.1) with the bodies of requests."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from weft.index.previews import MEDIA_TYPES
from weft.serve.reading import PART

_WRONG = {
    "400": "a value cannot be used",
    "401": "no token",
    "403": "another site or host",
    "404": "no such run, item or address",
    "408": "the body came too slowly",
    "413": "too large",
    "415": "not what it is said to be",
    "422": "malformed",
    "429": "too many requests; Retry-After says when to try again",
    "500": "the server failed, or its index cannot be read or written",
    "503": "the server is stopping",
    "504": "no answer within the time limit",
}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
_OTHER_CONTENT = {
    "/metrics": ("text/plain",),
    "/previews/{id}": MEDIA_TYPES,
}
_ITEM = [
    {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}},
    {"name": "run", "in": "query", "required": False, "schema": {"type": "string"}},
]
Bodies = Mapping[tuple[str, str], type[BaseModel]]
"""Maps path and method to the class of the request."""


def described(app: FastAPI, bodies: Bodies) -> Callable[[], dict[str, Any]]:
    """Returns the function that builds the document."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(_document(app, bodies))
        return made

    return document


def _document(app: FastAPI, bodies: Bodies) -> dict[str, Any]:
    found = get_openapi(
        title=app.title,
        version=app.version,
        routes=app.routes,
        description="Embeds, searches, predicts, answers questions, captions, transcribes, generates and explains.",
    )
    models = sorted(set(bodies.values()), key=lambda model: model.__name__)
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    parts = found.setdefault("components", {})
    parts["schemas"] = {**schemas.get("$defs", {}), "Error": _ERROR}
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"token": []}, {}]
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            answers = operation.setdefault("responses", {})
            answers.pop("422", None)
            if path in _OTHER_CONTENT:
                answers["200"]["content"] = {kind: {} for kind in _OTHER_CONTENT[path]}
            for status, told in _WRONG.items():
                answers[status] = {
                    "description": told,
                    "content": _json("#/components/schemas/Error"),
                }
            if path.endswith("/{id}"):
                operation["parameters"] = [*operation.get("parameters", []), *_ITEM]
            model = bodies.get((path, method))
            if model is not None:
                operation["requestBody"] = _body(model.__name__)
    return found


def _body(name: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{name}"}
    form = {
        "type": "object",
        "properties": {PART: reference},
        "additionalProperties": {"type": "string", "contentMediaType": "application/octet-stream"},
    }
    return {
        "required": True,
        "content": {
            "application/json": {"schema": reference},
            "multipart/form-data": {"schema": form},
        },
    }


def _json(reference: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": reference}}}
