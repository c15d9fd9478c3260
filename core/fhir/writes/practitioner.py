from typing import Any

from core.actions.organizations import give_role, take_role
from core.actions.practitioners import delete_practitioner, update_practitioner
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.resources.practitioner import ROLE_SYSTEM
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import Organization, Practitioner, PractitionerOrganization
from core.models.fetch import fetch
from core.policy.errors import Conflict
from core.policy.permissions import Permission
from core.policy.principal import Principal
from core.policy.roles import PRACTITIONER_ROLES


class PractitionerWriter(Writer):
    """FHIR R5 Practitioner: what a manager may correct. An account, with its e-mail, is made over REST."""

    name = "Practitioner"
    instead = {"create": "somebody comes with an account and a first role: POST /api/v1/practitioners makes them all"}

    def update(self, principal: Principal, row: Practitioner, resource: Resource) -> None:
        identifiers = resource.get("identifier", [])
        columns = {
            **parts.names_of(resource.get("name", [])),
            "identifier": identifiers[0].get("value", "") if identifiers else "",
            "birth_date": parts.whole_date(resource.get("birthDate")),
            "telecom_phone": parts.telecom_of(resource.get("telecom", []), "phone"),
        }
        email = parts.telecom_of(resource.get("telecom", []), "email")
        if email and email.lower() != row.user.email:
            sentence = "An e-mail is what somebody logs in with: it is not changed over FHIR."
            raise Unprocessable(Issue("business-rule", sentence, "Practitioner.telecom"))
        update_practitioner(
            actor=principal,
            door=DOOR,
            practitioner=fetch(Practitioner.objects.all(), row.pk, principal, Permission.PRACTITIONER_MANAGE),
            changes=parts.fitting(Practitioner, "Practitioner", columns),
        )

    def delete(self, principal: Principal, row: Practitioner) -> None:
        practitioner = fetch(Practitioner.objects.all(), row.pk, principal, Permission.PRACTITIONER_MANAGE)
        delete_practitioner(actor=principal, door=DOOR, practitioner=practitioner)


class PractitionerRoleWriter(Writer):
    """FHIR R5 PractitionerRole: the one role of a colleague in an organization that the caller manages."""

    name = "PractitionerRole"

    def create(self, principal: Principal, resource: Resource) -> str:
        named = parts.required(resource, "practitioner", "a role is somebody's")
        practitioner_id = parts.referenced(named, "Practitioner", "PractitionerRole.practitioner")
        where = parts.required(resource, "organization", "a role is held in an organization")
        organization_id = parts.referenced(where, "Organization", "PractitionerRole.organization")
        known = PractitionerOrganization.objects.visible_to(principal)
        if there := known.filter(practitioner=practitioner_id, organization=organization_id).first():
            raise Conflict(f"PractitionerRole/{there.pk} is this practitioner's role there already: update it.")
        return self._give(principal, practitioner_id, organization_id, resource)

    def update(self, principal: Principal, row: PractitionerOrganization, resource: Resource) -> None:
        self._give(principal, row.practitioner_id, row.organization_id, resource)

    def delete(self, principal: Principal, row: PractitionerOrganization) -> None:
        take_role(
            actor=principal,
            door=DOOR,
            organization=self._managed(principal, row.organization_id),
            user_id=row.practitioner.user_id,
        )

    def _give(self, principal: Principal, practitioner_id: int, organization_id: int, resource: Resource) -> str:
        practitioner = fetch(Practitioner.objects.all(), practitioner_id, principal)
        membership = give_role(
            actor=principal,
            door=DOOR,
            organization=self._managed(principal, organization_id),
            role=_role(resource),
            user_id=practitioner.user_id,
        )
        return str(membership.pk)

    def _managed(self, principal: Principal, id_: int) -> Organization:
        return fetch(Organization.objects.all(), id_, principal, Permission.PRACTITIONER_MANAGE)


def _role(resource: Resource) -> str:
    known: list[Any] = [role.code for role in PRACTITIONER_ROLES]
    for system, code in parts.codes_of(resource.get("code", [])):
        if system == ROLE_SYSTEM and code in known:
            return code
    sentence = f"PractitionerRole.code needs one of {', '.join(known)} of {ROLE_SYSTEM}."
    raise Unprocessable(Issue("value", sentence, "PractitionerRole.code"))
