"""JSON in and out, and nothing else: 415 and 406."""

import json
import re
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

MEDIA_TYPE = "application/json"

# In JSON a NUL can only stand escaped (RFC 8259 §7); after a backslash that is escaped itself it is no escape.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class JsonRenderer(BaseRenderer):
    """What is JSON already is passed on as `orjson.Fragment`."""

    media_type = MEDIA_TYPE
    format = "json"
    charset = None

    def render(self, data: Any, *_: Any, **__: Any) -> bytes:
        if data is None:
            return b""
        try:
            return orjson.dumps(data)
        except TypeError:  # an integer past 64 bits: a data point may hold one, and a float of that size comes back so
            return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()


class JsonParser(BaseParser):
    """Any JSON value without a NUL, which the database cannot keep. Of a name that comes twice the last one counts."""

    media_type = MEDIA_TYPE

    def parse(self, stream: IO[bytes], *_: Any, **__: Any) -> Any:
        body = stream.read()
        if _NUL.search(body):
            raise ParseError("The body holds the character NUL (\\u0000), which cannot be kept: leave it out.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error.msg}, line {error.lineno} column {error.colno}.") from error
