"""The routes of the REST door, below /api/v1/. None ends with a slash."""

from django.urls import path, re_path, register_converter

from core.api import organizations
from core.api.converters import IdConverter
from core.api.views import NoSuchRoute

register_converter(IdConverter, "id")

urlpatterns = [
    path("organizations", organizations.OrganizationList.as_view()),
    path("organizations/<id:pk>", organizations.OrganizationDetail.as_view()),
    re_path("", NoSuchRoute.as_view()),
]
