"""FHIR as JSON, in and out (FHIR R5 http.html#mime-type). Other formats are refused: 406 and 415."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from core.nesting import nests_too_deep

FHIR_JSON = "application/fhir+json"
JSON = "application/json"
JSON_PATCH = "application/json-patch+json"


class FhirRenderer(BaseRenderer):
    """A resource as `dict`, with parts that are JSON already as `orjson.Fragment`; or `bytes`, sent as they are."""

    media_type = FHIR_JSON
    format = "fhir"
    charset = None

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        if data is None or isinstance(data, bytes):
            return data or b""
        is_pretty = context and context["request"].query_params.get("_pretty") == "true"
        return orjson.dumps(data, option=orjson.OPT_INDENT_2 if is_pretty else None)


class JsonRenderer(FhirRenderer):
    media_type = JSON
    format = "json"


class FhirParser(BaseParser):
    """Any JSON value. Refused: what is no JSON (RFC 8259), and the character NUL, which the database cannot keep."""

    media_type = FHIR_JSON

    def parse(self, stream: IO[bytes], *_: Any, **__: Any) -> Any:
        body = stream.read()
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error.msg}, line {error.lineno} column {error.colno}.") from error
        if nests_too_deep(value):
            raise ParseError("The body nests deeper than any resource does.")
        if b"\\u0000" in body and _holds_nul(value):
            raise ParseError("The body holds the character NUL (\\u0000), which cannot be kept: leave it out.")
        return value


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(inner) for key, inner in value.items())
    return isinstance(value, list) and any(map(_holds_nul, value))


class JsonParser(FhirParser):
    media_type = JSON


class JsonPatchParser(FhirParser):
    media_type = JSON_PATCH


class FhirNegotiation(DefaultContentNegotiation):
    """`Accept`, or `_format`, which wins over it (FHIR R5 http.html#parameters)."""

    _FORMATS: Mapping[str, str] = {"json": FHIR_JSON, FHIR_JSON: FHIR_JSON, JSON: JSON, "text/json": JSON}

    def get_accept_list(self, request: Request) -> list[str]:
        wanted = request.query_params.get("_format", "").replace(" ", "+")  # an unescaped + arrives as a space
        if wanted:
            return [self._FORMATS.get(wanted, wanted)]
        return super().get_accept_list(request)
