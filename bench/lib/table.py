"""Medians, spreads, ratios, and tables of them."""

from dataclasses import dataclass
from statistics import median


def number(value):
    """Three digits that matter."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def connections(count):
    return f"{count:,} connection{'s' if count > 1 else ''}"


class Series:
    """One figure over the rounds."""

    def __init__(self, values):
        self.values = [value for value in values if value is not None]

    @property
    def median(self):
        return median(self.values)

    def __str__(self):
        """The median, and half of the distance between least and most."""
        if not self.values:
            return "-"
        middle = self.median
        half = (max(self.values) - min(self.values)) / 2
        return f"{number(middle)} ±{100 * half / middle:.0f}%" if middle else "0"

    def over(self, other):
        """The ratios, round by round: each has seen the same machine."""
        return Series([mine / theirs for mine, theirs in zip(self.values, other.values)
                       if theirs])

    def minus(self, other):
        return Series([mine - theirs for mine, theirs in zip(self.values, other.values)])

    def times(self, factor):
        return Series([value * factor for value in self.values])


class Rounds:
    """What each server did in each round."""

    def __init__(self):
        self._taken = {}

    def add(self, name, taken):
        self._taken.setdefault(name, []).append(taken)

    def of(self, name, figure):
        return Series([taken.get(figure) for taken in self._taken[name]])

    def ratio(self, figure, name, peer):
        return self.of(name, figure).over(self.of(peer, figure))

    def names(self):
        return list(self._taken)


@dataclass
class Wanted:
    """A figure that is to be reached; LIMIT is the most, or the least."""

    what: str
    series: Series
    limit: float
    is_least: bool = False
    is_within_spread: bool = False   # a limit among the rounds' values is reached

    @property
    def is_reached(self):
        value = self.series.median
        best = max(self.series.values) if self.is_least else min(self.series.values)
        value = best if self.is_within_spread else value
        return value >= self.limit if self.is_least else value <= self.limit

    def row(self):
        values = self.series.values
        return [self.what, f"{'≥' if self.is_least else '≤'} {self.limit:g}",
                f"{self.series.median:.4g} ({min(values):.4g} to {max(values):.4g})",
                "yes" if self.is_reached else "**no**"]


WANTED_COLUMNS = ["figure", "wanted", "here: median (least to most)", "reached"]


def markdown(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"
