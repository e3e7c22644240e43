"""Jobs as rows."""

import json
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Job(models.Model):
    """Long work that somebody asked for: how far it is, and what came of it."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.UUIDField()
    kind = models.TextField()
    arguments = models.TextField()
    reason = models.TextField()
    needs = ArrayField(models.TextField())
    stores = ArrayField(models.BigIntegerField(), null=True)
    asked_by = models.TextField()
    by_platform = models.BooleanField()
    asked_at = models.DateTimeField()
    place = models.SmallIntegerField(null=True)
    state = models.TextField(default="waiting")
    mark = models.TextField(null=True)
    steps = models.IntegerField(default=0)
    tries = models.SmallIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(null=True)
    result = models.TextField(null=True)
    code = models.TextField(default="")
    ended_at = models.DateTimeField(null=True)
    file_name = models.TextField(null=True)
    media_type = models.TextField(null=True)
    file_bytes = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "jobs_job"

    @property
    def asked(self) -> dict[str, Any]:
        """What was asked for, by name."""
        said: dict[str, Any] = json.loads(self.arguments)
        return said

    @property
    def marked(self) -> Any:
        """Where the next step begins; None for the beginning."""
        return None if self.mark is None else json.loads(self.mark)

    @property
    def outcome(self) -> Any:
        """What came of it, beside a file."""
        return None if self.result is None else json.loads(self.result)


class Piece(models.Model):
    """A part of the file that a job makes."""

    pk = models.CompositePrimaryKey("merchant_id", "job_id", "no")
    merchant_id = models.BigIntegerField()
    job_id = models.UUIDField()
    no = models.IntegerField()
    content = models.BinaryField()

    class Meta:
        managed = False
        db_table = "jobs_piece"
