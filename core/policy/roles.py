"""Who can do what: role -> permissions. On which rows is the access views' part (core/sql).

Roles of practitioners are per organization and do not inherit down the organization tree.
`superuser`, `participant`, `self`, `named`, `owner` and `anybody` are given by the access views, never stored.
"""

from dataclasses import dataclass

from core.policy.permissions import Permission as Can
from core.policy.principal import Principal


@dataclass(frozen=True, slots=True)
class Role:
    code: str
    sentence: str
    permissions: frozenset[Can]


_READ = frozenset(
    {
        Can.CONSENT_READ,
        Can.OBSERVATION_READ,
        Can.ORGANIZATION_READ,
        Can.PATIENT_READ,
        Can.PRACTITIONER_READ,
        Can.STUDY_READ,
    }
)
_CARE = _READ | {
    Can.CONSENT_WRITE,
    Can.ENROLMENT_MANAGE,
    Can.OBSERVATION_WRITE,
    Can.PATIENT_MANAGE,
    Can.STUDY_MANAGE,
}
_MANAGE = _CARE | {Can.ACCESS_LOG_READ, Can.ORGANIZATION_MANAGE, Can.PRACTITIONER_MANAGE, Can.TOKEN_MANAGE}

VIEWER = Role("viewer", "Reads the organization's studies, patients and consented data.", _READ)
MEMBER = Role("member", "Also manages patients, studies and enrolments.", _CARE)
MANAGER = Role("manager", "Also manages practitioners, sub-organizations and tokens.", _MANAGE)
SUPERUSER = Role(
    "superuser",
    "Manages everything; observations stay gated by consent.",
    _MANAGE | {Can.CATALOGUE_MANAGE, Can.CATALOGUE_READ, Can.SYSTEM_EXPORT},
)
PARTICIPANT = Role("participant", "A patient enrolled in the study.", frozenset({Can.STUDY_READ}))
SELF = Role(
    "self",
    "The patient whose data it is.",
    frozenset(
        {
            Can.ACCESS_LOG_READ,
            Can.CONSENT_READ,
            Can.CONSENT_WRITE,
            Can.OBSERVATION_READ,
            Can.OBSERVATION_WRITE,
            Can.PATIENT_READ,
        }
    ),
)

OWNER = Role("owner", "Whose MCP token or client it is.", frozenset({Can.STUDY_READ, Can.TOKEN_MANAGE}))

ANYBODY = Role(
    "anybody",
    "Everybody who has logged in: the catalogue of kinds of data and of what sends them is the same for all.",
    frozenset({Can.CATALOGUE_READ}),
)

NAMED = Role(
    "named",
    "Knows the organization that runs a study, and nothing else of it: a token that is narrowed to that study.",
    frozenset({Can.ORGANIZATION_READ}),
)

PRACTITIONER_ROLES = (VIEWER, MEMBER, MANAGER)
"""The roles that an organization gives; the others follow from who somebody is."""

ALL_ROLES = (*PRACTITIONER_ROLES, SUPERUSER, PARTICIPANT, SELF, NAMED, OWNER, ANYBODY)


def roles_granting(permission: Can) -> list[str]:
    """The role codes that include a permission, for `role = ANY(...)` against an access view."""
    return [role.code for role in ALL_ROLES if permission in role.permissions]


def roles_for(principal: Principal, permission: Can) -> list[str]:
    """As `roles_granting`, for one caller: none when the token leaves the permission out."""
    if principal.permissions is not None and permission not in principal.permissions:
        return []
    return roles_granting(permission)


def permissions_left(principal: Principal, role: Role) -> list[Can]:
    """What a role lets one caller do: all that it includes, as far as the token leaves it."""
    return sorted(role.permissions if principal.permissions is None else role.permissions & principal.permissions)
