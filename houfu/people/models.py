"""People as rows."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from houfu.kernel import clock


class Staff(models.Model):
    """A member of a merchant's staff, or of the platform's (merchant 0): one person in one role."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    person_id = models.BigIntegerField()
    name = models.TextField()
    role = models.TextField()
    state = models.TextField()
    store_ids = ArrayField(models.BigIntegerField(), null=True)
    daily_count = models.SmallIntegerField()
    per_payout_fen = models.BigIntegerField(null=True)
    monthly_fen = models.BigIntegerField(null=True)
    invited_by = models.TextField()
    created_at = models.DateTimeField()
    invitation_digest = models.BinaryField(null=True)
    invitation_expires_at = models.DateTimeField(null=True)
    approvals_blocked_until = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "people_staff"

    @property
    def person(self) -> str:
        """The natural person, as an actor names it."""
        return f"person/{self.person_id}"

    @property
    def stores(self) -> frozenset[int] | None:
        """The stores that they are bound to; None for all of the merchant."""
        return None if self.store_ids is None else frozenset(self.store_ids)


class Passkey(models.Model):
    """A passkey of a member of the staff, kept after its removal."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    staff_id = models.BigIntegerField()
    credential_id = models.BinaryField()
    public_key = models.BinaryField()
    rp_id = models.TextField()
    sign_count = models.BigIntegerField()
    added_at = models.DateTimeField()
    removed_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "people_passkey"


class AccessGrant(models.Model):
    """A merchant lets one of the platform's people in for a while."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    staff_id = models.BigIntegerField()
    asked_by = models.TextField()
    person = models.TextField()
    reason = models.TextField()
    scopes = ArrayField(models.TextField())
    hours = models.SmallIntegerField()
    state = models.TextField()
    asked_at = models.DateTimeField()
    given_by = models.TextField(null=True)
    expires_at = models.DateTimeField(null=True)
    ended_by = models.TextField(null=True)

    class Meta:
        managed = False
        db_table = "people_access_grant"

    @property
    def key(self) -> dict[str, int]:
        """The columns that name it."""
        return {"merchant_id": self.merchant_id, "id": self.id}

    @property
    def in_force(self) -> bool:
        """Whether it lets somebody in now, by the machine's clock."""
        return self.state == "given" and self.expires_at is not None and self.expires_at > clock.machine_now()


class ApiKey(models.Model):
    """A key by which a program acts for a person of a merchant, or of the platform (merchant 0)."""

    pk = models.CompositePrimaryKey("merchant_id", "id")
    merchant_id = models.BigIntegerField()
    id = models.BigIntegerField()
    name = models.TextField()
    person = models.TextField()
    secret_digest = models.BinaryField()
    scopes = ArrayField(models.TextField())
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    staff_id = models.BigIntegerField(null=True)
    networks = ArrayField(models.TextField(), null=True)
    partner_id = models.BigIntegerField(null=True)
    store_ids = ArrayField(models.BigIntegerField(), null=True)
    api_version = models.TextField()
    public_key = models.BinaryField(null=True)

    class Meta:
        managed = False
        db_table = "people_api_key"


class Profile(models.Model):
    """What a merchant asks of those who act for it."""

    merchant_id = models.BigIntegerField(primary_key=True)
    signatures_required = models.BooleanField()
    face_allowed = models.BooleanField()
    set_by = models.TextField()
    set_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "people_profile"
