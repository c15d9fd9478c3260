"""How people log in: django-allauth and django-axes, configured. What differs from them is in core/accounts."""

from datetime import timedelta
from urllib.parse import urlsplit

from jhe import env
from jhe.sso import providers

ACCOUNT_APPS = [
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.socialaccount.providers.saml",
    "allauth.usersessions",
    "axes",
]

_is_https = urlsplit(env.BASE_URL).scheme == "https"
_can_send_email = bool(env.EMAIL_HOST) or env.DEBUG

# The first refuses who is locked out; the second compares passwords.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _is_https
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
PASSWORD_RESET_TIMEOUT = 3600

ACCOUNT_ADAPTER = "core.accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_FORMS = {
    "add_email": "core.accounts.forms.AddEmailForm",
    "confirm_login_code": "core.accounts.forms.ConfirmLoginCodeForm",
    "login": "core.accounts.forms.LoginForm",
    "request_login_code": "core.accounts.forms.RequestLoginCodeForm",
    "reset_password_from_key": "core.accounts.forms.ResetPasswordKeyForm",
    "reset_password": "core.accounts.forms.ResetPasswordForm",
    "signup": "core.accounts.forms.SignUpForm",
    "user_token": "core.accounts.forms.UserTokenForm",
}
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_EMAIL_NOTIFICATIONS = _can_send_email
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# A code and not a link: an address that nobody has verified is then in no row, so that no account can claim another's.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if _can_send_email else "none"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = _can_send_email
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_LOGIN_BY_CODE_ENABLED = _can_send_email and env.LOGIN_CODES
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_RATE_LIMITS = {
    # Guesses are django-axes' to count, by account and address. These bound what many addresses can do to one account.
    "login_failed": "30/m/ip,60/h/key",
    "login": "1200/m/ip",  # who looks at the page and who logs in, of a whole hospital behind one address
    "reset_password": "20/m/ip,3/m/key",
    "request_login_code": "20/m/ip,3/m/key",
}

SIGN_UP = env.SIGN_UP
SECOND_FACTOR = env.MFA_REQUIRED or ("none" if env.DEBUG else "practitioners")

MFA_ADAPTER = "core.accounts.second_factors.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = env.DEBUG and not _is_https  # http://localhost
MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
MFA_ALLOW_UNVERIFIED_EMAIL = not _can_send_email  # nobody could verify one
MFA_TOTP_ISSUER = "JupyterHealth Exchange"
MFA_RECOVERY_CODES_SHOW_ONCE = False
MFA_FORMS = {
    "activate_totp": "core.accounts.forms.ActivateTOTPForm",
    "authenticate": "core.accounts.forms.AuthenticateForm",
    "reauthenticate": "core.accounts.forms.ReauthenticateForm",
}

SOCIALACCOUNT_ADAPTER = "core.accounts.sso.SsoAdapter"
SOCIALACCOUNT_PROVIDERS = env.valid("JHE_SSO", providers, env.SSO)
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_LOGIN_ON_GET = False

# How many failures lock an account for one address, and an address for every account.
LOCK_OUT_AFTER, LOCK_OUT_ADDRESS_AFTER = env.LOCK_OUT_AFTER, env.LOCK_OUT_ADDRESS_AFTER
AXES_FAILURE_LIMIT = LOCK_OUT_AFTER
AXES_COOLOFF_TIME = timedelta(minutes=env.LOCK_OUT_MINUTES)
AXES_HANDLER = "core.accounts.lock_out.Handler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address"]
AXES_LOCKOUT_CALLABLE = "core.accounts.lock_out.locked_out"
AXES_USERNAME_CALLABLE = "core.accounts.lock_out.account_of"
AXES_CLIENT_IP_CALLABLE = "core.accounts.lock_out.address_of_client"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
