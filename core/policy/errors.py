"""Every error the project raises on purpose; each door turns them into its own words, once.

DomainError
├── NotAuthenticated     who you are is not established (REST 401, MCP 401)
├── NotVisible           it does not exist, or you may not see it: the same answer (404)
├── PermissionDenied     you may see it, but not do this with it (403)
│   └── InsufficientScope    you may, but the token was not given for it: names the scope to ask for (403)
├── InvalidInput         the request itself is wrong; says what would be right (400)
├── Conflict             the request is right, but not in this state (409)
├── Expired              it was there, and its time is over (410)
└── Unavailable          a part that is needed does not answer; try again (503)
"""


class DomainError(Exception):
    """A sentence for the person who asked; never holds patient data, tokens or secrets."""


class NotAuthenticated(DomainError):  # noqa: N818 - the field's own words, without "Error"
    pass


class NotVisible(DomainError):  # noqa: N818
    pass


class PermissionDenied(DomainError):  # noqa: N818
    pass


class InsufficientScope(PermissionDenied):
    """RFC 6750 §3.1: a door also names `scope` in WWW-Authenticate, so that a client can ask for it."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"The token has no scope for this: ask for {scope}, or a broader one.")
        self.scope = scope


class InvalidInput(DomainError):  # noqa: N818
    pass


class Conflict(DomainError):  # noqa: N818
    pass


class Expired(DomainError):  # noqa: N818
    pass


class Unavailable(DomainError):  # noqa: N818
    pass
