"""Passwords: how long, and how they are kept."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError

LEAST = 12  # a second factor is asked of everybody; without one it would be 15
MOST = 1024  # longer ones are work for us and safety for nobody


class Argon2id(Argon2PasswordHasher):
    """Argon2id with 64 MiB and three passes."""

    time_cost = 3
    memory_cost = 64 * 1024
    parallelism = 1


class Length:
    """Refuses passwords that are too short; nothing is asked of what they are made of."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if not LEAST <= len(password) <= MOST:
            raise ValidationError(self.get_help_text(), code="password_length")

    def get_help_text(self) -> str:
        return f"A password has {LEAST} to {MOST} characters."
