"""The OpenAPI 3.1 document, made of the endpoints and their pydantic models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from bot.api.endpoints import PREFIX, Endpoint
from bot.api.models import ErrorAnswer

REFUSALS = {
    "401": "The token is missing, wrong or revoked.",
    "404": "There is no such thing.",
    "409": "The conversation is not in a state for this.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "The request is not valid; the message says where.",
    "503": "The database cannot be reached; nothing was stored.",
}


def make_document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """The document as JSON-ready values."""
    models = {
        model
        for endpoint in endpoints
        for model in (endpoint.body, endpoint.answer, ErrorAnswer)
        if model is not None
    }
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Frontdesk",
            "version": version,
            "description": "The help desk's HTTP API. Errors always are "
            '`{"error": {"code", "message"}}`.',
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {str(endpoint.status): _success(endpoint), **_refusals()},
    }
    if endpoint.is_public:
        operation["security"] = []
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(endpoint.body)}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    words = re.findall(r"[A-Za-z0-9]+", endpoint.path)
    return "_".join([endpoint.method.lower(), *words])


def _success(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.media_type is not None:
        schema = {"type": "string", "format": "binary"}
        return {"description": "Done.", "content": {endpoint.media_type: {"schema": schema}}}
    if endpoint.answer is None:
        return {"description": "Done; there is no body."}
    content = _json(endpoint.answer)
    if endpoint.streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    return {"description": "Done.", "content": content}


def _refusals() -> dict[str, Any]:
    return {
        status: {"description": description, "content": _json(ErrorAnswer)}
        for status, description in REFUSALS.items()
    }


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": parameter.description,
            "schema": {"type": parameter.kind},
        }
        for parameter in endpoint.query
    ]


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
