"""Limits as rows; the amounts are balances of the ledger."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Pool(models.Model):
    """The shared limit of a group: how much it holds, and how far a member may reach into it."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    group_id = models.BigIntegerField()
    share = models.SmallIntegerField()
    limit_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_pool"


class Member(models.Model):
    """A store's place in a pool, and what it put in."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    contributed_fen = models.BigIntegerField()
    joined_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_member"


class Loan(models.Model):
    """A temporary loan of limit."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    repaid_fen = models.BigIntegerField()
    state = models.TextField()
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_loan"


class Recovery(models.Model):
    """How far a store has earned its reduced limit back."""

    pk = models.CompositePrimaryKey("merchant_id", "store_id")
    merchant_id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    completed = models.BigIntegerField()
    booked_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "limits_recovery"


class Recognition(models.Model):
    """That two principals of a merchant may convert limit into each other's (L7)."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    first_account_id = models.BigIntegerField()
    second_account_id = models.BigIntegerField()
    state = models.TextField()
    proposed_by = models.TextField()
    person = models.TextField()
    proposed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "limits_recognition"


class RecognitionSide(models.Model):
    """The document of one side of a recognition, and who stands for it."""

    pk = models.CompositePrimaryKey("merchant_id", "recognition_id", "channel_account_id")
    merchant_id = models.BigIntegerField()
    recognition_id = models.BigIntegerField()
    channel_account_id = models.BigIntegerField()
    document = models.TextField()
    sha256 = models.TextField()
    signed_at = models.DateTimeField(null=True)
    accepted_by = models.TextField(null=True)
    accepted_person = models.TextField(null=True)
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "limits_recognition_side"


class Conversion(models.Model):
    """Own limit given up on one platform for some on another."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    recognition_id = models.BigIntegerField()
    from_store_id = models.BigIntegerField()
    to_store_id = models.BigIntegerField()
    amount_fen = models.BigIntegerField()
    given_fen = models.BigIntegerField()
    haircut_fen = models.BigIntegerField()
    returned_fen = models.BigIntegerField()
    haircut_back_fen = models.BigIntegerField()
    state = models.TextField()
    abnormal = ArrayField(models.TextField())
    policy = models.TextField()
    asked_by = models.TextField()
    person = models.TextField()
    asked_at = models.DateTimeField()
    held_until = models.DateTimeField()
    lapses_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    decided_person = models.TextField(null=True)
    decided_at = models.DateTimeField(null=True)
    note = models.TextField()

    class Meta:
        managed = False
        db_table = "limits_conversion"
