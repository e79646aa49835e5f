"""Controllers: how much is drafted in a round, and by whom, settled before anything of it is drawn."""

from gramspec.decoding.control.acceptance import Acceptance, ThresholdPlan
from gramspec.decoding.control.bandit import Arm, Bandit
from gramspec.decoding.control.latency import LatencyModel, Timing, measure

__all__ = ["Acceptance", "Arm", "Bandit", "LatencyModel", "ThresholdPlan", "Timing", "measure"]
