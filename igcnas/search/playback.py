"""What a journal says of its trials, without Optuna's objects: for commands that only read a study, however long.

Optuna's replay keeps what a search needs to go on, and takes half a millisecond a trial. This one knows the operations
that a search writes, and takes them as Optuna takes what another process wrote. Of anything else (a second study, a
deleted one, a damaged record) it says nothing, and the caller asks Optuna, which names the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import TrialState

# Operations of Optuna's journal that a search writes, with the fields that each has beside its number and its writer.
_CREATE_STUDY, _CREATE_TRIAL, _SET_PARAMETER, _SET_STATE, _SET_ATTRIBUTE = 0, 4, 5, 6, 8
_FIELDS: dict[int, tuple[str, ...]] = {
    _CREATE_STUDY: ("study_name", "directions"),
    2: ("study_id", "user_attr"),
    3: ("study_id", "system_attr"),
    _CREATE_TRIAL: (
        *("study_id", "state", "value", "values", "distributions", "params"),
        *("user_attrs", "system_attrs", "intermediate_values", "datetime_start"),
    ),
    _SET_PARAMETER: ("trial_id", "param_name", "param_value_internal", "distribution"),
    _SET_ATTRIBUTE: ("trial_id", "user_attr"),
    9: ("trial_id", "system_attr"),
}
_STATES = (("trial_id", "state", "values", when) for when in ("datetime_start", "datetime_complete"))
_KNOWN = {(_SET_STATE, frozenset(fields)) for fields in _STATES} | {(op, frozenset(f)) for op, f in _FIELDS.items()}
_EVERY = {"op_code", "worker_id"}
_EMPTY: dict[str, Any] = {"value": None, "values": None, "distributions": {}, "params": {}, "intermediate_values": {}}
_DIRECTIONS = (1, 2)


class UnknownRecordError(Exception):
    """A journal says something that Optuna must be asked about. No fault, and nothing that a user sees."""


class ReadTrial(msgspec.Struct, array_like=True):
    """A trial as `records_of` reads it: what it asks of Optuna's FrozenTrial.

    state_name, started, completed: of its state and times, as the journal has them. checked: its architecture was
    decoded once, and need not be before somebody looks at it.
    """

    number: int
    state_name: str
    params: dict[str, Any]
    user_attrs: dict[str, Any]
    started: str | None
    completed: str | None
    checked: bool = False

    @property
    def state(self) -> TrialState:
        """As Optuna says it."""
        return TrialState[self.state_name]

    @property
    def datetime_start(self) -> datetime | None:
        """When its training began."""
        return _local(self.started)

    @property
    def datetime_complete(self) -> datetime | None:
        """When it ended."""
        return _local(self.completed)


class Playback:
    """The trials of the one study of a journal, after the records that were applied."""

    def __init__(self, trials: list[ReadTrial] | None = None, distributions: dict[str, str] | None = None) -> None:
        self.trials: list[ReadTrial] = trials or []
        self._made = bool(trials)
        self.distributions: dict[str, str] = distributions or {}  # of parameters, as the journal has them

    def apply(self, record: Mapping[str, Any]) -> None:
        """One more record; UnknownRecordError where it is none that a search writes there."""
        try:
            self._apply(record)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise UnknownRecordError from error

    def _apply(self, record: Mapping[str, Any]) -> None:
        operation = record["op_code"]
        _require((operation, frozenset(record.keys() - _EVERY)) in _KNOWN)
        if "trial_id" in record:
            _require(type(record["trial_id"]) is int and record["trial_id"] >= 0)
            trial = self.trials[record["trial_id"]]
            if not trial.state.is_finished():
                self._change(trial, operation, record)
        elif operation == _CREATE_STUDY:
            _require(not self._made and type(record["study_name"]) is str)
            _require(all(direction in _DIRECTIONS for direction in record["directions"]))
            self._made = True
        else:
            _require(self._made and record["study_id"] == 0)
            if operation == _CREATE_TRIAL:
                self._create(record)
            else:
                _attribute(record)

    def _create(self, record: Mapping[str, Any]) -> None:
        _require(all(record[name] == empty for name, empty in _EMPTY.items()))
        _require(isinstance(record["system_attrs"], dict))
        self.trials.append(
            ReadTrial(
                number=len(self.trials),
                state_name=TrialState(record["state"]).name,
                params={},
                user_attrs=dict(record["user_attrs"]),
                started=_time(record["datetime_start"]),
                completed=None,
            )
        )

    def _change(self, trial: ReadTrial, operation: int, record: Mapping[str, Any]) -> None:
        if operation == _SET_PARAMETER:
            name, text = record["param_name"], record["distribution"]
            _require(self.distributions.setdefault(name, text) == text)
            trial.params[name] = _distribution(text).to_external_repr(record["param_value_internal"])
        elif operation == _SET_STATE:
            self._set_state(trial, record)
        else:
            name, value = _attribute(record)
            if operation == _SET_ATTRIBUTE:
                trial.user_attrs[name] = value

    def _set_state(self, trial: ReadTrial, record: Mapping[str, Any]) -> None:
        state, values = TrialState(record["state"]), record["values"]
        _require(values is None or (type(values) is list and all(type(value) in (int, float) for value in values)))
        if state is TrialState.RUNNING and trial.state is not TrialState.RUNNING:
            trial.started = _time(record["datetime_start"])
        elif state.is_finished():
            trial.completed = _time(record["datetime_complete"])
        trial.state_name = state.name


def _require(known: bool) -> None:
    if not known:
        raise UnknownRecordError


def _attribute(record: Mapping[str, Any]) -> tuple[str, Any]:
    """The one attribute that a record sets."""
    found = record["user_attr"] if "user_attr" in record else record["system_attr"]
    ((name, value),) = found.items()
    return name, value


def _time(text: str | None) -> str | None:
    """A time as the journal has it, once it can be read."""
    if text is not None:
        datetime.fromisoformat(text)
    return text


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    """A search writes the same few with every parameter."""
    return json_to_distribution(text)


def _local(text: str | None) -> datetime | None:
    """As Optuna tells times: of this machine's zone, without saying so."""
    return None if text is None else datetime.fromisoformat(text).astimezone().replace(tzinfo=None)
