"""The routes of the REST door, below /api/v1/. None ends with a slash."""

from django.urls import path, re_path, register_converter

from core.api import (
    clients,
    codes,
    consents,
    data_sources,
    invitations,
    members,
    observations,
    organizations,
    patients,
    practitioners,
    settings,
    studies,
    study_parts,
    users,
)
from core.api.converters import IdConverter
from core.api.views import NoSuchRoute

register_converter(IdConverter, "id")

urlpatterns = [
    path("users/profile", users.Profile.as_view()),
    path("clients", clients.ClientList.as_view()),
    path("clients/<id:pk>", clients.ClientDetail.as_view()),
    path("invitation", invitations.InvitationList.as_view()),
    path("invitation/<id:pk>", invitations.InvitationDetail.as_view()),
    path("invitation/<str:token>", invitations.InvitationToken.as_view()),
    path("settings", settings.SettingList.as_view()),
    path("settings/<str:key>", settings.SettingDetail.as_view()),
    path("organizations", organizations.OrganizationList.as_view()),
    path("organizations/types", organizations.OrganizationTypes.as_view()),
    path("organizations/<id:pk>", organizations.OrganizationDetail.as_view()),
    path("organizations/<id:pk>/tree", organizations.OrganizationTreeView.as_view()),
    path("organizations/<id:pk>/users", members.Members.as_view()),
    path("organizations/<id:pk>/user", members.AddMember.as_view()),
    path("organizations/<id:pk>/remove_user", members.RemoveMember.as_view()),
    path("organizations/<id:pk>/studies", studies.OrganizationStudies.as_view()),
    path("practitioners", practitioners.PractitionerList.as_view()),
    path("practitioners/<id:pk>", practitioners.PractitionerDetail.as_view()),
    path("studies", studies.StudyList.as_view()),
    path("studies/<id:pk>", studies.StudyDetail.as_view()),
    path("studies/<id:pk>/patients", study_parts.StudyPatients.as_view()),
    path("studies/<id:pk>/scope_requests", study_parts.StudyScopeRequests.as_view()),
    path("studies/<id:pk>/data_sources", study_parts.StudyDataSources.as_view()),
    path("studies/<id:pk>/clients", study_parts.StudyClients.as_view()),
    path("data_sources", data_sources.DataSourceList.as_view()),
    path("data_sources/all_scopes", data_sources.AllScopes.as_view()),
    path("data_sources/<id:pk>", data_sources.DataSourceDetail.as_view()),
    path("data_sources/<id:pk>/supported_scopes", data_sources.SupportedScopes.as_view()),
    path("codes", codes.CodeList.as_view()),
    path("codes/<id:pk>", codes.CodeDetail.as_view()),
    path("patients", patients.PatientList.as_view()),
    path("patients/me", patients.PatientMe.as_view()),
    path("patients/global_lookup", patients.PatientLookup.as_view()),
    path("patients/<id:pk>", patients.PatientDetail.as_view()),
    path("patients/<id:pk>/consents", consents.PatientConsents.as_view()),
    path("patients/<id:pk>/organizations/<id:organization_id>", patients.OrganizationMembership.as_view()),
    path("observations", observations.ObservationList.as_view()),
    path("observations/<id:pk>", observations.ObservationDetail.as_view()),
    re_path("", NoSuchRoute.as_view()),
]
