from django.contrib import admin
from django.urls import include, path

from core.oauth.urls import account, smart, well_known

urlpatterns = [
    path("", include("core.web.urls")),
    path("", include([*well_known, *smart])),
    path("accounts/", include("core.accounts.urls")),
    path("account/", include(account)),
    path("o/", include("core.oauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("core.fhir.urls")),
    path("api/v1/", include("core.api.urls")),
    path("api/schema/", include("core.api.schema")),
]
