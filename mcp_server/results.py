"""Answers become results here: a sentence for people, the same answer as JSON for programs, never too long."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mcp_types import CallToolResult, TextContent
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from core.policy.errors import InvalidInput
from mcp_server.times import Window
from mcp_server.tool import Answer

MAX_CHARACTERS = 20_000
MAX_TOKENS = 8_000
"""Of one answer. Times and numbers, as series have them, run into this limit first, words into the other."""
_HEADROOM = 1_000
_SOME = 200
_TOKEN = re.compile(rb"[A-Za-z]{1,6}|[0-9]{1,3}|[^A-Za-z0-9]{1,3}")

Position = TypeVar("Position")


def answered(answer: Answer) -> CallToolResult:
    """The result of a tool. The JSON goes out as text too, because many hosts show a model nothing else.

    Raises InvalidInput when it is too long for a host to read.
    """
    text = to_json(answer.body)
    if _is_too_long(text):
        raise InvalidInput("The answer would be too long to read: ask for less, such as one patient or fewer days.")
    return CallToolResult(
        content=[TextContent(text=answer.text), TextContent(text=text.decode())], structured_content=answer.body
    )


def fits(body: dict[str, Any]) -> bool:
    """Whether it can be an answer's, and some more words go with it."""
    return not _is_too_long(to_json(body), _SOME)


def shortened(body: dict[str, Any], rows: str, limit: int) -> dict[str, Any]:
    """`body` with at most `limit` of its `rows`, and no more than fit into one answer. Sets `returned`, `truncated`.

    The question asks for `limit + 1` rows, so that one too many tells that there are more.
    """
    found: list[dict[str, Any]] = body[rows]
    kept = found[: _fitting(found[:limit])]
    return {**body, rows: kept, "returned": len(kept), "truncated": len(kept) < len(found)}


def page(
    body: dict[str, Any], rows: str, limit: int, position: Callable[[dict[str, Any]], Sequence[Any]]
) -> dict[str, Any]:
    """`body`, shortened, with the `next_cursor`; `position(row)` is what the next page continues after."""
    short = shortened(body, rows, limit)
    return {**short, "next_cursor": cursor(position(short[rows][-1])) if short["truncated"] and short[rows] else None}


def counted(page: dict[str, Any], what: str, narrower: str) -> str:
    """`Studies: 5.`, or `Studies: 120, 50 of them here. Pass next_cursor as cursor for more, or narrow with …`"""
    if page["truncated"]:
        more = f"Pass next_cursor as cursor for more, or narrow with {narrower}."
        return f"{what}: {page['total']}, {page['returned']} of them here. {more}"
    if page["returned"] < page["total"]:
        return f"{what}: {page['total']}, the last {page['returned']} of them here."
    return f"{what}: {page['total']}."


def why_empty(over: Window, n: int, *, readable: bool, data: str = "data") -> str:
    """Why there is nothing of a patient, where that is known: a sentence after a space, or nothing where there is."""
    if not readable:
        return f" No consent lets you read this patient's {data}."
    if n or over == Window():
        return ""
    return " There is nothing in this window: get_patient_date_range says from when to when there is."


def cursor(position: Sequence[Any]) -> str:
    """Opaque to clients. It holds a position and no right: every page is looked up as the caller, like the first."""
    return base64.urlsafe_b64encode(to_json(list(position))).decode().rstrip("=")


def position_of(cursor: str | None, shape: type[Position]) -> Position | None:
    """What `cursor` continues after, as a `shape` such as `tuple[datetime, int]`; None for the first page.

    Raises InvalidInput.
    """
    if cursor is None:
        return None
    try:
        return TypeAdapter(shape).validate_json(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValidationError, ValueError) as error:
        raise InvalidInput("This cursor is not a next_cursor of this tool: call it without one to begin.") from error


def tokens_at_most(text: bytes) -> int:
    """What a model reads of UTF-8 text, counted generously: o200k_base and cl100k_base make fewer tokens of answers."""
    return len(_TOKEN.findall(text))


def _is_too_long(text: bytes, more: int = 0) -> bool:
    """`more` characters, or tokens, are to be left."""
    length = len(text) + more
    return length > MAX_CHARACTERS or (length > MAX_TOKENS and tokens_at_most(text) + more > MAX_TOKENS)


def _fitting(rows: list[dict[str, Any]]) -> int:
    texts = [to_json(row) for row in rows]
    characters, tokens = MAX_CHARACTERS - _HEADROOM, MAX_TOKENS - _HEADROOM
    if sum(map(len, texts)) + len(texts) <= tokens:
        return len(rows)
    for count, text in enumerate(texts):
        characters -= len(text) + 1
        tokens -= tokens_at_most(text) + 1
        if min(characters, tokens) < 0:
            return count
    return len(rows)
