"""A PBX without telephones, for backends' own tests: the number's last two digits pick what happens."""

from voicegate.adapters.pbx.simulator.pbx import Behaviour, SimulatedPbx

__all__ = ["Behaviour", "SimulatedPbx"]
