"""What else the machine did while a part was measured that has no rounds."""

import os
from dataclasses import dataclass, field

from tests.bench.machine import Moment, Speed, calibrate, processor_s, processors
from tests.bench.validity import Load


@dataclass(slots=True)
class Watch:
    """Looks from its making on; what it finds holds once all programs that were started have ended."""

    speeds: list[Speed] = field(default_factory=lambda: [calibrate()])
    before: Moment = field(default_factory=Moment.now)
    spent_s: float = field(default_factory=lambda: processor_s(os.getpid()))

    def load(self) -> Load:
        """Return the load until now; ours is what this process took, and all that it waited for."""
        after, ours = Moment.now(), processor_s(os.getpid()) - self.spent_s
        wall_s = after.wall_s - self.before.wall_s
        all_s = wall_s * processors()
        others = max(0.0, after.busy_s - self.before.busy_s - ours)
        steal = after.steal_s - self.before.steal_s
        return Load(others / all_s, steal / all_s, 0, wall_s, [*self.speeds, calibrate()])

    def between(self) -> None:
        """Look at the machine's speed."""
        self.speeds.append(calibrate())
