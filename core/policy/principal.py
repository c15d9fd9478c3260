"""Who is asking, as a door established it. Frozen: nobody gains a right on the way."""

from dataclasses import dataclass, field
from enum import StrEnum

from core.policy.permissions import Permission


class UserType(StrEnum):
    PATIENT = "patient"
    PRACTITIONER = "practitioner"


@dataclass(frozen=True, slots=True)
class OrganizationRole:
    id: int
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What `jhe_permissions` says. It may refuse early and never grants; `truncated` narrows nothing."""

    studies: frozenset[int] = frozenset()
    organizations: tuple[OrganizationRole, ...] = ()
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Principal:
    user_id: int
    user_type: UserType
    client_id: str = ""
    scopes: frozenset[str] = frozenset()
    token_key: str = field(default="", repr=False)
    """Finds the token in `access_token`: SHA-256 (hex) of an access token, or the `jti` of an ID token."""
    limits: TokenLimits | None = None
    source: str = ""
    """The address that the request comes from, for the audit trail (core/policy/source.py)."""
    narrowing_id: int | None = None
    """What the token is narrowed to, below what the person may (core/models/narrowing.py); None for everything."""
    permissions: frozenset[Permission] | None = None
    """What the token can do at most; None for everything that the person can."""
    studies: frozenset[int] | None = None
    """The studies that an MCP token names, where it is for nothing else; None for every other token."""

    @property
    def caller_id(self) -> int:
        """For whom the access views answer: what the token is narrowed to, else the person."""
        return self.user_id if self.narrowing_id is None else self.narrowing_id

    @property
    def acts_in_full(self) -> bool:
        """Whether the token can do all that its person can."""
        return self.narrowing_id is None and self.permissions is None and self.studies is None
