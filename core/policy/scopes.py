"""What a token was given for: SMART App Launch 2.2 scopes, `<context>/<resource type>.<cruds>[?<parameter>=<value>]`.

`user/` is everything that the person may do themselves, `patient/` the same for one patient: the patient's own login,
or the patient that a practitioner chose for the app (`launch/patient`). `system/` is what a practitioner's own client
does without them. A scope narrows and never grants a row: that is the access views' part. REST asks for the scopes of
the FHIR types that its resources are.

Observations can be told apart by `code` or `category`. Here such a scope counts as one for observations; which of them,
is in what the token is narrowed to (core/models/narrowing.py), so that it is the access views' part as well.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

from core.policy.errors import InsufficientScope
from core.policy.principal import Principal, UserType

Interaction = Literal["c", "r", "u", "d", "s"]
"""create, read, update, delete, search: the letters of SMART v2, in its order."""

CONTEXTS = {
    "patient": "about you",
    "user": "on your behalf, as far as you may yourself",
    "system": "without you, as far as you may yourself",
}

TYPES = {
    "*": "everything that the exchange holds",
    "AuditEvent": "who looked at whose data",
    "Consent": "consents",
    "Device": "apps and devices that send data",
    "Group": "groups of patients",
    "Observation": "health data",
    "Organization": "organizations",
    "Patient": "records of patients",
    "Practitioner": "practitioners",
    "PractitionerRole": "roles of practitioners",
    "Provenance": "where data came from",
    "ResearchStudy": "studies",
}
"""The types of resources that are served here, in the words of the consent page."""

LAUNCH_PATIENT = "launch/patient"
"""The app wants to know which patient it is about (SMART App Launch 2.2, launch context)."""

PLAIN_SYSTEM_SCOPES = ("mcp",)
"""What a client that acts without its owner may have beside scopes for `system/`."""

_VERBS = {"c": "add", "r": "read", "u": "change", "d": "delete", "s": "search"}
_SCOPE = re.compile(
    r"(?P<context>patient|user|system)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<letters>(?=[cruds])c?r?u?d?s?)"
    r"(?:\?(?P<parameter>code|category)=(?P<value>[!-~]+))?"
)
_NOT_IN_A_VALUE = frozenset('"\\&,%?')


@dataclass(frozen=True, slots=True)
class ResourceScope:
    """`parameter` ("code" or "category") and `value`, as FHIR's search has them, are empty for all of the type."""

    context: str
    type: str
    letters: str
    parameter: str = ""
    value: str = ""

    def includes(self, asked: "ResourceScope") -> bool:
        """Whether whoever has this may have the other: not less of the same context."""
        return (
            self.context == asked.context
            and self.type in ("*", asked.type)
            and (not self.parameter or (self.parameter, self.value) == (asked.parameter, asked.value))
            and set(asked.letters) <= set(self.letters)
        )


def parse(scope: str) -> ResourceScope | None:
    """None for what is no scope of a resource that is served here."""
    match = _SCOPE.fullmatch(scope)
    if match is None or match["type"] not in TYPES:
        return None
    value = match["value"] or ""
    if match["parameter"] and (match["type"] != "Observation" or not _NOT_IN_A_VALUE.isdisjoint(value)):
        return None
    return ResourceScope(match["context"], match["type"], match["letters"], match["parameter"] or "", value)


def check_scope(principal: Principal, resource_type: str, interaction: Interaction) -> None:
    """Raises InsufficientScope when no scope of the token covers this interaction with this type of resource."""
    narrowed = principal.narrowing_id is not None
    if not _covers(principal.scopes, principal.user_type, narrowed, resource_type, interaction):
        raise InsufficientScope(f"{context_of(principal)}/{resource_type}.{interaction}")


def is_within(held: Iterable[str], asked: str) -> bool:
    """Whether somebody with the scopes `held` may be given `asked`: it is among them, or one of them includes it."""
    scope = parse(asked)
    if scope is None:
        return asked in held
    return any(one is not None and one.includes(scope) for one in map(parse, held))


def check_may_give(principal: Principal, scopes: Iterable[str]) -> None:
    """Refuse to let a token make something that can do more than it can itself. Raises InsufficientScope."""
    for given in scopes:
        scope = parse(given)
        if scope is None and given not in principal.scopes:
            raise InsufficientScope(given)
        for letter in scope.letters if scope else "":
            check_scope(principal, scope.type, letter)  # type: ignore[union-attr,arg-type] # one of the letters


def context_of(principal: Principal) -> str:
    """In which context such a caller is to ask for more."""
    if principal.user_type is UserType.PATIENT:
        return "patient"
    if any(scope.startswith("system/") for scope in principal.scopes):
        return "system"
    return "patient" if LAUNCH_PATIENT in principal.scopes else "user"


def counting(scopes: Iterable[str], user_type: UserType, *, narrowed: bool) -> Iterator[ResourceScope]:
    """Those that say something about resources to somebody of this type.

    A practitioner has `patient/` scopes only for a patient that they chose, which the token is narrowed to then.
    """
    scopes = frozenset(scopes)
    if user_type is UserType.PATIENT:
        contexts = {"patient", "user"}
    else:
        contexts = {"user", "system"} | ({"patient"} if narrowed and LAUNCH_PATIENT in scopes else set())
    for scope in map(parse, sorted(scopes)):
        if scope and scope.context in contexts and (narrowed or not scope.parameter):
            yield scope


OWN_CLIENTS = "own_clients"


def check_named_scope(principal: Principal, scope: str) -> None:
    """As check_scope, for one that no other includes: `mcp_tokens`, `own_clients`. What is made with them acts for the
    person after the client that made it was sent away, so each is said on the consent page by itself."""
    if scope not in principal.scopes:
        raise InsufficientScope(scope)


def resource_scopes(letters: tuple[str, ...]) -> Iterator[str]:
    """The scopes of these letters for every context and type that is served."""
    for context, resource_type, some in product(CONTEXTS, TYPES, letters):
        yield f"{context}/{resource_type}.{some}"


def sentence_of(scope: str, kind: str = "") -> str:
    """What a person allows with one of these scopes: "Read and search health data about you".

    `kind` says in words what its parameter tells apart: "blood glucose".
    """
    parsed = parse(scope)
    if parsed is None:
        raise ValueError("Not a scope of a resource that is served here.")
    verbs = [_VERBS[letter] for letter in parsed.letters]
    listed = " and ".join(filter(None, (", ".join(verbs[:-1]), verbs[-1])))
    return f"{listed.capitalize()} {kind or TYPES[parsed.type]} {CONTEXTS[parsed.context]}"


@lru_cache(1_000)
def _covers(
    scopes: frozenset[str], user_type: UserType, narrowed: bool, resource_type: str, interaction: Interaction
) -> bool:
    return any(
        scope.type in ("*", resource_type) and interaction in scope.letters
        for scope in counting(scopes, user_type, narrowed=narrowed)
    )
