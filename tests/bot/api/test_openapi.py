"""The OpenAPI document is valid and says what the router does."""

from __future__ import annotations

from typing import Any

from openapi_spec_validator import validate

from tests.served import Client, app_of


async def document(client: Client) -> dict[str, Any]:
    async with client.get("/api/v1/openapi.json") as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_the_document_is_valid_openapi(client: Client) -> None:
    validate(await document(client))


async def test_every_route_of_the_api_is_described_and_nothing_else(client: Client) -> None:
    described = {
        (method.upper(), path)
        for path, methods in (await document(client))["paths"].items()
        for method in methods
    }
    routed = {
        (route.method, route.resource.canonical)
        for route in app_of(client).router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith("/api/")
        and route.method != "HEAD"  # aiohttp adds it to every GET
    }
    assert described == routed


async def test_the_answer_of_ask_has_the_promised_fields(client: Client) -> None:
    schemas = (await document(client))["components"]["schemas"]
    promised = {"action", "text", "confidence", "citations", "language", "run_id", "timings"}
    assert promised <= set(schemas["AskAnswer"]["properties"])
    assert {"external_id", "title", "quote", "score", "used"} <= set(
        schemas["AskCitation"]["properties"]
    )
