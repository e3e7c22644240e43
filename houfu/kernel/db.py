"""The door to the database: actions, SQL functions, and the laws that the database keeps under a name."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, wraps
from typing import Any, NoReturn, ParamSpec, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, OperationalError, connection, connections, transaction
from psycopg.conninfo import make_conninfo
from psycopg.rows import args_row, namedtuple_row

from houfu.kernel import isolation
from houfu.kernel.arrays import encoded
from houfu.kernel.backend.base import DatabaseWrapper
from houfu.kernel.errors import Busy, Forbidden, Invalid, Refused

P = ParamSpec("P")
R = TypeVar("R")
RefusedType = TypeVar("RefusedType", bound=type[Refused])

ATTEMPTS = 5
_WORTH_ANOTHER_TRY = {"40001", "40P01", "55P03"}  # serialization failure, deadlock, lock timeout (I-24)
_CUT_OFF = {None, "08003", "08006", "57P01", "57P02", "57P03"}  # the server is going, gone, or not back yet
_laws: dict[str, type[Refused]] = {}
_TOO_LATE = "HF004"
_closing = threading.local()


class Again(Exception):
    """What an action had looked at changed before it held it; the action runs again."""


class OutcomeUnknown(Refused):
    """The database connection was lost while the request was being committed; ask again by its key."""

    code = "outcome_unknown"
    status = 503


def refuse_on(*laws: str) -> Callable[[RefusedType], RefusedType]:
    """Let a class of refusal stand for constraints or SQLSTATEs, so that the database's word is the error's."""

    def register(refusal: RefusedType) -> RefusedType:
        _laws.update(dict.fromkeys(laws, refusal))
        return refusal

    return register


@refuse_on("HF003")
class NobodyInForce(Refused):
    """Rows of merchants were asked for on nobody's behalf; a fault of ours, and nothing was shown or moved."""

    code = "nobody_in_force"
    status = 500


@refuse_on("HF006")
class AccessOver(Forbidden):
    """The merchant's access grant was revoked or has run out; ask for another one."""

    code = "access_over"


@refuse_on("22003", "22021", "22P02")
class OutOfRange(Invalid):
    """A number is too large, or a text has characters that cannot be kept."""

    code = "out_of_range"


def retry_on(*laws: str) -> None:
    """Run an action again where one of these constraints stopped it: the next try will see why."""
    _laws.update(dict.fromkeys(laws, Busy))


