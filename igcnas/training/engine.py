"""The one training loop: a network, a recipe, a source of batches; alone or together with other processes.

Why a training can be killed anywhere: what is random in a step depends on (seed, epoch, step) alone, and a checkpoint
holds the rest: weights, optimizer, curve, the losses of the epoch so far. On a CPU the resumed training equals an
uninterrupted one to the bit.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import torch
from torch import nn

from igcnas.errors import TrainingError
from igcnas.modules.build import build
from igcnas.network.plan import Plan
from igcnas.training.averaging import WeightAverage
from igcnas.training.checkpoint import read_checkpoint, write_checkpoint
from igcnas.training.classes import class_weights, cross_entropy
from igcnas.training.device import computing
from igcnas.training.distributed import ALONE, World
from igcnas.training.grouping_loss import GroupingLoss
from igcnas.training.making import make_steps
from igcnas.training.metrics import Scores, score
from igcnas.training.optimizer import rate_factor
from igcnas.training.preparing import hang_dropout, prepare
from igcnas.training.recipes import Recipe
from igcnas.training.reports import EpochReport, StepReport
from igcnas.training.settings import ACCURACY, BALANCED
from igcnas.training.source import Source
from igcnas.training.steps import Steps
from igcnas.training.syncnorm import synchronise_norms
from igcnas.training.targets import Targets, Teacher
from igcnas.training.trust import captured_here

# Processes agree every so many steps on whether to stop: a question to all of them at each step would cost time.
_AGREE_STEPS = 16
_FORMAT = 3  # of checkpoints; one of another version is not taken up, and the training starts again
_ODD = 0x9E3779B97F4A7C15  # spreads consecutive numbers over the seeds


class Stopped(Exception):  # noqa: N818 - not an error
    """The user asked to stop; the checkpoint is written."""


class Engine:
    """Trains one network. Make it, `load` it, `run` it.

    seed fixes the first weights and everything random. checkpoint: where to go on from and to write to, None for
    nowhere. detailed: also measure the accuracy on the training batches and the top-5. keep_best: keep the weights of
    the epoch of the best validation accuracy in `best_state`. mixed: bfloat16 where that pays (CUDA). metric: what
    val_accuracy of the reports is, accuracy or balanced accuracy; then `scores` has the counts of each class.
    stop: asked at each step. engine: 'fast', or 'eager' for stock modules and autograd, step by step. What is fast: on
    a CPU igcnas's own program, on CUDA the eager step captured in a graph where `capture` (None: where the proof on
    this machine found that right, see trust.py). `steps.kind` says what it became. teacher: whose answers are part of
    the targets, by the recipe's share.
    """

    def __init__(
        self,
        network_plan: Plan,
        source: Source,
        recipe: Recipe,
        *,
        seed: int,
        checkpoint: Path | None = None,
        checkpoint_seconds: float = 60.0,
        world: World = ALONE,
        pretrained: Callable[[nn.Module], None] = lambda _network: None,
        detailed: bool = False,
        keep_best: bool = False,
        mixed: bool = True,
        stop: Callable[[], bool] = lambda: False,
        engine: str = "fast",
        capture: bool | None = None,
        teacher: Teacher | None = None,
        metric: str = ACCURACY,
    ) -> None:
        if recipe.batch_size < 2 or source.training_images() < 2:
            # Stock modules refuse such a batch where the last images are of one pixel; ours would not notice.
            raise TrainingError(
                f"batches of {min(recipe.batch_size, source.training_images())} image: batch norm needs two to have a "
                "spread; give more training images, or a larger --batch-size"
            )
        self.plan, self.source, self.recipe, self.seed, self.world = network_plan, source, recipe, seed, world
        self.checkpoint, self.checkpoint_seconds = checkpoint, checkpoint_seconds
        self.detailed, self.keep_best, self.stop = detailed, keep_best, stop
        self.metric = metric
        self.scores: Scores | None = None  # of the last evaluation
        self.device = source.mean.device
        torch.manual_seed(seed)
        self.network = build(network_plan)
        prepare(self.network, network_plan, recipe)
        pretrained(self.network)
        self.network = self.network.to(self.device)
        synchronise_norms(self.network, world)
        self.grouping_loss = GroupingLoss(self.network, network_plan, recipe.grouping)
        hang_dropout(self.network, network_plan, recipe)
        self.targets = Targets(recipe, source.num_classes, teacher)
        self.class_weights = class_weights(recipe, source, self.device)
        self.draws = recipe.dropout > 0 or recipe.channel_dropout.share > 0 or bool(self.grouping_loss.modules)
        self.steps: Steps = make_steps(
            network_plan,
            self.network,
            recipe,
            self.grouping_loss,
            self._loss_of,
            engine=engine,
            capture=captured_here(self.device) if capture is None else capture,
            mixed=mixed,
            detailed=detailed,
            world=world,
        )
        # Only the program rounds differently; eager steps and captured ones are the same operations.
        self.fast = self.steps.kind == "program"
        self.optimizer = self.steps.optimizer
        self._rate = 0.0
        self.steps_per_epoch = source.steps(recipe.batch_size)
        self.average: WeightAverage | None = None
        if recipe.averaging:
            steps = recipe.epochs * self.steps_per_epoch
            self.average = WeightAverage(self.network, share=recipe.averaging, steps=steps)
        self.curve: list[EpochReport] = []
        self.seconds = 0.0
        self.best_state: dict[str, torch.Tensor] | None = None
        self.best_epoch = 0
        self._losses: list[torch.Tensor] = []  # of the epoch so far
        self._right: list[torch.Tensor] = []
        self._tick = self._saved = time.monotonic()
        self.on_step: Callable[[StepReport], None] = lambda _report: None
        self.on_checkpoint: Callable[[], None] = lambda: None

    @property
    def steps_done(self) -> int:
        """Steps of the current epoch that are done."""
        return len(self._losses)

    def run(
        self,
        on_epoch: Callable[[EpochReport], None] = lambda _report: None,
        on_step: Callable[[StepReport], None] = lambda _report: None,
        on_checkpoint: Callable[[], None] = lambda: None,
    ) -> None:
        """Train to the end. on_epoch hears the epochs of earlier runs first; on_checkpoint follows each checkpoint.

        Raises TrainingError where the loss is not finite or the device runs out of memory, Stopped after `stop`.
        """
        self.on_step, self.on_checkpoint = on_step, on_checkpoint
        for report in self.curve:
            on_epoch(report)
        self._tick = self._saved = time.monotonic()
        try:
            with computing(self.device):
                self._train(on_epoch)
        except BaseException as error:
            with suppress(RuntimeError):  # a device on which a capture has failed may refuse this, too
                self.steps.close()
            if isinstance(error, torch.OutOfMemoryError):
                raise TrainingError(f"out of memory: {str(error).splitlines()[0]}") from error
            raise
        self.steps.close()
        if self.average is not None:
            self.average.apply()
        self.network.eval()

    def _averaged_weights(self) -> AbstractContextManager[None]:
        """Inside, the network is the one that is judged."""
        return nullcontext() if self.average is None else self.average.applied()

    def _train(self, on_epoch: Callable[[EpochReport], None]) -> None:
        while len(self.curve) < self.recipe.epochs:
            report = self._epoch(len(self.curve))
            self._losses, self._right = [], []
            self.curve.append(report)
            if self.keep_best:
                self._keep(report)
            self._count_time()
            on_epoch(report)

    def evaluate(self) -> Scores:
        """The network on the validation images of the source, all processes together."""
        self.network.eval()
        with computing(self.device), self._averaged_weights():
            batches = self.source.validation_batches(world=self.world)
            classes = self.source.num_classes if self.metric == BALANCED else 0
            return score(self.steps.answer, batches, device=self.device, world=self.world, classes=classes)

    def _epoch(self, epoch: int) -> EpochReport:
        self.network.train()
        first = len(self._losses)
        batches = self.source.epoch(self.recipe.batch_size, self.seed + epoch, first=first, world=self.world)
        for step, (images, labels) in enumerate(batches, start=first):
            done = epoch * self.steps_per_epoch + step
            self._pause(done)
            self._step(done, images, labels)
            self.on_step(StepReport(epoch=epoch + 1, step=step + 1, steps=self.steps_per_epoch))
        if epoch + 1 == self.recipe.epochs:
            self.grouping_loss.finish()
        # The one wait for the device in an epoch, beside that of the evaluation.
        sums = [torch.stack(values).float() for values in (self._losses, self._right) if values]
        mean_loss, *right = torch.stack([self.world.mean(values).mean() for values in sums]).tolist()
        if not math.isfinite(mean_loss):
            raise TrainingError(f"diverged: training loss {mean_loss} in epoch {epoch + 1}")
        scores = self.evaluate() if self.source.validates() else None
        accuracy = math.nan if scores is None else scores.by(self.metric)
        self.scores = scores
        if not self.detailed:
            return EpochReport(epoch=epoch + 1, train_loss=mean_loss, val_accuracy=accuracy)
        return EpochReport(
            epoch=epoch + 1,
            train_loss=mean_loss,
            val_accuracy=accuracy,
            val_top5=None if scores is None else scores.top5,
            train_accuracy=100.0 * right[0],
            learning_rate=self._rate,
        )

    def _loss_of(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        smoothing = 0.0 if self.targets.shares else self.recipe.label_smoothing  # shares are smooth already
        loss = cross_entropy(logits, labels, self.class_weights, smoothing=smoothing)
        return self.grouping_loss(loss)

    def _step(self, done: int, images: torch.Tensor, labels: torch.Tensor) -> None:
        recipe = self.recipe
        factor = rate_factor(recipe.schedule, done, steps_per_epoch=self.steps_per_epoch, epochs=recipe.epochs)
        self._rate = recipe.learning_rate * factor
        self.steps.set_rate(self._rate)
        self.grouping_loss.begin_step(done / (recipe.epochs * self.steps_per_epoch))
        seed = (self.seed + _ODD * (1 + done * self.world.size + self.world.rank)) % 2**63
        if self.draws:
            torch.manual_seed(seed)
        loss, right = self.steps.step(*self.targets(images, labels, seed=seed))
        if self.average is not None:
            self.average.update(settled=self.grouping_loss.settled)
        self._losses.append(loss)
        if right is not None:
            self._right.append(right)

    def _keep(self, report: EpochReport) -> None:
        """The first of several equal ones; without validation, the last.

        A network that has not dropped yet what it is to drop is another one, and never the best.
        """
        if not self.grouping_loss.settled and report.epoch < self.recipe.epochs:
            return
        best = self.curve[self.best_epoch - 1].val_accuracy if self.best_epoch else -math.inf
        if math.isnan(report.val_accuracy) or report.val_accuracy > best:
            self.best_epoch = report.epoch
            with self._averaged_weights():
                self.best_state = {name: t.detach().clone() for name, t in self.network.state_dict().items()}

    def _pause(self, done: int) -> None:
        """Before a step: save if it is time, end if the user asked; what one process wants, all do."""
        if self.world.size > 1 and done % _AGREE_STEPS:
            return
        late = time.monotonic() - self._saved > self.checkpoint_seconds
        wish = self.world.largest(2.0 if self.stop() else 1.0 if late else 0.0)
        if wish >= 1:
            self.save()
        if wish >= 2:
            raise Stopped

    def _count_time(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._tick
        self._tick = now

    def save(self) -> None:
        """Write the checkpoint. All processes must call it: those of the epoch's losses that they have are averaged."""
        if self.checkpoint is None:
            return
        self._saved = time.monotonic()
        self._count_time()
        self._losses, self._right = self._averaged(self._losses), self._averaged(self._right)
        if not self.world.first:
            return
        empty = torch.zeros(0)
        state = {
            "format": _FORMAT,
            "seed": self.seed,
            "fast": self.fast,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curve": [astuple(report) for report in self.curve],
            "losses": torch.stack(self._losses) if self._losses else empty,
            "right": torch.stack(self._right) if self._right else empty,
            "best_epoch": self.best_epoch,
            "best_state": self.best_state,
            "seconds": self.seconds,
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        write_checkpoint(self.checkpoint, state)
        self.on_checkpoint()

    def _averaged(self, values: list[torch.Tensor]) -> list[torch.Tensor]:
        return list(self.world.mean(torch.stack(values)).unbind()) if values and self.world.size > 1 else values

    def load(self, restart: Callable[[str], None] | None = None) -> bool:
        """Go on from the checkpoint, if there is one of this training; whether there was.

        restart: told why this training begins again where a checkpoint is there and cannot be taken up. Without it one
        that is damaged is a TrainingError.
        """
        state, reason = self.world.share(self._read(restart is not None) if self.world.first else None)
        if state is not None and not reason:
            reason = self._restore(state)
        if reason and restart is not None:
            restart(f"{self.checkpoint} {reason}: this training begins again")
        return state is not None and not reason

    def _read(self, restarts: bool) -> tuple[dict[str, Any] | None, str]:
        """The checkpoint, and why it cannot be taken up."""
        if self.checkpoint is None:
            return None, ""
        try:
            state = read_checkpoint(self.checkpoint, torch.device("cpu"))
        except TrainingError as error:
            if not restarts:
                raise
            return None, str(error).removeprefix(f"{self.checkpoint} ").partition(";")[0]
        # The seed is from (settings, architecture): another is of another training. Engines round differently.
        wanted = {"format": _FORMAT, "seed": self.seed, "fast": self.fast}
        if state is not None and any(state.get(key) != value for key, value in wanted.items()):
            return state, "is of another training, or of another version of igcnas"
        return state, ""

    def _restore(self, state: Mapping[str, Any]) -> str:
        """Take it up, all of it or nothing; why not."""
        network, optimizer = copy.deepcopy(self.network.state_dict()), copy.deepcopy(self.optimizer.state_dict())
        try:
            curve = [EpochReport(**dict(zip(EpochReport.__slots__, row, strict=True))) for row in state["curve"]]
            losses, right = (list(state[name].to(self.device).unbind()) for name in ("losses", "right"))
            best_epoch, best_state, seconds = int(state["best_epoch"]), state["best_state"], float(state["seconds"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.network.load_state_dict(state["network"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            self.network.load_state_dict(network)
            self.optimizer.load_state_dict(optimizer)
            return f"does not fit this network ({(str(error).splitlines() or [type(error).__name__])[0]})"
        self.curve, self._losses, self._right, self.seconds = curve, losses, right, seconds
        self.best_epoch, self.best_state = best_epoch, best_state
        return ""
