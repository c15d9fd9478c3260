"""Early refusals, before a row is looked up. They raise, with a sentence; rows are the access views' business."""

from core.policy.errors import NotVisible, PermissionDenied
from core.policy.permissions import Permission
from core.policy.principal import Principal, UserType
from core.policy.roles import roles_granting

MAX_NAMED = 20
"""Studies that a refusal lists."""


def check_claim_reaches_study(principal: Principal, study_id: int) -> None:
    """Refuse a study that the token's claims leave out. Passing grants nothing: the database still decides."""
    if principal.user_type is not UserType.PRACTITIONER:
        return
    limits = principal.limits
    if limits is None or (not limits.truncated and study_id not in limits.studies):
        raise NotVisible(no_such("study", study_id))


def check_token_names_study(principal: Principal, study_id: int) -> None:
    """Refuse a study that a token for certain studies does not name: the same answer whether there is one or not."""
    if principal.studies is not None and study_id not in principal.studies:
        raise PermissionDenied(_only_for(sorted(principal.studies)))


def _only_for(studies: list[int]) -> str:
    if len(studies) < 2:
        return f"This token is for the study {studies[0]} only." if studies else "This token is for no study any more."
    listed = ", ".join(map(str, studies[:MAX_NAMED]))
    more = f" and {len(studies) - MAX_NAMED} more" if len(studies) > MAX_NAMED else ""
    return f"This token is for the studies {listed}{more} only."


def check_is_not_narrowed(principal: Principal) -> None:
    """Refuse a token that can do less than its person, where something is made that can do more than the token."""
    if not principal.acts_in_full:
        raise PermissionDenied("The token is narrowed, and this is for its person alone: log in without narrowing.")


def check_may_give_role(principal: Principal, role: str) -> None:
    """Refuse a token that gives more than it can do itself."""
    granted = frozenset(permission for permission in Permission if role in roles_granting(permission))
    if principal.permissions is not None and not granted <= principal.permissions:
        raise PermissionDenied(f"The token does not include all that the role {role} does.")


def check_role_grants(role: str, permission: Permission) -> None:
    """Refuse what a role that the person does hold on the row does not include."""
    if role not in roles_granting(permission):
        raise PermissionDenied(f"Your role '{role}' does not include {permission}.")


def check_token_includes(principal: Principal, permission: Permission) -> None:
    """Refuse what the token leaves out, where an empty answer would look as if there were nothing."""
    if principal.permissions is not None and permission not in principal.permissions:
        raise PermissionDenied(f"The token does not include {permission}.")


def no_such(kind: str, key: object) -> str:
    """Missing and forbidden look the same: this is the one sentence for both."""
    return f"No {kind} {key} that you can see."
