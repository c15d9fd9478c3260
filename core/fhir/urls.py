"""`/FHIR/R5/…`, also `/fhir/r5/…`, with or without a final slash. Mounted at the root (jhe/urls.py)."""

from django.urls import include, re_path

from core.fhir import history_views, views
from core.fhir.bulk.urls import urlpatterns as bulk
from core.fhir.capability import CapabilityView
from core.fhir.door import UnknownView
from core.fhir.observation_operations import LastView, StatsView
from core.fhir.write_views import SystemWrites

_TYPE = r"(?P<type_name>[A-Za-z]+)"
_ID = r"(?P<id_>[A-Za-z0-9\-.]{1,64})"
_WITHIN = rf"(?P<owner>[A-Za-z]+)/{_ID}/(?P<type_name>[A-Za-z]+|\*)"

interactions = [
    *bulk,
    re_path(r"^$", SystemWrites.as_view()),
    re_path(r"^metadata/?$", CapabilityView.as_view()),
    re_path(r"^(?P<type_name>Patient)/\$everything/?$", views.EverythingView.as_view()),
    re_path(rf"^(?P<type_name>Patient)/{_ID}/\$everything/?$", views.EverythingView.as_view()),
    re_path(r"^(?P<type_name>Observation)/\$lastn/?$", LastView.as_view()),
    re_path(r"^(?P<type_name>Observation)/\$stats/?$", StatsView.as_view()),
    re_path(rf"^{_TYPE}/\$validate/?$", views.ValidateView.as_view()),
    re_path(rf"^{_TYPE}/{_ID}/\$validate/?$", views.ValidateView.as_view()),
    re_path(rf"^{_TYPE}/_search/?$", views.SearchView.as_view()),
    re_path(rf"^{_TYPE}/_history/?$", history_views.TypeHistoryView.as_view()),
    re_path(rf"^{_TYPE}/{_ID}/_history/?$", history_views.HistoryView.as_view()),
    re_path(rf"^{_TYPE}/{_ID}/_history/(?P<version_id>[A-Za-z0-9\-.]{{1,64}})/?$", history_views.VersionView.as_view()),
    re_path(rf"^{_TYPE}/?$", views.TypeView.as_view()),
    re_path(rf"^{_TYPE}/{_ID}/?$", views.InstanceView.as_view()),
    re_path(rf"^{_WITHIN}/?$", views.CompartmentView.as_view()),
    re_path(rf"^{_WITHIN}/_search/?$", views.CompartmentSearchView.as_view()),
    re_path(r"^.*$", UnknownView.as_view()),
]

urlpatterns = [re_path(r"^(?:FHIR/R5|fhir/r5)(?:/|$)", include(interactions))]
