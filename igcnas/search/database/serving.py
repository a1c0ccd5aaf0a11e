"""Optuna's storage in PostgreSQL, for one controller that must lose nothing, or for one who only looks.

A controller has one session, which holds the lock of the study. Where the server is away it waits, up to a bound, and
does again what it was about; what the server may have done before it went (a commit that was not acknowledged) is
looked up first, so that nothing is done twice. A reader does not wait, and its session cannot write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import NullPool, event
from sqlalchemy.exc import SQLAlchemyError

from igcnas.errors import MachineError, StudyError
from igcnas.search.database import lock
from igcnas.search.database.address import Address, Home
from igcnas.search.database.driver import psycopg
from igcnas.search.database.faults import AwayError, meaning, nothing_there
from igcnas.search.evaluation.seam import Interrupted
from igcnas.search.patience import Patience
from igcnas.units import duration

Found = TypeVar("Found")
_URL = "postgresql+psycopg://"  # of the dialect; sessions are made here
_MAKERS = 5
_PAUSE, _LONGEST_PAUSE, _LOOK = 0.25, 5.0, 0.1
_READS = (
    *("get_study_id_from_name", "get_study_name_from_id", "get_study_directions", "get_study_user_attrs"),
    *("get_study_system_attrs", "get_all_studies", "get_trial_id_from_study_id_trial_number", "get_trial"),
    *("_get_trials", "_get_best_trial_id"),
)
# To do these twice is to do them once.
_SETS = (
    *("set_study_user_attr", "set_study_system_attr", "_set_trial_param", "set_trial_intermediate_value"),
    *("set_trial_user_attr", "set_trial_system_attr", "delete_study"),
)


class Served(RDBStorage):
    """One study of a server. patience: of its controller; None for a reader.

    Raises IgcnasError where it cannot be opened at once.
    """

    def __init__(self, home: Home, patience: Patience | None = None) -> None:
        self.home, self._patience, self._gave_up, self._was_let_in = home, patience, False, False
        self._name = lock.new_name()
        _prepare(home.address, writes=patience is not None)
        pool = {"pool_size": 1, "max_overflow": 0, "pool_pre_ping": True}
        super().__init__(
            _URL,
            engine_kwargs={"creator": self._connect, **pool},
            skip_table_creation=True,
            skip_compatibility_check=True,
        )
        event.listen(self.engine, "handle_error", self._translate)

    def close(self) -> None:
        """End its session, and with it the lock."""
        self.engine.dispose()

    def _connect(self) -> psycopg.Connection:
        try:
            connection = lock.connected(self.home.address, writes=self._patience is not None, name=self._name)
            if self._patience is not None:
                lock.take(connection, self.home, self._name)
        except psycopg.Error as error:
            found = meaning(error, self.home.address)
            # A search that was let in before waits, whatever the reason: a server may say anything while it restarts.
            raise (AwayError(str(found)) if self._was_let_in else found) from None
        self._was_let_in = True
        return connection

    def _translate(self, context: Any) -> None:
        """In place of an error of the driver, what it means; Optuna would repeat what it cannot know to be undone."""
        original = context.original_exception
        if isinstance(original, psycopg.IntegrityError) or not isinstance(original, psycopg.Error):
            return
        if context.is_pre_ping:  # a session that is gone: the pool makes another one
            return
        found = meaning(original, self.home.address)
        if context.is_disconnect and not isinstance(found, AwayError):
            found = AwayError(str(found))
        raise found from None

    def steadily(self, work: Callable[[], Found], *, already: Callable[[], Found | None] = lambda: None) -> Found:
        """The result of work that the server may have to do again. already: what it has done of it, if it has."""
        try:
            return work()
        except AwayError as away:
            reason = str(away)
        patience, begin, pause, told = self._patience, time.monotonic(), _PAUSE, False
        where = self.home.address.text()
        if patience is None:
            raise lock.away(self.home.address, reason)
        while not self._gave_up and time.monotonic() - begin < patience.seconds:
            if not told:
                bound = duration(patience.seconds)
                patience.note(f"{where} does not answer ({reason}); the search waits for it, at most {bound}")
                told = True
            self._pause(min(pause, patience.seconds), patience)
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                found = already()
                found = work() if found is None else found
            except AwayError as away:
                reason = str(away)
                continue
            patience.note(f"{where} answers again, after {duration(time.monotonic() - begin)}")
            return found
        self._gave_up = True
        raise MachineError(
            f"{where} has not answered for {duration(time.monotonic() - begin)} ({reason}); nothing is lost: see to "
            "the server, and run the same command again"
        )

    def _pause(self, seconds: float, patience: Patience) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if patience.stop():
                self._gave_up = True  # what is left undone is taken up by the next run
                raise Interrupted
            time.sleep(_LOOK)

    def create_new_study(self, directions: Sequence[Any], study_name: str | None = None) -> int:
        """As Optuna's; the study may have been made by a call that was cut off."""

        def made() -> int | None:
            try:
                return RDBStorage.get_study_id_from_name(self, str(study_name))
            except KeyError:
                return None

        return self.steadily(lambda: RDBStorage.create_new_study(self, directions, study_name), already=made)

    def _create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> FrozenTrial:
        """As Optuna's; nobody else makes trials of this study, so one more than there were is that of this call."""
        before = self.steadily(lambda: self._count(study_id))

        def made() -> FrozenTrial | None:
            if self._count(study_id) == before:
                return None
            return RDBStorage.get_trial(
                self, RDBStorage.get_trial_id_from_study_id_trial_number(self, study_id, before)
            )

        return self.steadily(lambda: RDBStorage._create_new_trial(self, study_id, template_trial), already=made)

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> bool:
        """As Optuna's; a trial that has this state after a call that was cut off has it from that."""

        def done() -> bool | None:
            return True if RDBStorage.get_trial(self, trial_id).state == state else None

        return self.steadily(lambda: RDBStorage.set_trial_state_values(self, trial_id, state, values), already=done)

    def _count(self, study_id: int) -> int:
        with self.engine.connect() as connection:
            query = "SELECT count(*) FROM trials WHERE study_id = %(study)s"
            return int(connection.exec_driver_sql(query, {"study": study_id}).scalar_one())


