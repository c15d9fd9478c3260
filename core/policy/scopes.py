"""What a token was given for: SMART App Launch 2.2 scopes, `<context>/<resource type>.<cruds>`.

`user/` is everything that the person may do themselves, `patient/` the same for the patient's own data. A scope
narrows and never grants a row: that is the access views' part. REST asks for the scopes of the FHIR types that its
resources are.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Literal

from core.policy.errors import InsufficientScope
from core.policy.principal import Principal, UserType

Interaction = Literal["c", "r", "u", "d", "s"]
"""create, read, update, delete, search: the letters of SMART v2, in its order."""

CONTEXTS = {"patient": "about you", "user": "on your behalf, as far as you may yourself"}

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

_VERBS = {"c": "add", "r": "read", "u": "change", "d": "delete", "s": "search"}
_SCOPE = re.compile(r"(?P<context>patient|user)/(?P<type>\*|[A-Z][A-Za-z]+)\.(?P<letters>(?=.)c?r?u?d?s?)")


def check_scope(principal: Principal, resource_type: str, interaction: Interaction) -> None:
    """Raises InsufficientScope when no scope of the token covers this interaction with this type of resource."""
    if not _covers(principal.scopes, principal.user_type, resource_type, interaction):
        context = "patient" if principal.user_type is UserType.PATIENT else "user"
        raise InsufficientScope(f"{context}/{resource_type}.{interaction}")


def check_named_scope(principal: Principal, scope: str) -> None:
    """As check_scope, for one that no other includes: `mcp_tokens`."""
    if scope not in principal.scopes:
        raise InsufficientScope(scope)


def resource_scopes(letters: tuple[str, ...]) -> Iterator[str]:
    """The scopes of these letters for every context and type that is served."""
    for context, resource_type, some in product(CONTEXTS, TYPES, letters):
        yield f"{context}/{resource_type}.{some}"


def every_resource_scope() -> Iterator[str]:
    """Each scope that a client may ask for: any of the five letters, at least one, in their order."""
    subsets = ("".join(chosen) for chosen in product(*(("", letter) for letter in _VERBS)))
    return resource_scopes(tuple(letters for letters in subsets if letters))


def sentence_of(scope: str) -> str:
    """What a person allows with one of these scopes: "Read and search health data about you"."""
    match = _SCOPE.fullmatch(scope)
    if match is None or match["type"] not in TYPES:
        raise ValueError("Not a scope of a resource that is served here.")
    verbs = [_VERBS[letter] for letter in match["letters"]]
    listed = " and ".join(filter(None, (", ".join(verbs[:-1]), verbs[-1])))
    return f"{listed.capitalize()} {TYPES[match['type']]} {CONTEXTS[match['context']]}"


@lru_cache(1_000)
def _covers(scopes: frozenset[str], user_type: UserType, resource_type: str, interaction: str) -> bool:
    return any(
        (match := _SCOPE.fullmatch(scope))
        and match["type"] in ("*", resource_type)
        and interaction in match["letters"]
        and (match["context"] == "user" or user_type is UserType.PATIENT)
        for scope in scopes
    )
