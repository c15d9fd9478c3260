"""Where a page begins: after the last row of the page before, sealed, because sort keys can be names and birth dates.

A cursor belongs to one person and one search. It says where to go on and never what may be seen.
"""

import base64
import hashlib
from functools import cache
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from core.fhir.search.parameters import malformed


def seal(position: list[Any], *, belongs_to: str) -> str:
    return _fernet().encrypt(orjson.dumps([_digest(belongs_to), position])).decode().rstrip("=")


def unseal(cursor: str, *, belongs_to: str) -> list[Any]:
    """Raises InvalidResource for what was not sealed for this person and search."""
    try:
        digest, position = orjson.loads(_fernet().decrypt(cursor + "=" * (-len(cursor) % 4)))
    except (InvalidToken, ValueError):
        raise _foreign() from None
    if digest != _digest(belongs_to):
        raise _foreign()
    found: list[Any] = position
    return found


def _foreign() -> Exception:
    return malformed("_page", "belongs to no search of yours: follow the link to the next page, or begin again.")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@cache
def _fernet() -> Fernet:
    key = hashlib.sha256(b"core.fhir.search.cursor " + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))
