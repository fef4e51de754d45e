"""A PBX without telephones, for backends' own tests: the number's last two digits decide what happens."""

from voicegate.adapters.pbx.simulator.pbx import Behaviour, SimulatedPbx

__all__ = ["Behaviour", "SimulatedPbx"]
