"""How far a study is, and how long it may still take."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

START = 6.0  # seconds that any job takes, about: an interpreter, its imports
# Jobs that take longer without reading much: seconds in the default study on two cores.
LONGER = {"weights": 40.0, "embed_theta": 50.0, "episodes": 10.0, "study_notebook": 10.0}
ENOUGH = 0.03  # the share of the work from which on the time left can be estimated

Job = tuple[str, str]  # rule and model; no model where a job is of all


@dataclass
class TimeLeft:
    """Counts the jobs of a run; the time left follows from the work that is done, by the estimates of `make plan`.

    Attributes:
        seconds: estimated, by rule and model, of all jobs in the whole study; what is not here takes little.
        parts: by rule, how many jobs of a model the whole study has; 1 where it is not said.
        clock: seconds since any point.
    """

    seconds: Mapping[Job, float]
    parts: Mapping[str, int] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _jobs: dict[Job, int] = field(default_factory=dict)
    _done: list[Job] = field(default_factory=list)
    _start: float = 0.0

    def begin(self, jobs: Mapping[Job, int]) -> None:
        """A run of so many jobs begins."""
        self._jobs, self._done, self._start = dict(jobs), [], self.clock()

    def finished(self, rule: str, model: str = "") -> str:
        """A job is done. Returns: a line for the user."""
        self._done.append((rule, model))
        done, jobs = len(self._done), max(sum(self._jobs.values()), len(self._done))
        took = self.clock() - self._start
        line = f"Study: {done} of {jobs} jobs done in {worded(took)}"
        work = sum(count * self._seconds(job) for job, count in self._jobs.items())
        share = sum(map(self._seconds, self._done)) / max(work, 1e-9)
        if done == jobs or not ENOUGH <= share < 1:
            return line
        return f"{line}, about {worded(took * (1 - share) / share)} left"

    def _seconds(self, job: Job) -> float:
        rule, _ = job
        return START + LONGER.get(rule, 0.0) + self.seconds.get(job, 0.0) / max(self.parts.get(rule, 1), 1)


def seconds_of_jobs(hours: Mapping[str, Mapping[str, float]]) -> dict[Job, float]:
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