def action(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a function one transaction, retried as a whole where the database asks for it.

    It touches the rows of `by`'s merchant, or of whoever is in force in this thread where it takes no `by`.
    An action called by another joins its transaction; a refusal inside then ends both. What was
    `gathered` goes in last, so that the head of a history is locked for the shortest time.

    Raises:
        Busy: when deadlocks or lock timeouts outlast five attempts (I-24).
        OutcomeUnknown: when the connection broke; whether it committed must be asked by key.
    """

    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        _closing.gathered = {}
        try:
            with transaction.atomic():
                result = verb(*args, **kwargs)
                if connection.needs_rollback:
                    raise RuntimeError(f"{verb.__name__} went on after a refusal inside it")
                for items, close in _closing.gathered.values():
                    close(items)
                return result
        finally:
            _closing.gathered = None

    return _retried(verb, once)


def one_call(verb: Callable[P, R]) -> Callable[P, R]:
    """Make a function an action that does nothing but one call of an SQL function, and that call its transaction: one
    way to the database and back instead of one each to begin, call and commit.

    It is retried, refused and joined as any action; it gathers nothing.
    """

    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        _closing.may_call = True
        try:
            return verb(*args, **kwargs)
        finally:
            _closing.may_call = False

    return _retried(verb, once)


def _retried(verb: Callable[P, R], once: Callable[P, R]) -> Callable[P, R]:
    """Make a verb join the transaction that it is called in; in none, run it `once` and again where that helps."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            with transaction.atomic(savepoint=False):
                return verb(*args, **kwargs)
        with isolation.acting(_who(kwargs)):
            return tried(*args, **kwargs)

    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once(*args, **kwargs)
            except (Error, Again) as error:
                if not isinstance(translated(error), Busy) or attempt == ATTEMPTS:
                    raise_translated(error)
                threading.Event().wait(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311  jitter is no secret
        raise AssertionError("the last attempt returns or raises")

    return run


def _who(kwargs: dict[str, Any]) -> isolation.InForce | None:
    by = kwargs.get("by")
    return by if hasattr(by, "merchant_id") else isolation.in_force()


def gathered(name: str, close: Callable[[list[Any]], None]) -> list[Any]:
    """Return the list that gathers `name` during the current action; its end hands the list to `close`.

    What is gathered goes into the same transaction, after everything else.
    """
    if getattr(_closing, "gathered", None) is None:
        raise RuntimeError(f"{name} is gathered inside an action")
    items, _ = _closing.gathered.setdefault(name, ([], close))
    return items  # type: ignore[no-any-return]


def call(function: str, *args: Any) -> list[Any]:
    """Call an SQL function inside an action and return its rows as named tuples; lists go as binary arrays."""
    here = _here()
    alone = not here.in_atomic_block
    if alone:
        if not getattr(_closing, "may_call", False):
            raise RuntimeError(f"{function} needs an action around it")
        _closing.may_call = False  # a second call would be a second transaction
    within, by_itself, types = _signature(function)
    try:
        bound = [encoded(type_, arg) for type_, arg in zip(types, args, strict=True)]
    except (OverflowError, UnicodeEncodeError) as error:
        raise OutOfRange() from error
    if not alone:
        return rows(within, bound, binary=True)
    here.ensure_connection()
    return _fetched(here, by_itself, [here.word(), *bound], namedtuple_row, binary=True)


def rows(
    statement: str,
    params: Sequence[Any] | dict[str, Any] = (),
    into: Callable[..., Any] | None = None,
    *,
    binary: bool = False,
) -> list[Any]:
    """Run one statement with bound parameters and return its rows, if any.

    Args:
        into: what to make of each row's columns, in their order; named tuples unless given.
        binary: whether the rows come in binary form.
    """
    here = _here()
    here.ensure_connection()
    with here.own_transaction():
        return _fetched(here, statement, params, args_row(into) if into else namedtuple_row, binary=binary)


def _here() -> DatabaseWrapper:
    """Return this thread's connection itself; each question to Django's proxy of it looks it up anew."""
    return connections[DEFAULT_DB_ALIAS]  # type: ignore[return-value]  # it is of our backend


def _fetched(
    here: DatabaseWrapper, statement: str, params: Sequence[Any] | dict[str, Any], factory: Any, *, binary: bool
) -> list[Any]:
    with here.wrap_database_errors, psycopg.Cursor(here.connection, row_factory=factory) as cursor:
        cursor.execute(statement, params, binary=binary)
        return cursor.fetchall() if cursor.rownumber is not None else []


@contextmanager
def reading() -> Iterator[None]:
    """Let all that is read in the block come from one transaction, which writes nothing."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        rows("SET TRANSACTION READ ONLY")
        yield


def page(listing: Any, limit: int) -> list[Any]:
    """Return the first rows of a listing, read along the index that has its order.

    Where there are no statistics yet, the planner takes a merchant's rows for a few, and would fetch and sort all.
    """
    with transaction.atomic():
        rows("SET LOCAL enable_bitmapscan = off")
        found = list(listing[:limit])
        rows("SET LOCAL enable_bitmapscan = on")
    return found


def conninfo() -> str:
    """Say where the database is, for a connection that is not Django's."""
    found = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return make_conninfo(**{ours: str(found[theirs]) for ours, theirs in names.items() if found[theirs]})


@lru_cache(maxsize=256)
def _signature(function: str) -> tuple[str, str, list[str]]:
    """Return how a function is called in a transaction, how by itself with its word, and the types of its arguments.

    By itself, the function waits for the word through its first argument.
    """
    types = rows(
        "SELECT coalesce(array_agg(format_type(t, NULL) ORDER BY n), '{}') AS types FROM pg_proc,"
        " unnest(proargtypes) WITH ORDINALITY AS a (t, n) WHERE proname = %s",
        [function],
    )[0].types
    arguments = [f"%s::{t}" for t in types]
    told = ", ".join([f"CASE WHEN said.word IS NOT NULL THEN {arguments[0]} END", *arguments[1:]])
    return (
        f"SELECT * FROM {function}({', '.join(arguments)})",  # noqa: S608  names come from the catalogue
        f"SELECT done.* FROM (SELECT set_config('houfu.ctx', %s, true) AS word) said, {function}({told}) done",  # noqa: S608
        types,
    )


def translated(error: Error | Again) -> Exception:
    """Turn the database's word into the product's: the name of the law decides; what has none stays as it is."""
    if isinstance(error, Again):
        return Busy()
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error):
        return error
    for law in (cause.diag.constraint_name, cause.sqlstate):
        if law in _laws:
            return _laws[law](said=cause.diag.message_primary) if law == cause.sqlstate else _laws[law]()
    if cause.sqlstate in _WORTH_ANOTHER_TRY:
        return Busy()
    if cause.sqlstate == _TOO_LATE:
        connection.close()  # the next connection learns anew what time it is there
        return Busy()
    if isinstance(error, OperationalError | InterfaceError) and cause.sqlstate in _CUT_OFF:
        connection.close()
        return OutcomeUnknown()
    return error


def raise_translated(error: Error | Again) -> NoReturn:
    """Raise what the database's word means to the product; what means nothing to it goes on with its own cause."""
    refusal = translated(error)
    raise refusal from (error.__cause__ if refusal is error else error)
