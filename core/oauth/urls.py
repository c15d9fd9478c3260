"""The authorization server's endpoints, mounted at /o/. The names are the library's, which builds URLs from them."""

from django.urls import path
from oauth2_provider.views import RevokeTokenView, UserInfoView

from core.oauth.introspection import introspect
from core.oauth.keys import jwks
from core.oauth.metadata import metadata
from core.oauth.smart import smart_configuration
from core.oauth.views import AuthorizationView, TokenView

app_name = "oauth2_provider"

well_known = [
    path(".well-known/openid-configuration", metadata),
    path(".well-known/oauth-authorization-server", metadata),
]

smart = [
    path(".well-known/smart-configuration", smart_configuration),
    *(path(f"{base}/.well-known/smart-configuration", smart_configuration) for base in ("FHIR/R5", "fhir/r5")),
]

urlpatterns = [
    *well_known,
    path(".well-known/jwks.json", jwks, name="jwks-info"),
    path("authorize/", AuthorizationView.as_view(), name="authorize"),
    path("token/", TokenView.as_view(), name="token"),
    path("revoke_token/", RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect/", introspect, name="introspect"),
    path("userinfo/", UserInfoView.as_view(), name="user-info"),
]
