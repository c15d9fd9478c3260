"""How passwords are hashed, and how many at a time: anybody may try to log in, and each try costs memory."""

from concurrent.futures import ThreadPoolExecutor

from django.contrib.auth.hashers import Argon2PasswordHasher

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
