"""What an MCP token looks like: `jhe_pat_`, 40 random characters, and a checksum of 6.

    jhe_pat_8fJ2…Qx0aB3dE

The prefix lets secret scanners find a token that leaked, and the checksum (CRC-32 of all before it, in base 62) lets
them and us tell one from a guess without asking a database. The checksum proves nothing: that a token stands is looked
up, by its hash. 40 characters of 62 are 238 bits.
"""

import hashlib
import re
import secrets
import string
import zlib
from collections.abc import Collection

from core.policy.permissions import Permission

PREFIX = "jhe_pat_"
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH = 40
CHECKSUM_LENGTH = 6
"""62 ** 6 is more than 2 ** 32."""

_FORMAT = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")


GRANTABLE = frozenset(Permission) - {Permission.TOKEN_MANAGE}
"""What an MCP token can be given. None makes other tokens or clients, which could outlive it."""
READING = frozenset(permission for permission in Permission if permission.endswith(":read"))
"""What one is given when nobody says what."""


def scope_for(permissions: Collection[Permission]) -> str:
    """The scopes of a token that can do this at most (core/policy/scopes.py); the permissions are what narrows it."""
    return f"mcp user/*.{'rs' if READING.issuperset(permissions) else 'cruds'}"


def new_token() -> str:
    body = PREFIX + "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(token: str) -> bool:
    """Whether it can be an MCP token: format and checksum. Any text may be asked about."""
    return bool(_FORMAT.fullmatch(token)) and token[-CHECKSUM_LENGTH:] == _checksum(token[:-CHECKSUM_LENGTH])


def token_hash(token: str) -> str:
    """What is kept of a token, and finds it in `access_token`: SHA-256 in hexadecimal.

    Nothing slower is needed, because nobody can try out 238 bits.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
