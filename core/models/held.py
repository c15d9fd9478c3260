"""What a caller can do, somewhere or at one place."""

from core.models.access import Access, CatalogueAccess, OrganizationAccess, PatientAccess, StudyAccess
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import SELF, roles_for


def roles_held(principal: Principal, *, study_id: int | None = None, organization_id: int | None = None) -> set[str]:
    """The roles that the access views give a caller; of one study or organization, if it is named: none when the caller
    does not reach it."""
    if study_id is not None:
        return _roles(StudyAccess, principal, study_id=study_id)
    if organization_id is not None:
        return _roles(OrganizationAccess, principal, organization_id=organization_id)
    everywhere = (OrganizationAccess, StudyAccess, CatalogueAccess)
    own = _roles(PatientAccess, principal, role=SELF.code)
    return own.union(*(_roles(view, principal) for view in everywhere))


def permissions_held(principal: Principal, roles: set[str]) -> frozenset[Permission]:
    """What these roles let the caller do, as far as their token goes."""
    return frozenset(permission for permission in Permission if roles.intersection(roles_for(principal, permission)))


def _roles(view: type[Access], principal: Principal, **where: object) -> set[str]:
    rows = view.of(principal).filter(**where)
    return set(rows.order_by().values_list("role", flat=True).distinct())
