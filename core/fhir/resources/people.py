"""Who did something, as a reference: for AuditEvent.agent and Provenance.agent."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from oauth2_provider.models import Application

from core.fhir.elements import OUR_CODES, reference
from core.fhir.errors import Resource
from core.fhir.search.references import Target
from core.models import Patient, Practitioner, User
from core.policy.principal import Principal

USER_SYSTEM = f"{OUR_CODES}/user"
NOBODY: Resource = {"display": "The exchange itself"}


def _practitioners(_principal: Principal) -> QuerySet[Any]:
    """Every practitioner is named to whoever may see what they did."""
    return Practitioner.objects.all()


PEOPLE = {
    "Practitioner": Target(column="user_id", key="user_id", among=_practitioners),
    "Patient": Target(column="user_id", key="user_id", among=Patient.objects.visible_to),
}
"""How rows with a `user_id` refer to people, for search."""


def users(user_ids: Iterable[int | None], principal: Principal) -> Mapping[int | None, Resource]:
    """References to these users: in two queries for all of them.

    A patient is named to those alone who may read the patient; to everybody else they are some patient.
    """
    wanted = {user_id for user_id in user_ids if user_id is not None}
    found = User.objects.filter(pk__in=wanted).select_related("practitioner", "patient")
    known = set(Patient.objects.visible_to(principal).filter(user__in=wanted).values_list("user_id", flat=True))
    return {None: NOBODY} | {user.pk: _user(user, is_known=user.pk in known) for user in found}


def _user(user: User, *, is_known: bool) -> Resource:
    if hasattr(user, "practitioner"):
        return reference("Practitioner", user.practitioner.pk, str(user.practitioner))
    if not hasattr(user, "patient"):
        name = f"{user.first_name} {user.last_name}".strip() or "A user"
        return {"identifier": {"system": USER_SYSTEM, "value": str(user.pk)}, "display": name}
    if not is_known:
        return {"type": "Patient", "display": "A patient"}
    return reference("Patient", user.patient.pk)


def clients(client_ids: Iterable[str]) -> Mapping[str, Resource]:
    """References to OAuth clients, by their client_id."""
    names = dict(Application.objects.filter(client_id__in=set(client_ids)).values_list("client_id", "name"))
    return {
        client_id: {"type": "Device", "identifier": {"value": client_id}, "display": names.get(client_id) or client_id}
        for client_id in client_ids
        if client_id
    }
