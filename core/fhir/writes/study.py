from typing import Any

from core.actions.enrolment import enrol, withdraw_from_study
from core.actions.studies import create_study, delete_study, end_scope_request, request_scope, update_study
from core.fhir.errors import Issue, Resource, Unprocessable
from core.fhir.writes import parts
from core.fhir.writes.writer import DOOR, Writer
from core.models import CodeableConcept, Organization, Patient, Study, StudyPatient
from core.models.fetch import fetch
from core.policy.permissions import Permission
from core.policy.principal import Principal


class ResearchStudyWriter(Writer):
    """FHIR R5 ResearchStudy. The organization that runs it is the party (or the site) that is one of ours."""

    name = "ResearchStudy"

    def create(self, principal: Principal, resource: Resource) -> str:
        study = create_study(
            actor=principal,
            door=DOOR,
            organization=_organization(principal, _organization_id(resource)),
            **_columns(resource),
        )
        _request(principal, study, resource)
        return str(study.pk)

    def update(self, principal: Principal, row: Study, resource: Resource) -> None:
        study = _managed(principal, row.pk)
        changes = _columns(resource)
        if (organization_id := _organization_id(resource)) != study.organization_id:
            changes["organization"] = _organization(principal, organization_id)
        update_study(actor=principal, door=DOOR, study=study, changes=changes)
        _request(principal, study, resource)

    def delete(self, principal: Principal, row: Study) -> None:
        delete_study(actor=principal, door=DOOR, study=_managed(principal, row.pk))


class GroupWriter(Writer):
    """FHIR R5 Group: who takes part in a study. A member who comes is enrolled, one who goes is withdrawn."""

    name = "Group"
    instead = {
        "create": "a Group is those who take part in a ResearchStudy and comes with it: create that",
        "delete": "a Group goes with its ResearchStudy: delete that, or take the members out of the Group",
    }

    def update(self, principal: Principal, row: Study, resource: Resource) -> None:
        study = fetch(Study.objects.all(), row.pk, principal, Permission.ENROLMENT_MANAGE)
        wanted = {
            parts.referenced(member.get("entity"), "Patient", f"Group.member[{place}].entity")
            for place, member in enumerate(resource.get("member", []))
        }
        known = StudyPatient.objects.visible_to(principal).filter(study=study)
        there = set(known.values_list("patient_id", flat=True))
        for patient_id in sorted(wanted - there):
            enrol(actor=principal, door=DOOR, patient=_patient(principal, patient_id), study=study)
        for patient_id in sorted(there - wanted):
            withdraw_from_study(actor=principal, door=DOOR, patient=_patient(principal, patient_id), study=study)


def _managed(principal: Principal, id_: int) -> Study:
    return fetch(Study.objects.all(), id_, principal, Permission.STUDY_MANAGE)


def _patient(principal: Principal, id_: int) -> Patient:
    return fetch(Patient.objects.all(), id_, principal, Permission.ENROLMENT_MANAGE)


def _organization(principal: Principal, id_: int) -> Organization:
    return fetch(Organization.objects.all(), id_, principal, Permission.STUDY_MANAGE)


def _organization_id(resource: Resource) -> int:
    parties = [party.get("party") for party in resource.get("associatedParty", [])] + resource.get("site", [])
    ours = [party for party in parties if "Organization/" in str((party or {}).get("reference", ""))]
    if not ours:
        place = "ResearchStudy.associatedParty"
        raise Unprocessable(Issue("required", f"{place} names no organization: a study is run by one.", place))
    return parts.referenced(ours[0], "Organization", "ResearchStudy.associatedParty")


def _columns(resource: Resource) -> dict[str, Any]:
    return parts.fitting(
        Study,
        "ResearchStudy",
        {
            "name": resource.get("title") or parts.required(resource, "name", "people find a study by its title"),
            "description": resource.get("description", ""),
        },
    )


def _request(principal: Principal, study: Study, resource: Resource) -> None:
    """Ask for the kinds of data in `focus`, and no more for others. What has answers is not ended in passing."""
    concepts = [focus.get("concept", {}) for focus in resource.get("focus", [])]
    named = set(parts.codes_of(concepts))
    codes = CodeableConcept.objects.filter(coding_code__in=[code for _, code in named])
    wanted = {code.pk: code for code in codes if (code.coding_system, code.coding_code) in named}
    requested = set(study.scope_requests.values_list("code_id", flat=True))
    for code_id in sorted(wanted.keys() - requested):
        request_scope(actor=principal, door=DOOR, study=study, code=wanted[code_id])
    for code_id in sorted(requested - wanted.keys()):
        if study.consents.filter(code_id=code_id).exists():
            sentence = (
                f"ResearchStudy.focus leaves out a kind of data that patients have answered: keep it, or end it with "
                f"DELETE /api/v1/studies/{study.pk}/scope_requests."
            )
            raise Unprocessable(Issue("business-rule", sentence, "ResearchStudy.focus"))
        end_scope_request(actor=principal, door=DOOR, study=study, code_id=code_id)
