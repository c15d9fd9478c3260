"""Organizations, and who works where."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import Q

from core.actions.acting import acting
from core.models import Organization, OrganizationClient, Practitioner, PractitionerOrganization, User
from core.models.organization import ROOT_ID
from core.policy.checks import check_may_give_role, no_such
from core.policy.errors import Conflict, InvalidInput, NotVisible
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import MANAGER


@transaction.atomic
def add_member(*, user: User, organization: Organization, role: str) -> PractitionerOrganization:
    """Give a user a role in an organization, as a practitioner, which they become if they were none.

    The caller may manage the organization's practitioners (PRACTITIONER_MANAGE).
    """
    practitioner, _ = Practitioner.objects.get_or_create(
        user=user, defaults={"name_given": user.first_name, "name_family": user.last_name}
    )
    membership, _ = PractitionerOrganization.objects.update_or_create(
        practitioner=practitioner, organization=organization, defaults={"role": role}
    )
    return membership


def create_organization(
    *,
    actor: Principal,
    door: str,
    part_of: Organization,
    name: str,
    type: str,  # noqa: A002 - the field's name
) -> Organization:
    """A new organization below `part_of`, which the caller has fetched with ORGANIZATION_MANAGE.

    Roles do not inherit down the tree, so whoever makes one becomes its manager, if they are a practitioner.
    """
    _check_type(type)
    with acting(actor, door=door):
        organization = Organization.objects.create(name=name, type=type, part_of=part_of)
        if practitioner := Practitioner.objects.filter(user_id=actor.user_id).first():
            PractitionerOrganization.objects.create(
                practitioner=practitioner, organization=organization, role=MANAGER.code
            )
        return organization


def update_organization(
    *, actor: Principal, door: str, organization: Organization, changes: Mapping[str, object]
) -> Organization:
    """Change columns of an organization; `part_of` moves it, with all below it.

    The caller has fetched it, and where it is to go, with ORGANIZATION_MANAGE. Raises Conflict for the root, which
    stays where and what it is; a database rule refuses a loop.
    """
    if organization.pk == ROOT_ID:
        if changes.keys() & {"part_of", "type"}:
            raise Conflict("The root of all organizations is part of none and keeps its type.")
    elif "type" in changes:
        _check_type(str(changes["type"]))
    with acting(actor, door=door):
        for name, value in changes.items():
            setattr(organization, name, value)
        organization.save(update_fields=list(changes))
        return organization


def delete_organization(*, actor: Principal, door: str, organization: Organization) -> None:
    """Delete an organization that nothing depends on. The caller has fetched it with ORGANIZATION_MANAGE.

    Raises Conflict while it has sub-organizations, studies, patients or clients. Its practitioners only lose their
    role in it.
    """
    if organization.pk == ROOT_ID:
        raise Conflict("The root of all organizations stays.")
    with acting(actor, door=door):
        # The lock: nothing comes to depend on it between the question and the end.
        locked = Organization.objects.select_for_update().get(pk=organization.pk)
        for kind, dependants in (
            ("sub-organizations", locked.children),
            ("studies", locked.studies),
            ("patients", locked.patient_organizations),
            ("OAuth clients", OrganizationClient.objects.filter(organization=locked)),
        ):
            if dependants.exists():
                raise Conflict(f"Organization {locked.pk} has {kind}: move or delete them first.")
        locked.delete()


def give_role(
    *,
    actor: Principal,
    door: str,
    organization: Organization,
    role: str,
    user_id: int | None = None,
    email: str | None = None,
) -> PractitionerOrganization:
    """Give a role in an organization to an account that is there, or change it: a colleague's by id, any by e-mail.

    The caller has fetched the organization with PRACTITIONER_MANAGE. Nobody but a superuser gives a superuser a role,
    and the account of a patient does not become a practitioner's. Raises NotVisible, with one sentence for all of it:
    what is asked for is not to be learned from the refusal. Raises PermissionDenied to a token that could not itself do
    what it gives: the role would outlive it.
    """
    check_may_give_role(actor, role)
    accounts = User.objects.filter(is_active=True).filter(
        Q(is_superuser=False)
        | Q(practitioner__in=Practitioner.objects.visible_to(actor, Permission.PRACTITIONER_MANAGE))
    )
    if user_id is not None:
        known = Practitioner.objects.visible_to(actor)
        user = accounts.filter(pk=user_id, practitioner__in=known).first()
    else:
        nobodys_patient = Q(practitioner__isnull=False) | Q(patient__isnull=True)
        user = accounts.filter(nobodys_patient, email=str(email).strip().lower()).first()
    if user is None:
        raise NotVisible("No such account that you can give a role: name a colleague by id, anybody else by e-mail.")
    with acting(actor, door=door):
        return add_member(user=user, organization=organization, role=role)


def take_role(*, actor: Principal, door: str, organization: Organization, user_id: int) -> None:
    """End somebody's role in an organization. Their account, and their roles elsewhere, stay.

    The caller has fetched the organization with PRACTITIONER_MANAGE. Raises NotVisible for who has no role in it, or
    is a superuser, and the caller is none.
    """
    managed = Practitioner.objects.visible_to(actor, Permission.PRACTITIONER_MANAGE)
    with acting(actor, door=door):
        ended, _ = PractitionerOrganization.objects.filter(
            organization=organization, practitioner__user_id=user_id, practitioner__in=managed
        ).delete()
    if not ended:
        raise NotVisible(no_such("user", user_id))


def _check_type(code: str) -> None:
    if code == Organization.Type.ROOT:
        raise InvalidInput("type: There is one root of all organizations: choose another type.")
