"""What long work says of itself where there is no terminal to draw bars on."""

from threading import Event, Thread

from rich.console import Console
from rich.progress import Progress

_FIRST_S, _EVERY_S = 3.0, 10.0
_SPEED_OVER_S = 600.0  # work off a terminal is long, and its steps are
_MINUTES_FROM_S, _HOURS_FROM_S = 100, 100 * 60


class ProgressLines(Progress):
    """Tasks of which a plain line is printed every ten seconds: which, how far, how long still.

    The first comes after three seconds; what is over in less says nothing. The task that was begun
    last and goes on is the one told of.

    Parameters
    ----------
    console
        Where lines are printed.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, disable=True, speed_estimate_period=_SPEED_OVER_S)
        self._is_over = Event()
        # A daemon, so that it keeps no failing command alive.
        self._thread = Thread(target=self._say_at_times, daemon=True)

    def start(self) -> None:
        """Begin to print."""
        self._thread.start()

    def stop(self) -> None:
        """Print nothing from here on."""
        self._is_over.set()
        self._thread.join()

    def _say_at_times(self) -> None:
        wait_s = _FIRST_S
        while not self._is_over.wait(wait_s):
            # Between two tasks there is nothing to say: the next is told of soon after it begins.
            wait_s = _EVERY_S if self._say() else min(_FIRST_S, _EVERY_S)

    def _say(self) -> bool:
        """Print a line; tell whether there was a task to print it of."""
        going_on = [task for task in self.tasks if not task.finished]
        for task in going_on[-1:]:
            words = [task.description or "Beginning"]
            if task.total is not None:
                words.append(f"{task.percentage:.0f} %")
            if task.time_remaining is not None:
                words.append(f"about {_duration(task.time_remaining)} left")
            self.console.print(", ".join(words), highlight=False, soft_wrap=True)
        return bool(going_on)


def _duration(seconds: float) -> str:
    if seconds < _MINUTES_FROM_S:
        return f"{seconds:.0f} s"
    if seconds < _HOURS_FROM_S:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
