"""The web service's settings, but that clients and mail stay on this machine."""

from jhe import env
from jhe.settings import *  # noqa: F403
from jhe.settings import OAUTH2_PROVIDER as _PROVIDER

CLIENTS_CERTIFICATE = env.DATA_DIR / "clients.pem"
OAUTH2_PROVIDER = {
    **_PROVIDER,
    "CIMD_METADATA_FETCHER": "tests.browser.client_document.Fetcher",
    "DEVICE_FLOW_INTERVAL": 1,  # second, after which a program asks again whether its person has answered
}

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = env.DATA_DIR / "mail"

MFA_TOTP_TOLERANCE = 1  # a code of the next half minute is good already: nobody waits for it
