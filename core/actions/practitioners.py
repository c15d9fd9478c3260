"""People who work for organizations."""

from collections.abc import Mapping

from core.actions.acting import acting
from core.actions.organizations import add_member
from core.models import Organization, Practitioner, User
from core.policy.errors import Conflict
from core.policy.permissions import Permission
from core.policy.principal import Principal


def register_practitioner(
    *,
    actor: Principal,
    door: str,
    organization: Organization,
    role: str,
    email: str,
    columns: Mapping[str, object],
) -> Practitioner:
    """A new practitioner with a new account, which nobody can log in to before a password is set for it.

    The caller has fetched the organization with PRACTITIONER_MANAGE. `columns` are those of Practitioner. Raises
    Conflict for an e-mail that an account has: `give_role` is for those.
    """
    with acting(actor, door=door):
        if User.objects.filter(email=email.strip().lower()).exists():
            raise Conflict("There is an account with this e-mail: give it a role in the organization instead.")
        names = {"first_name": columns.get("name_given", ""), "last_name": columns.get("name_family", "")}
        user = User.objects.create_user(email, password=None, **names)
        practitioner = Practitioner.objects.create(user=user, **columns)
        add_member(user=user, organization=organization, role=role)
        return practitioner


def update_practitioner(
    *, actor: Principal, door: str, practitioner: Practitioner, changes: Mapping[str, object]
) -> Practitioner:
    """Change columns of a practitioner, whom the caller has fetched with PRACTITIONER_MANAGE."""
    with acting(actor, door=door):
        for name, value in changes.items():
            setattr(practitioner, name, value)
        practitioner.save(update_fields=list(changes))
        return practitioner


def delete_practitioner(*, actor: Principal, door: str, practitioner: Practitioner) -> None:
    """End somebody's work for every organization; their account stays, and can be given a role again.

    The caller has fetched them with PRACTITIONER_MANAGE. Raises Conflict when they also work for an organization whose
    practitioners the caller does not manage.
    """
    with acting(actor, door=door):
        managed = Organization.objects.visible_to(actor, Permission.PRACTITIONER_MANAGE)
        if practitioner.memberships.exclude(organization__in=managed).exists():
            raise Conflict(
                f"Practitioner {practitioner.pk} also works for an organization that you do not manage: "
                "remove them from yours instead."
            )
        practitioner.delete()
