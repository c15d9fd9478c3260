"""allauth's pages below /accounts/, and in front of them what differs."""

from django.urls import include, path

from core.accounts import openid
from core.accounts.codes import CodesView
from core.accounts.saml import FinishSamlView

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", openid.login),
    path("oidc/<slug:provider_id>/login/callback/", openid.callback),
    path("saml/<slug:organization_slug>/acs/finish/", FinishSamlView.as_view()),
    path("codes/", CodesView.as_view(), name="sign_up_codes"),
    path("", include("allauth.urls")),
]
