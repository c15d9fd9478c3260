"""The claims of one person, computed from the access views."""

from typing import Any

from core.models import Organization, OrganizationAccess, Study, User
from core.policy import claims
from core.policy.permissions import Permission
from core.policy.principal import OrganizationRole, Principal, UserType


def claims_of(user: User, narrowing_id: int | None = None) -> dict[str, Any]:
    """`user_type`, `user_id` and, for a practitioner, `jhe_permissions` (core/policy/claims.py has the shape).

    Of a narrowed token they are what is left. At most one row more is read than the claims hold: a superuser reaches
    everything.
    """
    principal = Principal(user_id=user.pk, user_type=user.user_type, narrowing_id=narrowing_id)
    if principal.user_type is not UserType.PRACTITIONER:
        return claims.claims_for(principal, studies=(), organizations=())
    studies = Study.objects.visible_to(principal).order_by("pk").values_list("pk", flat=True)
    return claims.claims_for(
        principal,
        studies=studies[: claims.MAX_STUDIES + 1],
        organizations=_organizations(principal),
    )


def _organizations(principal: Principal) -> list[OrganizationRole]:
    reached = OrganizationAccess.granting(principal, Permission.ORGANIZATION_READ)
    roles = list(
        reached.order_by("organization_id", "role").values_list("organization_id", "role")[
            : claims.MAX_ORGANIZATIONS + 1
        ]
    )
    names = dict(Organization.objects.filter(pk__in=[pk for pk, _ in roles]).values_list("pk", "name"))
    return [OrganizationRole(pk, names[pk], role) for pk, role in roles]
