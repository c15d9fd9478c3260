"""What belongs to a study: its patients, what it asks them for, and which data sources and clients it uses.

Each is a list at /studies/{id}/<part>, added to by POST and taken from by DELETE.
"""

from typing import Any

from rest_framework import serializers

from core.actions import enrolment, studies
from core.api.codes import CodeAnswer, CodeReference, code_of
from core.api.converters import ID
from core.api.data_sources import DataSourceAnswer
from core.api.patients import PatientAnswer, PatientView
from core.api.serializers import CamelCase, IdField, IdListField, PageQuery
from core.api.studies import StudyView
from core.api.views import DOOR, operation
from core.models import Client, DataSource, Patient, StudyClient, StudyPatient, StudyScopeRequest
from core.models.fetch import fetch
from core.policy.checks import no_such
from core.policy.errors import NotVisible
from core.policy.permissions import Permission


class EnrolmentAnswer(CamelCase):
    id = IdField()
    study_id = IdField()
    patient_id = IdField()
    enrolled_at = serializers.DateTimeField()


class EnrolmentsAnswer(CamelCase):
    """Those that the request named, whether they are new or not."""

    study_patients = EnrolmentAnswer(many=True)


class ScopeRequestAnswer(CamelCase):
    id = IdField()
    study_id = IdField()
    scope_code = CodeAnswer(source="code")


class ClientName(CamelCase):
    id = IdField()
    name = serializers.CharField(allow_blank=True)
    client_id = serializers.CharField()


class StudyClientAnswer(CamelCase):
    id = IdField()
    study_id = IdField()
    client = ClientName()


class DataSourceReference(CamelCase):
    data_source_id = IdField()


class ClientReference(CamelCase):
    client_id = serializers.CharField(max_length=100)


class PatientIds(CamelCase):
    aliases = {"patientId": "patientIds"}

    patient_ids = IdListField()


class StudyPatients(PatientView, StudyView):
    @operation("Patient.s", query=PageQuery, answer=PatientAnswer)
    def get(self, pk: int) -> Any:
        study = self.study(pk, Permission.PATIENT_READ)
        enrolled = StudyPatient.objects.visible_to(self.principal).filter(study=study)
        return self.patients().visible_to(self.principal).filter(pk__in=enrolled.values("patient"))

    @operation("ResearchStudy.u", body=PatientIds, answer=EnrolmentsAnswer)
    def post(self, pk: int) -> Any:
        study, patients = self.study(pk, Permission.ENROLMENT_MANAGE), self.named()
        enrolment.enrol_all(actor=self.principal, door=DOOR, patients=patients, study=study)
        return {"study_patients": study.enrolments.filter(patient__in=patients)}

    @operation("ResearchStudy.u", body=PatientIds)
    def delete(self, pk: int) -> None:
        study, patients = self.study(pk, Permission.ENROLMENT_MANAGE), self.named()
        enrolment.withdraw_all(actor=self.principal, door=DOOR, patients=patients, study=study)

    def named(self) -> list[Patient]:
        """The patients that the body names, or the refusal of the first whom the person may not enrol."""
        ids = sorted(set(self.body["patient_ids"]))
        self.touched(ids)
        rows = Patient.objects.all()
        found = {row.pk: row for row in rows.visible_to(self.principal, Permission.ENROLMENT_MANAGE).filter(pk__in=ids)}
        return [found.get(pk) or fetch(rows, pk, self.principal, Permission.ENROLMENT_MANAGE) for pk in ids]


class StudyScopeRequests(StudyView):
    @operation("ResearchStudy.r", query=PageQuery, answer=ScopeRequestAnswer, counted=True)
    def get(self, pk: int) -> Any:
        return StudyScopeRequest.objects.filter(study=self.study(pk)).select_related("code")

    @operation("ResearchStudy.u", body=CodeReference, answer=ScopeRequestAnswer)
    def post(self, pk: int) -> Any:
        study, code = self.study(pk, Permission.STUDY_MANAGE), code_of(self.body, self.principal)
        return studies.request_scope(actor=self.principal, door=DOOR, study=study, code=code)

    @operation("ResearchStudy.u", body=CodeReference)
    def delete(self, pk: int) -> None:
        study, code = self.study(pk, Permission.STUDY_MANAGE), code_of(self.body, self.principal)
        if not studies.end_scope_request(actor=self.principal, door=DOOR, study=study, code_id=code.pk):
            raise NotVisible(f"Study {pk} does not request scope {code.pk}.")


class StudyDataSources(StudyView):
    @operation("ResearchStudy.r", query=PageQuery, answer=DataSourceAnswer, counted=True)
    def get(self, pk: int) -> Any:
        sources = DataSource.objects.visible_to(self.principal).prefetch_related("supported_scopes")
        return sources.filter(pk__in=self.study(pk).data_source_links.values("data_source"))

    @operation("ResearchStudy.u", body=DataSourceReference, answer=DataSourceAnswer)
    def post(self, pk: int) -> Any:
        study, source = self.study(pk, Permission.STUDY_MANAGE), self.data_source()
        studies.add_data_source(actor=self.principal, door=DOOR, study=study, data_source=source)
        return source

    @operation("ResearchStudy.u", body=DataSourceReference)
    def delete(self, pk: int) -> None:
        study, source = self.study(pk, Permission.STUDY_MANAGE), self.data_source()
        if not studies.remove_data_source(actor=self.principal, door=DOOR, study=study, data_source_id=source.pk):
            raise NotVisible(f"Study {pk} does not use data source {source.pk}.")

    def data_source(self) -> DataSource:
        sources = DataSource.objects.prefetch_related("supported_scopes")
        return fetch(sources, self.body["data_source_id"], self.principal)


class StudyClients(StudyView):
    @operation("ResearchStudy.r", query=PageQuery, answer=StudyClientAnswer, counted=True)
    def get(self, pk: int) -> Any:
        return StudyClient.objects.filter(study=self.study(pk)).select_related("client")

    @operation("ResearchStudy.u", body=ClientReference, answer=StudyClientAnswer)
    def post(self, pk: int) -> Any:
        study, client = self.study(pk, Permission.STUDY_MANAGE), self.client()
        return studies.add_client(actor=self.principal, door=DOOR, study=study, client=client)

    @operation("ResearchStudy.u", body=ClientReference)
    def delete(self, pk: int) -> None:
        study, client = self.study(pk, Permission.STUDY_MANAGE), self.client()
        if not studies.remove_client(actor=self.principal, door=DOOR, study=study, client_pk=client.pk):
            raise NotVisible(f"Client {client.client_id} does not send data for study {pk}.")

    def client(self) -> Client:
        """By its OAuth client_id, which is no secret, or by the number of its row, if the person sees it."""
        name: str = self.body["client_id"]
        client = Client.objects.filter(client_id=name).first()
        if client is None and ID.fullmatch(name):
            client = Client.objects.visible_to(self.principal).filter(pk=int(name)).first()
        if client is None:
            raise NotVisible(no_such("client", name))
        return client
