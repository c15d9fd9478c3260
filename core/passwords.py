"""How passwords are hashed, and how many at a time: anybody may try to log in, and each try costs memory.

And how secrets of clients are, which need none of that.
"""

import hashlib
import hmac
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher, BasePasswordHasher
from django.utils.crypto import constant_time_compare

from core.derived_keys import derived_keys

AT_ONCE = 4

# Threads of their own and not a semaphore, because the C library keeps for each thread what hashing took in it.
_hashing = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="hashing")


class BoundedArgon2PasswordHasher(Argon2PasswordHasher):
    """Argon2id with the least that OWASP recommends: 19 MiB, two passes, one lane; Django's default takes 100 MiB.

    Each request has a thread of its own, so a hundred logins at once would take a hundred times as much. Here they take
    turns, AT_ONCE at a time.
    """

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        return _hashing.submit(super().encode, password, salt).result()

    def verify(self, password: str, encoded: str) -> bool:
        return _hashing.submit(super().verify, password, encoded).result()


class MachineSecretHasher(BasePasswordHasher):
    """For secrets that a machine made, of 128 random bits at least: HMAC-SHA-256 with a key made from SECRET_KEY.

    Guessing one is hopeless however fast it is, and without the key a copy of the database does not even allow to try;
    so a client can be asked for its secret with every request. What a person can remember is never kept this way.
    """

    algorithm = "machine_hmac_sha256"

    def encode(self, password: str, salt: str) -> str:
        return self._encoded(password, salt, self._keys()[0])

    def decode(self, encoded: str) -> dict[str, Any]:
        algorithm, key_name, salt, digest = encoded.split("$")
        return {"algorithm": algorithm, "key": key_name, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        salt = self.decode(encoded)["salt"]
        return any(constant_time_compare(encoded, self._encoded(password, salt, key)) for key in self._keys())

    def must_update(self, encoded: str) -> bool:
        """Whether SECRET_KEY is another since."""
        return bool(self.decode(encoded)["key"] != _name(self._keys()[0]))

    def harden_runtime(self, password: str, encoded: str) -> None:
        """There is no work factor to hide."""

    def safe_summary(self, _encoded: str) -> dict[Any, Any]:
        """What the admin shows."""
        return {"algorithm": self.algorithm}

    def _keys(self) -> list[bytes]:
        return derived_keys("machine secrets")

    def _encoded(self, password: str, salt: str, key: bytes) -> str:
        digest = hmac.new(key, f"{salt}${password}".encode(), hashlib.sha256).hexdigest()
        return f"{self.algorithm}${_name(key)}${salt}${digest}"


def _name(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:8]
