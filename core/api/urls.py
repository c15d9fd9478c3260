"""The routes of the REST door, below /api/v1/. None ends with a slash."""

from django.urls import path, re_path, register_converter

from core.api import organizations, patients
from core.api.converters import IdConverter
from core.api.views import NoSuchRoute

register_converter(IdConverter, "id")

urlpatterns = [
    path("organizations", organizations.OrganizationList.as_view()),
    path("organizations/<id:pk>", organizations.OrganizationDetail.as_view()),
    path("patients", patients.PatientList.as_view()),
    path("patients/me", patients.PatientMe.as_view()),
    path("patients/global_lookup", patients.PatientLookup.as_view()),
    path("patients/<id:pk>", patients.PatientDetail.as_view()),
    path("patients/<id:pk>/organizations/<id:organization_id>", patients.OrganizationMembership.as_view()),
    re_path("", NoSuchRoute.as_view()),
]
