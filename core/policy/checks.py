"""Early refusals, before a row is looked up. They raise, with a sentence; rows are the access views' business."""

from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import roles_granting


def check_claim_reaches_study(principal: Principal, study_id: int) -> None:
    """Refuse a study that the token's claims leave out. Passing grants nothing: the database still decides."""
    if principal.user_type is not UserType.PRACTITIONER:
        return
    limits = principal.limits
    if limits is None or (not limits.truncated and study_id not in limits.studies):
        raise NotVisible(no_such("study", study_id))


def check_role_grants(role: str, permission: Permission) -> None:
    """Refuse what a role that the person does hold on the row does not include."""
    if role not in roles_granting(permission):
        raise PermissionDenied(f"Your role '{role}' does not include {permission}.")


def no_such(kind: str, key: object) -> str:
    """Missing and forbidden look the same: this is the one sentence for both."""
    return f"No {kind} {key} that you can see."
