"""Who works where."""

from django.db import transaction

from core.models import Organization, Practitioner, PractitionerOrganization, User


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
