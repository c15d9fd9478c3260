"""Below `/FHIR/R5/`, before what takes any word for a type of resources."""

from django.urls import re_path

from core.fhir.bulk import import_views, views

_JOB = r"bulk/(?P<job_id>[0-9]{1,19})"

urlpatterns = [
    re_path(r"^\$export/?$", views.ExportView.as_view()),
    re_path(r"^(?P<type_name>Patient)/\$export/?$", views.ExportView.as_view()),
    re_path(r"^(?P<type_name>Group)/(?P<id_>[A-Za-z0-9\-.]{1,64})/\$export/?$", views.ExportView.as_view()),
    re_path(r"^\$import/?$", import_views.ImportView.as_view()),
    re_path(rf"^{_JOB}/?$", views.StatusView.as_view()),
    re_path(
        rf"^{_JOB}/(?P<part>output|error)/(?P<file_type>[A-Za-z]+)-(?P<number>[0-9]{{1,9}})\.ndjson$",
        views.FileView.as_view(),
    ),
]
