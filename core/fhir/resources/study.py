"""A study has two faces, under one id: what it is (ResearchStudy), and who takes part in it (Group)."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from core.fhir.elements import coded, instant, kind_of_data, reference, resource
from core.fhir.errors import Resource
from core.fhir.resource import ResourceType
from core.fhir.search.parameters import String, Within
from core.fhir.search.references import Reference, Target
from core.fhir.search.tokens import Fixed, Token
from core.models import Study, StudyPatient, StudyScopeRequest
from core.policy.checks import check_token_names_study
from core.policy.principal import Principal

PARTY_ROLE = "http://hl7.org/fhir/research-study-party-role"


def _requests(_principal: Principal) -> QuerySet[Any]:
    """Those of studies that the caller reads are the caller's to read."""
    return StudyScopeRequest.objects.all()


class StudyFace(ResourceType):
    def check_named(self, principal: Principal, ids: Iterable[str]) -> None:
        for study_id in self.keys(ids):
            check_token_names_study(principal, study_id)

    def visible_to(self, principal: Principal) -> QuerySet[Any]:
        return Study.objects.visible_to(principal)


class ResearchStudyType(StudyFace):
    """FHIR R5 ResearchStudy. `focus` is what the study asks its patients for."""

    name = "ResearchStudy"
    history_of = Study
    search_parameters = {
        "description": String(definition="ResearchStudy-description", columns=("description",)),
        "focus-code": Token(
            definition="ResearchStudy-focus-code",
            code="code__coding_code",
            system_column="code__coding_system",
            text="code__text",
            within=Within(rows=_requests, owner="study_id"),
        ),
        "site": Reference(definition="ResearchStudy-site", targets={"Organization": Target(column="organization_id")}),
        "status": Fixed(
            definition="ResearchStudy-status", code="active", system="http://hl7.org/fhir/publication-status"
        ),
        "title": String(definition="ResearchStudy-title", columns=("name",)),
    }

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("organization", "scope_requests__code")

    def render_one(self, row: Study) -> Resource:
        organization = reference("Organization", row.organization_id, row.organization.name)
        return resource(
            row,
            "ResearchStudy",
            self.id_of(row),
            title=row.name,
            status="active",
            description=row.description,
            focus=[{"concept": kind_of_data(request.code)} for request in row.scope_requests.all()],
            associatedParty=[{"role": coded(PARTY_ROLE, "sponsor", "sponsor"), "party": organization}],
            site=[organization],
            recruitment={"actualGroup": reference("Group", row.pk)},
        )


class GroupType(StudyFace):
    """FHIR R5 Group: the study's patients, those of them that the caller may know of."""

    name = "Group"
    same_for_everybody = False
    computed = frozenset({"quantity"})
    search_parameters = {
        "managing-entity": Reference(
            definition="Group-managing-entity", targets={"Organization": Target(column="organization_id")}
        ),
        "member": Reference(
            definition="Group-member",
            targets={"Patient": Target(column="patient_id")},
            within=Within(rows=StudyPatient.objects.visible_to, owner="study_id"),
        ),
        "membership": Fixed(
            definition="Group-membership", code="enumerated", system="http://hl7.org/fhir/group-membership-basis"
        ),
        "name": String(definition="Group-name", columns=("name",)),
        "type": Fixed(definition="Group-type", code="person", system="http://hl7.org/fhir/group-type"),
    }

    def fetched(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.prefetch_related("organization")

    def patient_ids(self, row: Study) -> Iterable[int]:
        members: list[StudyPatient] = getattr(row, "members", [])
        return [member.patient_id for member in members]

    def render(self, rows: Sequence[Study], principal: Principal) -> list[Any]:
        members = defaultdict(list)
        for enrolment in StudyPatient.objects.visible_to(principal).filter(study__in=rows).order_by("pk"):
            members[enrolment.study_id].append(enrolment)
        for row in rows:
            row.members = members[row.pk]  # type: ignore[attr-defined]
        return super().render(rows, principal)

    def render_one(self, row: Any) -> Resource:
        return resource(
            row,
            "Group",
            self.id_of(row),
            active=True,
            type="person",
            membership="enumerated",
            name=row.name,
            description=row.description,
            quantity=len(row.members),
            managingEntity=reference("Organization", row.organization_id, row.organization.name),
            member=[
                {
                    "entity": reference("Patient", member.patient_id),
                    "period": {"start": instant(member.enrolled_at)},
                }
                for member in row.members
            ],
        )
