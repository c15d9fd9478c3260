"""What people change of themselves."""

from collections.abc import Mapping
from typing import Any

from core.actions.acting import acting, record_write
from core.models import User
from core.policy.checks import check_is_not_narrowed
from core.policy.principal import Principal

OWN = frozenset({"first_name", "last_name", "settings"})
"""The columns that people change themselves; roles and e-mail are not among them."""


def update_profile(*, actor: Principal, door: str, changes: Mapping[str, Any]) -> None:
    """Change some of one's own columns. Raises PermissionDenied to a token that can do less than its person."""
    check_is_not_narrowed(actor)
    with acting(actor, door=door):
        User.objects.filter(pk=actor.user_id).update(**{name: changes[name] for name in OWN & changes.keys()})
        record_write(actor, door=door, action="update_profile", patient_ids=[])
