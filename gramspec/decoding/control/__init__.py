"""Controllers: how much is drafted in a round, and by whom, settled before anything of it is drawn."""

from gramspec.decoding.control.acceptance import Acceptance, ThresholdPlan
from gramspec.decoding.control.bandit import Arm, Bandit
from gramspec.decoding.control.latency import LatencyModel, Timing, measure
from gramspec.decoding.control.paying import PayingPlan

__all__ = ["Acceptance", "Arm", "Bandit", "LatencyModel", "PayingPlan", "ThresholdPlan", "Timing", "measure"]
