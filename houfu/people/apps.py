"""The room as Django starts it."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Listens to sign-in from the start."""

    name = "houfu.people"

    def ready(self) -> None:
        from houfu.people.sign_in import hooks

        hooks.connect()
