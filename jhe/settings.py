"""Django settings: wiring only. What comes from outside is read in jhe/env.py."""

from urllib.parse import urlsplit

import dj_database_url

from jhe import development, env
from jhe.accounts import *  # noqa: F403
from jhe.accounts import ACCOUNT_APPS
from jhe.cors import *  # noqa: F403
from jhe.issuers import trusted_issuers
from jhe.oauth import LONGEST_TOKEN_SECONDS as LONGEST_TOKEN_SECONDS
from jhe.oauth import OAUTH2_PROVIDER as OAUTH2_PROVIDER
from jhe.oauth import SILENCED_CHECKS
from jhe.rest import REST_FRAMEWORK as REST_FRAMEWORK
from jhe.rest import SPECTACULAR_SETTINGS as SPECTACULAR_SETTINGS

BASE_DIR = env.BASE_DIR
DEBUG = env.DEBUG
SECRET_KEY = development.secret_key()
SECRET_KEY_FALLBACKS = env.SECRET_KEY_FALLBACKS

SESSION_COOKIE_NAME = development.cookie_name("sessionid")
CSRF_COOKIE_NAME = development.cookie_name("csrftoken")

BASE_URL = env.BASE_URL
MCP_URL = env.MCP_URL
_https = urlsplit(BASE_URL).scheme == "https"

ALLOWED_HOSTS = env.ALLOWED_HOSTS or [str(urlsplit(BASE_URL).hostname), "localhost", "127.0.0.1", "[::1]"]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "core.admin_site.ExchangeAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "corsheaders",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    *ACCOUNT_APPS,
    "django_tasks",
    "django_tasks_db",
    "core",
]

MIDDLEWARE = [
    "core.web.health.HealthMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.web.nul.NulMiddleware",
    "core.web.unavailable.UnavailableMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "core.web.headers.PageHeadersMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "core.accounts.second_factors.SecondFactorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "jhe.urls"
WSGI_APPLICATION = "jhe.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "core" / "templates"],  # before those of the libraries
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Each thread of the server keeps its connection (jhe/__main__.py), and tries it before a request.
DATABASES = {"default": dj_database_url.parse(development.database_url(), conn_max_age=None, conn_health_checks=True)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "core.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_HASHERS = [
    "core.passwords.BoundedArgon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    # Only for secrets of clients: no account can have such a password (core/migrations/0013_signing_keys.py).
    "core.passwords.MachineSecretHasher",
]

# core/authentication/throttles.py, in the cache of this process: with several processes each counts what it answers.
RATE_LIMIT = env.RATE_LIMIT
ANONYMOUS_RATE_LIMIT = env.ANONYMOUS_RATE_LIMIT
CACHES = {
    # All processes share it: it counts guesses, and knows which one-time codes were used.
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "shared_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
    "process": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

# Jobs are rows; `manage.py worker` does them (docs/bulk.md).
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}

# Development prints e-mails; without a host, production says that it sends none.
CAN_SEND_EMAIL = bool(env.EMAIL_HOST) or DEBUG
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if env.EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_HOST, EMAIL_PORT = env.EMAIL_HOST, env.EMAIL_PORT
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.EMAIL_HOST_USER, env.EMAIL_HOST_PASSWORD
EMAIL_USE_TLS = True
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.EMAIL_FROM

ACCESS_TOKEN_ALGORITHM = env.ACCESS_TOKEN_ALGORITHM
REGISTRATION_RATE_LIMIT = env.REGISTRATION_RATE_LIMIT
OAUTH2_PROVIDER_APPLICATION_MODEL = "oauth2_provider.Application"
TRUSTED_ISSUERS = env.valid("JHE_TRUSTED_ISSUERS", trusted_issuers, env.TRUSTED_ISSUERS)
SILENCED_SYSTEM_CHECKS = SILENCED_CHECKS

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31_536_000 if _https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _https
# The proxy in front ends TLS and sets this header itself on every request.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _https else None
SECURE_SSL_REDIRECT = _https
# Where the address of who is asking is: that of the connection, or what the proxy says in its own header.
CLIENT_IP = f"HTTP_{env.CLIENT_IP_HEADER.upper().replace('-', '_')}" if env.CLIENT_IP_HEADER else "REMOTE_ADDR"
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"without_secrets": {"()": "core.web.logs.WithoutSecrets"}},
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["without_secrets"]}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    # It would tell of each client that goes away and each request that waits its turn.
    "loggers": {
        "waitress": {"level": "ERROR"},
        # A line for each login.
        "axes": {"level": "ERROR"},
        # A line each time a worker looks into the queue, and for each part of a job.
        "django_tasks": {"level": "WARNING"},
        "django_tasks_db": {"level": "WARNING"},
    },
}
