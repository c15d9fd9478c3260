"""`/FHIR/R5/…`, also `/fhir/r5/…`, with or without a final slash. Mounted at the root (jhe/urls.py)."""

from django.urls import include, re_path

from core.fhir import views
from core.fhir.bulk.urls import urlpatterns as bulk
from core.fhir.door import UnknownView

_TYPE = r"(?P<type_name>[A-Za-z]+)"
_ID = r"(?P<id_>[A-Za-z0-9\-.]{1,64})"

interactions = [
    *bulk,
    re_path(rf"^{_TYPE}/_search/?$", views.SearchView.as_view()),
    re_path(rf"^{_TYPE}/?$", views.TypeView.as_view()),
    re_path(rf"^{_TYPE}/{_ID}/?$", views.InstanceView.as_view()),
    re_path(r"^.*$", UnknownView.as_view()),
]

urlpatterns = [re_path(r"^(?:FHIR/R5|fhir/r5)(?:/|$)", include(interactions))]
