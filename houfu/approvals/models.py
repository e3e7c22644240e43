"""Approvals as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Request(models.Model):
    """Something that must be agreed to by a chain of roles before it happens."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.UUIDField()
    subject = models.TextField()
    version = models.IntegerField()
    payload = models.TextField()
    chain = ArrayField(models.TextField())
    requested_by = models.TextField()
    person = models.TextField()
    editors = ArrayField(models.TextField())
    state = models.TextField()
    turn = models.SmallIntegerField(default=0)
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    waiting_since = models.DateTimeField()
    reminders = models.SmallIntegerField(default=0)
    next_look_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.TextField(default="")
    note = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "approvals_request"


class Signature(models.Model):
    """One step of a chain, signed; struck where it does not count any more."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    request_id = models.UUIDField()
    step = models.SmallIntegerField()
    role = models.TextField()
    staff_id = models.BigIntegerField()
    person = models.TextField()
    stands_for = ArrayField(models.TextField())
    delegation_id = models.BigIntegerField(null=True)
    credential_id = models.BinaryField(null=True)
    authenticator_data = models.BinaryField(null=True)
    client_data = models.BinaryField(null=True)
    signature = models.BinaryField(null=True)
    seal = models.BinaryField(null=True)
    signed_at = models.DateTimeField()
    struck_at = models.DateTimeField(null=True)
    struck_for = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "approvals_signature"


class Delegation(models.Model):
    """A role lent to somebody else for a while."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    staff_id = models.BigIntegerField()
    person = models.TextField()
    role = models.TextField()
    delegate_staff_id = models.BigIntegerField()
    delegate_person = models.TextField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    next_look_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "approvals_delegation"


class Profile(models.Model):
    """How a merchant's people may sign."""

    merchant_id = models.BigIntegerField(primary_key=True)
    totp_allowed = models.BooleanField()
    set_by = models.TextField()
    set_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "approvals_profile"
