"""Sessions ended from outside: nobody stays signed in as what they are no more."""

from houfu.kernel import db


def end_sessions(merchant_id: int, staff_id: int, keep: str = "") -> None:
    """Sign a member of the staff out everywhere, within the current action.

    Args:
        keep: the key of a session that goes on.
    """
    db.rows(
        "WITH ended AS (DELETE FROM usersessions_usersession u USING people_login l WHERE u.user_id = l.user_id"
        " AND l.merchant_id = %s AND l.staff_id = %s AND u.session_key <> %s RETURNING u.session_key)"
        " DELETE FROM django_session s USING ended WHERE s.session_key = ended.session_key",
        [merchant_id, staff_id, keep],
    )
