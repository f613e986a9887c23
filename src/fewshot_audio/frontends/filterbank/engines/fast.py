"""The engine whose bands are as narrow as a tolerance lets them be."""

from collections.abc import Callable

import torch
from torch import Tensor

from fewshot_audio.frontends.filterbank.engines.bands import Bands, Prepared
from fewshot_audio.frontends.filterbank.engines.exact import Exact
from fewshot_audio.frontends.filterbank.framing import Placement

SHARES = 10.0 ** -torch.arange(3, 9, 0.25)  # of a filter's power that may lie outside of its band
LADDER = torch.cat([SHARES, torch.zeros(1)])  # the last one is the whole band, without an error
CALIBRATED_ON = 8  # clips
REMEMBERED = ("first error", "worst error")  # from one calibration to the next


class Fast(Bands):
    """Filter at the rate of each filter's band, chosen for a tolerance on a run's own clips.

    The error of a filter is the root mean square of the errors of its energies in some clips, as
    shares of its mean energy in each clip. `calibrate` chooses the narrowest bands whose errors are
    within the tolerance. Until then it is the engine `Exact`: which bands are narrow enough
    depends on the sounds, and processes that train together must choose alike.

    Args:
        placement: Where frames lie.
        symmetric: As for every engine.
        tolerance: The largest error of a filter.
    """

    window_share = 1e-3
    double_windows = False

    def __init__(self, placement: Placement, symmetric: bool = False, tolerance: float = 1e-3):
        if not tolerance >= 0:
            raise ValueError(f"tolerance={tolerance}: expected at least 0")
        super().__init__(placement, symmetric)
        self.tolerance = tolerance
        self.reference = Exact(placement, symmetric)
        self.rungs: Tensor | None = None  # places on the ladder that were chosen, for each filter
        self.measured: dict[str, float] = {}

    def exact(self) -> Exact:
        return self.reference

    def share_outside(self, filters: Tensor, windows: Tensor) -> Tensor:
        return LADDER[-1].expand(len(filters)) if self.shares is None else self.shares

    def _energies(self, filters: Tensor, windows: Tensor, clips: Prepared) -> Tensor:
        if self.shares is None:
            return self.reference._energies(filters, windows, clips)
        return super()._energies(filters, windows, clips)

    def calibrate(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:
        """Choose the band of each filter."""
        count = len(prepared[0])
        clips = torch.linspace(0, count - 1, min(CALIBRATED_ON, count)).round().long()
        spectra = prepared[0][clips.to(prepared[0].device)]
        errors_of = self._measure(filters, windows, floor, spectra)
        search = BandSearch(len(filters), self.tolerance, self.rungs)
        worst = self.measured.get("worst error", 0.0)
        measures_chosen = self.rungs is not None
        numbers = search.undecided()
        while len(numbers):
            self.shares = LADDER[search.trial[numbers]]
            errors = errors_of(numbers.to(filters.device))
            summary = torch.stack([_root_mean_square(errors), errors.amax((0, 1))]).float().cpu()
            if measures_chosen:  # the first trial is of the bands that served until now
                worst, measures_chosen = max(worst, summary[0].max().item()), False
            search.record(numbers, summary)
            numbers = search.undecided()
        self.rungs, self.shares = search.high, LADDER[search.high]
        error, largest = search.errors.amax(1).tolist()
        whole = self.blocking.samples // 2
        self.measured = {
            "clips": len(clips),
            "first error": self.measured.get("first error", error),
            "error": error,
            "largest error": largest,
            "worst error": max(error, worst),
            "whole bands": int((self.plan(filters, windows).samples > whole).sum()),
        }

    def check(self, filters: Tensor, windows: Tensor, floor: float, *prepared: Tensor) -> None:
        everyone = torch.arange(len(filters), device=filters.device)
        errors = self._measure(filters, windows, floor, prepared[0])(everyone)
        self.measured |= {
            "error on test clips": _root_mean_square(errors).max().item(),
            "largest error on test clips": errors.max().item(),
        }

    def state(self) -> dict[str, Tensor]:
        if self.rungs is None:
            return {}
        errors = [self.measured[name] for name in REMEMBERED if name in self.measured]
        return {"rungs": self.rungs} | ({"errors": torch.tensor(errors)} if errors else {})

    def restore(self, state: dict[str, Tensor]) -> None:
        self.rungs = state["rungs"].cpu().clone() if "rungs" in state else None
        self.shares = None if self.rungs is None else LADDER[self.rungs]
        errors = state["errors"].tolist() if "errors" in state else ()
        self.measured = dict(zip(REMEMBERED, errors, strict=False))

    def report(self) -> dict[str, float]:
        """Return the errors of the filter with the largest ones, as shares of its mean energy.

        "error" and "largest error", the root mean square and the largest one with the bands now
        chosen; "first error", with those chosen first; "worst error", the largest root mean square
        that training brought about before bands were chosen anew; both also on test clips.
        """
        return {"tolerance": self.tolerance} | self.measured if self.measured else {}

    def _measure(
        self, filters: Tensor, windows: Tensor, floor: float, spectra: Tensor
    ) -> Callable[[Tensor], Tensor]:
        """Return a function from numbers of filters to their errors (clips, frames, some).

        It takes the shares that are set for these filters when it is called.
        """
        everywhere = torch.tensor([0, self.blocking.samples], device=spectra.device)
        everywhere = everywhere.expand(*spectra.shape[:2], 2)
        blocks = spectra[None], everywhere[None]
        true, _ = self.reference.without_ends(filters, windows, *blocks)
        scale = true.mean(1, keepdim=True).clamp(min=floor)  # of each clip, as PCEN takes it

        def errors(some: Tensor) -> Tensor:
            energies, _ = self.without_ends(filters[some], windows[some], *blocks)
            return (energies - true[..., some]).abs() / scale[..., some]

        return errors


class BandSearch:
    """Find the first rung of the ladder, for each filter, whose error is within the tolerance.

    By bisection, as narrower bands have larger errors. Few filters change much between two
    calibrations: so where a rung was chosen before, it is tried first, and then its neighbour.

    Args:
        n_filters: How many filters.
        tolerance: The largest error.
        chosen: The rungs that were chosen before, None for the first time.
    """

    def __init__(self, n_filters: int, tolerance: float, chosen: Tensor | None):
        self.tolerance = tolerance
        self.low = torch.zeros(n_filters, dtype=torch.long)
        self.high = torch.full_like(self.low, len(SHARES))
        self.errors = torch.zeros(2, n_filters)  # root mean square and largest, of rung `high`
        self.neighbour_next = chosen is not None
        self.trial = (self.low + self.high) // 2 if chosen is None else chosen

    def undecided(self) -> Tensor:
        """Return the numbers of the filters whose rung is still open."""
        return (self.low < self.high).nonzero()[:, 0]

    def record(self, numbers: Tensor, errors: Tensor) -> None:
        """Take the errors (2, undecided) of filters on the rungs of `trial`; set the next ones."""
        within, trial = errors[0] <= self.tolerance, self.trial[numbers]
        self.high[numbers] = torch.where(within, trial, self.high[numbers])
        self.low[numbers] = torch.where(within, self.low[numbers], trial + 1)
        self.errors[:, numbers] = torch.where(within, errors, self.errors[:, numbers])
        if self.neighbour_next:
            self.trial = torch.where(self.high <= self.trial, self.high - 1, self.low)
        else:
            self.trial = (self.low + self.high) // 2
        self.neighbour_next = False


def _root_mean_square(errors: Tensor) -> Tensor:
    return errors.square().mean((0, 1)).sqrt()
