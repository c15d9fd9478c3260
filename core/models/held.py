"""What a caller can do, somewhere or at one place."""

from core.models.access import Access, CatalogueAccess, OrganizationAccess, StudyAccess
from core.models.patient import Patient
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import SELF, roles_for


def studies_held(principal: Principal, most: int) -> list[tuple[int, str]]:
    """The first so many studies that a caller reaches, each with a role in it."""
    return _held(StudyAccess, "study_id", principal, most)


def organizations_held(principal: Principal, most: int) -> list[tuple[int, str]]:
    """The same for organizations."""
    return _held(OrganizationAccess, "organization_id", principal, most)


def roles_held(principal: Principal) -> set[str]:
    """All that a caller is, at any place and at none."""
    at_places = (_roles(view, principal) for view in (OrganizationAccess, StudyAccess))
    return roles_at_no_place(principal).union(*at_places)


def roles_at_no_place(principal: Principal) -> set[str]:
    """What a caller is to the catalogue, and to themselves if they are a patient, whom no narrowing leaves out."""
    is_patient = Patient.objects.filter(user_id=principal.user_id).exists()
    return _roles(CatalogueAccess, principal) | ({SELF.code} if is_patient else set())


def roles_in_study(principal: Principal, study_id: int) -> set[str]:
    """None when the caller does not reach it, or there is none."""
    return _roles(StudyAccess, principal, study_id=study_id)


def roles_in_organization(principal: Principal, organization_id: int) -> set[str]:
    """None when the caller does not reach it, or there is none."""
    return _roles(OrganizationAccess, principal, organization_id=organization_id)


def permissions_held(principal: Principal, roles: set[str]) -> frozenset[Permission]:
    """What these roles let the caller do, as far as their token goes."""
    return frozenset(permission for permission in Permission if roles.intersection(roles_for(principal, permission)))


def _held(view: type[Access], column: str, principal: Principal, most: int) -> list[tuple[int, str]]:
    rows = view.of(principal).order_by(column, "role").values_list(column, "role").distinct()
    return list(rows[:most])


def _roles(view: type[Access], principal: Principal, **where: object) -> set[str]:
    rows = view.of(principal).filter(**where)
    return set(rows.order_by().values_list("role", flat=True).distinct())
