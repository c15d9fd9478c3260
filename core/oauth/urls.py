"""The authorization server's endpoints, mounted at /o/. The names are the library's, which builds URLs from them."""

from django.urls import path
from oauth2_provider.views import UserInfoView

from core.oauth.authorization import AuthorizationView
from core.oauth.connected_apps import AppsView, AppView
from core.oauth.device import DeviceAuthorizationView, DeviceView
from core.oauth.introspection import IntrospectionView
from core.oauth.keys import jwks
from core.oauth.logout import LogoutView
from core.oauth.metadata import metadata
from core.oauth.peers.pages import AnswerView, PeersView, PeerView
from core.oauth.registration import RegistrationManagementView, RegistrationView
from core.oauth.smart import smart_configuration
from core.oauth.views import RevocationView, TokenView

app_name = "oauth2_provider"

well_known = [
    path(".well-known/openid-configuration", metadata),
    path(".well-known/oauth-authorization-server", metadata),
]

smart = [
    path(".well-known/smart-configuration", smart_configuration),
    *(path(f"{base}/.well-known/smart-configuration", smart_configuration) for base in ("FHIR/R5", "fhir/r5")),
]

account = [
    path("apps/", AppsView.as_view(), name="apps"),
    path("apps/<int:pk>/", AppView.as_view(), name="app"),
    path("peers/", PeersView.as_view(), name="peers"),
    path("peers/<int:pk>/", PeerView.as_view(), name="peer"),
    path("peers/answer/", AnswerView.as_view(), name="peer-answer"),
]

urlpatterns = [
    *well_known,
    path(".well-known/jwks.json", jwks, name="jwks-info"),
    path("authorize/", AuthorizationView.as_view(), name="authorize"),
    path("token/", TokenView.as_view(), name="token"),
    path("device-authorization/", DeviceAuthorizationView.as_view(), name="device-authorization"),
    path("device/", DeviceView.as_view(), name="device"),
    path("revoke_token/", RevocationView.as_view(), name="revoke-token"),
    path("introspect/", IntrospectionView.as_view(), name="introspect"),
    path("register/", RegistrationView.as_view(), name="dcr-register"),
    path("register/<str:client_id>/", RegistrationManagementView.as_view(), name="dcr-register-management"),
    path("logout/", LogoutView.as_view(), name="rp-initiated-logout"),
    path("userinfo/", UserInfoView.as_view(), name="user-info"),
]
