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
    granted_fen = models.BigIntegerField()
    state = models.TextField()
    frozen_by_platform = models.BooleanField()
    version = models.IntegerField()
    document = models.TextField(null=True)
    digest = models.TextField(null=True)
    opened_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    filed_at = models.DateTimeField(null=True)
    dynamic = models.BooleanField(default=False)
    told_fen = models.BigIntegerField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "limits_pool"


class Dynamic(models.Model):
    """How a pool is dynamic from an instant on, until the next version."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    valid_from = models.DateTimeField()
    is_on = models.BooleanField()
    base_fen = models.BigIntegerField()
    floating_fen = models.BigIntegerField()
    auto_fen = models.BigIntegerField()
    place = models.TextField(null=True)
    set_by = models.TextField()

    class Meta:
        managed = False
        db_table = "limits_dynamic"


class Adjustment(models.Model):
    """A proposal to let more or less of a dynamic pool be used for a while."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    kind = models.TextField()
    amount_fen = models.BigIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    data_until = models.DateTimeField(null=True)
    reason = models.TextField()
    source = models.TextField()
    state = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    ended_by = models.TextField(null=True)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "limits_adjustment"


class Bands(models.Model):
    """A table of time bands of a pool."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    reason = models.TextField()
    source = models.TextField()
    state = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    decided_by = models.TextField(null=True)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "limits_bands"


class Band(models.Model):
    """One band of a table: what may be used between two times of the day."""

    pk = models.CompositePrimaryKey("merchant_id", "bands_id", "name")
    merchant_id = models.BigIntegerField()
    bands_id = models.BigIntegerField()
    name = models.TextField()
    opens = models.TimeField()
    closes = models.TimeField()
    limit_fen = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "limits_band"


class Present(models.Manager["Member"]):
    """The members that have not left."""

    def get_queryset(self) -> models.QuerySet["Member"]:
        return super().get_queryset().exclude(state="removed")


class Member(models.Model):
    """A store's place in a pool, and what it put in."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    state = models.TextField()
    contributed_fen = models.BigIntegerField()
    probation_share = models.SmallIntegerField(null=True)
    probation_until = models.DateTimeField(null=True)
    extra_fen = models.BigIntegerField()
    extra_until = models.DateTimeField(null=True)
    joined_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True)

    objects = models.Manager()
    present = Present()

    class Meta:
        managed = False
        db_table = "limits_member"


class Change(models.Model):
    """A change of a pool or between its stores that somebody else must sign first."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    kind = models.TextField()
    store_id = models.BigIntegerField(null=True)
    to_store_id = models.BigIntegerField(null=True)
    amount_fen = models.BigIntegerField(null=True)
    share_before = models.SmallIntegerField(null=True)
    share = models.SmallIntegerField(null=True)
    effective_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    reason = models.TextField()
    document = models.TextField(default="")
    digest = models.TextField(default="")
    chain = ArrayField(models.TextField())
    state = models.TextField()
    proposed_by = models.TextField()
    proposed_at = models.DateTimeField()
    signed_at = models.DateTimeField(null=True)
    took_effect_at = models.DateTimeField(null=True)
    note = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "limits_change"


class Filing(models.Model):
    """The form of a pool that is larger than the policy lets go unfiled."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    pool_id = models.BigIntegerField()
    state = models.TextField()
    policy = models.TextField()
    limit_fen = models.BigIntegerField()
    figure_fen = models.BigIntegerField()
    triggered_at = models.DateTimeField()
    version = models.IntegerField(default=0)
    form = models.TextField(null=True)
    reference = models.TextField(null=True)
    submitted_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(null=True)
    acceptance = models.TextField(null=True)
    note = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "limits_filing"


class Emergency(models.Model):
    """An emergency order: a loan first, settled orders next, then reduced limit restored by application."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    store_id = models.BigIntegerField()
    loan_id = models.BigIntegerField()
    state = models.TextField()
    needed = models.SmallIntegerField()
    settled = models.SmallIntegerField(default=0)
    begun_at = models.DateTimeField()
    settle_until = models.DateTimeField()
    opens_at = models.DateTimeField(null=True)
    apply_until = models.DateTimeField(null=True)
    amount_fen = models.BigIntegerField(null=True)
    applied_by = models.TextField(null=True)
    applied_at = models.DateTimeField(null=True)
    decide_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    note = models.TextField(default="")

    class Meta:
        managed = False
        db_table = "limits_emergency"


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
