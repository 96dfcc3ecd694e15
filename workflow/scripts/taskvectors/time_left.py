"""How far a study is, and how long it may still take."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

START = 6.0  # seconds that any job takes, about: an interpreter, its imports
# Jobs that take longer without reading much: seconds in the default study on two cores.
LONGER = {"weights": 40.0, "embed_theta": 50.0, "episodes": 10.0, "study_notebook": 10.0}
ENOUGH = 0.03  # the share of the work from which on the time left can be estimated


@dataclass
class TimeLeft:
    """Counts the jobs of a run; the time left follows from the work that is done, by the estimates of `make plan`.

    Attributes:
        seconds: estimated, by rule and model, of all jobs in the whole study; what is not here takes little.
        clock: seconds since any point.
    """

    seconds: Mapping[tuple[str, str], float]
    clock: Callable[[], float] = time.monotonic
    _counts: dict[str, int] = field(default_factory=dict)
    _whole: dict[str, int] = field(default_factory=dict)
    _done: list[float] = field(default_factory=list)
    _start: float = 0.0

    def begin(self, counts: Mapping[str, int], whole: Mapping[str, int] | None = None) -> None:
        """A run begins.

        Args:
            counts: jobs to run, by rule.
            whole: jobs that the whole study has; by default as many.
        """
        self._counts, self._done, self._start = dict(counts), [], self.clock()
        self._whole = dict(counts) | dict(whole or {})

    def finished(self, rule: str, model: str = "") -> str:
        """A job is done. Returns: a line for the user."""
        self._done.append(self._seconds(rule, model))
        done, jobs = len(self._done), max(sum(self._counts.values()), len(self._done))
        took = self.clock() - self._start
        line = f"Study: {done} of {jobs} jobs done in {worded(took)}"
        # Which models a run that goes on where another ended is about is not known before its jobs begin.
        all_of_it = sum(count * self._seconds(rule) for rule, count in self._counts.items())
        share = sum(self._done) / max(all_of_it, 1e-9)
        if done == jobs or not ENOUGH <= share < 1:
            return line
        return f"{line}, about {worded(took * (1 - share) / share)} left"

    def _seconds(self, rule: str, model: str = "") -> float:
        """Of a job, of its model or, if that is not named, on average."""
        models = {of for _, of in self.seconds}
        named = {model} & models or models
        share = len(named) / max(len(models), 1)  # of the rule's jobs
        estimated = sum(self.seconds.get((rule, of), 0.0) for of in named)
        return START + LONGER.get(rule, 0.0) + estimated / max(share * self._whole.get(rule, 1), 1)


def seconds_by_rule(hours: Mapping[str, Mapping[str, float]]) -> dict[tuple[str, str], float]:
    """Estimated seconds of all jobs of every rule and model.

    Args:
        hours: by model, those of every rule.
    """
    return {(rule, model): 3600 * of_rule for model, rules in hours.items() for rule, of_rule in rules.items()}


def worded(seconds: float) -> str:
    """A duration as one reads it: 40 s, 12 min, 3 h 5 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