def _prepare(address: Address, *, writes: bool) -> None:
    """See that the tables are there, and of this version of Optuna; whoever writes makes what is missing."""
    for left in reversed(range(_MAKERS)):
        try:
            RDBStorage(
                _URL,
                engine_kwargs={"creator": partial(lock.connected, address, writes=writes), "poolclass": NullPool},
                skip_table_creation=not writes,
            )
        except RuntimeError as error:
            said = " ".join(str(error).split())[:200]
            raise StudyError(f"{address.text()} is of another version of Optuna ({said})") from None
        except (psycopg.Error, SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            original = _original(error)
            if left and isinstance(original, psycopg.errors.DuplicateTable | psycopg.errors.UniqueViolation):
                continue  # another one makes them just now
            if isinstance(original, psycopg.OperationalError):
                raise lock.refusal(original, address) from None
            raise (meaning(original, address) if writes else nothing_there(address)) from None
        else:
            return


def _original(error: BaseException | None) -> BaseException:
    """The error of the driver in those of SQLAlchemy and Optuna."""
    while error is not None and not isinstance(error, psycopg.Error):
        error = getattr(error, "orig", None) or error.__cause__
    return RuntimeError("unknown") if error is None else error


def _steady(name: str) -> Callable[..., Any]:
    original = getattr(RDBStorage, name)

    def method(self: Served, *arguments: Any, **words: Any) -> Any:
        return self.steadily(partial(original, self, *arguments, **words))

    return method


for _name in (*_READS, *_SETS):
    setattr(Served, _name, _steady(_name))


def studies_of(address: Address) -> list[str]:
    """Names of all studies of a database, in order."""
    storage = Served(Home(address=address, study=""), None)
    return sorted(study.study_name for study in storage.get_all_studies())


def load(home: Home, patience: Patience | None = None) -> optuna.Study:
    """The study; StudyError where the server has none of this name."""
    storage = Served(home, patience)
    try:
        return optuna.load_study(study_name=home.study, storage=storage)
    except KeyError:
        raise StudyError(f"{home.address.text()} holds no study {home.study!r}; see igcnas studies list") from None
