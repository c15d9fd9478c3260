"""A patient takes part in a study only while they belong to the organization that runs it: held by the database."""

import pytest
from django.db import IntegrityError, transaction

from core.models import (
    ConsentHistory,
    PatientOrganization,
    StudyPatient,
    StudyPatientScopeConsent,
)
from core.models.refusals import sentence_of
from tests.factories import ConsentFactory, EnrolmentFactory, OrganizationFactory, PatientFactory, StudyFactory

pytestmark = pytest.mark.django_db


def test_a_patient_of_another_organization_cannot_be_enrolled_by_any_path():
    study, stranger = StudyFactory(), PatientFactory(organizations=[OrganizationFactory()])
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        StudyPatient.objects.bulk_create([StudyPatient(study=study, patient=stranger)])
    assert "add the patient to the study's organization first" in sentence_of(refusal.value)


def test_leaving_the_organization_ends_enrolments_and_consents_and_keeps_the_history():
    given = ConsentFactory()
    elsewhere = ConsentFactory(patient=given.patient)
    PatientOrganization.objects.get(patient=given.patient, organization=given.study.organization).delete()
    assert StudyPatient.objects.get().study == elsewhere.study
    assert StudyPatientScopeConsent.objects.get() == elsewhere
    ended = ConsentHistory.objects.filter(study_id=given.study_id).order_by("id")
    assert list(ended.values_list("before", "after")) == [(None, True), (True, None)]


def test_a_study_moves_only_to_an_organization_that_all_of_its_patients_belong_to():
    enrolment, new = EnrolmentFactory(), OrganizationFactory()
    study = enrolment.study
    study.organization = new
    with pytest.raises(IntegrityError), transaction.atomic():
        study.save()
    PatientOrganization.objects.create(patient=enrolment.patient, organization=new)
    study.save()
    PatientOrganization.objects.get(patient=enrolment.patient, organization=new).delete()
    assert not StudyPatient.objects.exists()


def test_deleting_a_patient_or_a_study_still_works():
    first, second = EnrolmentFactory(), EnrolmentFactory()
    first.patient.delete()
    second.study.delete()
    assert not StudyPatient.objects.exists()
