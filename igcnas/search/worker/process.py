"""A worker as a process: it reads work from a connection, answers with messages, and ends with whoever started it.

Its standard input is a lifeline: its end is the end of the controller, however that came about. All that is ever
written there is STOP: what is in training is then saved before the next step, and the process ends. The controller
starts it as a program of its own (`evaluation.child`), not through multiprocessing: there a controller that dies in
that very moment leaves a traceback of a half-read start.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from igcnas.errors import CaptureError, IgcnasError, MachineError, TrainingError
from igcnas.search.worker import messages
from igcnas.search.worker.memory import lack_of_memory
from igcnas.search.worker.messages import WorkerSetup
from igcnas.search.worker.work import Work
from igcnas.system import program, streams
from igcnas.system.files import describe_fault, machine_fault

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

if TYPE_CHECKING:
    from igcnas.search.worker.trainer import Trainer
    from igcnas.training.reports import EpochReport

# The controller answers in milliseconds; one that was suspended may come back.
_ANSWER_SECONDS = 3600.0


class _NoAnswer(Exception):  # noqa: N818 - the controller's business, not an error of this process
    """The controller is gone or silent: without its word a training must not go on."""


def main(descriptor: int) -> None:
    """Serve jobs until the connection closes, and end the process. Ctrl-C is the controller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    program.prepare()
    sys.stdout, sys.stderr = streams.mended(sys.stdout), streams.mended(sys.stderr)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    stop = threading.Event()
    threading.Thread(target=_end_with_controller, args=(stop,), daemon=True).start()
    try:
        with Connection(descriptor) as pipe:
            _serve(pipe, stop)
    except (EOFError, OSError, _NoAnswer):  # the controller is gone
        pass
    os._exit(0)  # there is nothing to put away, and libraries that complain of what is left have nobody to tell


def _end_with_controller(stop: threading.Event) -> None:
    """A worker without a controller would train for nobody."""
    # Not sys.stdin: this thread would hold its lock to the end of the interpreter.
    while os.read(0, 1) == messages.STOP:
        stop.set()
    os._exit(1)


def _serve(pipe: Connection, stop: threading.Event) -> None:
    try:
        from igcnas.search.worker.trainer import Trainer  # this takes longest, and needs no setup

        setup: WorkerSetup = pipe.recv()
        trainer = Trainer(setup, note=lambda text: pipe.send((messages.NOTE, text)), stop=stop.is_set)
    except Exception as error:  # a driver, a library, the data: whatever it is, the controller must hear it in one line
        lack = lack_of_memory(error)
        said = _farewell(error, "the training process cannot start")
        pipe.send(said if lack is None else (messages.BROKEN, f"out of memory: {lack}"))
        return
    pipe.send((messages.READY, trainer.device_name))
    goes_on = True
    while goes_on and not stop.is_set():
        # What is left between two trainings stays: to look through it for garbage again each time took 0.1 s.
        gc.collect()
        gc.freeze()
        goes_on = _work(pipe, trainer, pipe.recv(), waits=setup.prunes)


def _work(pipe: Connection, trainer: Trainer, work: Work, *, waits: bool) -> bool:
    """Do it; whether this process is fit for more."""
    from igcnas.training.engine import Stopped

    try:
        results, pruned = work.run(trainer, lambda report: _tell_epoch(pipe, report, waits=waits))
        pipe.send((messages.PRUNED if pruned else messages.DONE, results))
    except _NoAnswer:
        raise
    except Stopped:
        return False
    except Exception as error:  # whatever a network can do to torch must reach the controller with its place
        word, reason = _outcome_of(error)
        pipe.send((word, reason))
        return word == messages.FAILED  # what it holds of memory, or a fault of CUDA, stays with its process
    return True


def _outcome_of(error: Exception) -> tuple[str, str]:
    """The word and the reason of a training that raised this."""
    lack = lack_of_memory(error)
    if lack is not None:
        return messages.NO_MEMORY, lack
    if isinstance(error, CaptureError):
        return messages.UNCAPTURED, str(error)
    if isinstance(error, TrainingError):
        return messages.FAILED, str(error)
    return _farewell(error, "error in training")


def _farewell(error: Exception, what: str) -> tuple[str, str]:
    """The last message of this process: a fault of the machine by that, any other with its place."""
    if isinstance(error, MachineError):
        return messages.HALTED, str(error)
    if isinstance(error, IgcnasError):
        return messages.BROKEN, str(error)
    fault = machine_fault(error)
    if fault is not None:
        return messages.HALTED, describe_fault(fault)
    return messages.BROKEN, f"{what}: {_in_one_line()}"


def _tell_epoch(pipe: Connection, report: EpochReport, *, waits: bool) -> bool:
    """Report an epoch; whether the controller wants it to be the last."""
    pipe.send((messages.EPOCH, report))
    if not waits:
        return False
    try:
        if pipe.poll(_ANSWER_SECONDS):
            return bool(pipe.recv() == messages.END)
    except (EOFError, OSError):
        pass
    raise _NoAnswer


def _in_one_line() -> str:
    return traceback.format_exc().strip().replace("\n", " | ")
