"""A benchmark: its options, its rounds, its results."""

import argparse
import contextlib
import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from bench.lib import build, machine, profile
from bench.lib.build import say
from bench.lib.table import WANTED_COLUMNS, Rounds, Wanted, markdown
from lib.ports import raise_file_limit

RESULTS = build.TOOLS / "results"


class Bench:
    def __init__(self, name, options, folder, stack):
        self.name = name
        self.rounds = options.rounds
        self.seconds = options.seconds
        self.is_short = options.short
        self.is_profiling = options.profile and profile.is_possible()
        self.only = options.only
        self.folder = Path(folder)
        self._stack = stack
        self._text = []
        self.wanted = []

    def start(self, server):
        """It runs until the benchmark is over, however it ends."""
        return self._stack.enter_context(server)

    def new_folder(self, name):
        path = self.folder / name
        path.mkdir(parents=True)
        return path

    # ---- measuring --------------------------------------------------------------

    def in_turn(self, what, servers, measure, rounds=None):
        """A B A B: MEASURE(server) for each, again and again.  SERVERS may be names."""
        taken = Rounds()
        for number in range(rounds or self.rounds):
            say(f"{self.name}: {what}, round {number + 1}")
            for server in servers:
                taken.add(getattr(server, "name", server), measure(server))
        return taken

    def is_wanted(self, what):
        return not self.only or self.only in what

    # ---- telling ----------------------------------------------------------------

    def print(self, text=""):
        self._text.append(text)
        print(text, flush=True)

    def table(self, columns, rows):
        if rows:
            self.print(markdown(columns, rows))

    def want(self, what, series, limit, show=None, **how):
        """Notes a figure; SHOW() tells where the time goes if it is missed."""
        figure = Wanted(what, series, limit, **how)
        self.wanted.append(figure)
        if not figure.is_reached and show and self.is_profiling:
            self.print(f"Missed: {what}.\n\n```\n{show()}\n```\n")
        return figure

    def want_both(self, cost, speed, show):
        """A cost and a speed, each (what, series, limit); one profile tells of both."""
        first = self.want(*cost, show)
        self.want(*speed, show if first.is_reached else None, is_least=True,
                  is_within_spread=speed[2] < 1)

    def end(self):
        if self.wanted:
            self.table(WANTED_COLUMNS, [figure.row() for figure in self.wanted])
        if self.is_short:
            return      # that is no result
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{self.name}.json").write_text(json.dumps({
            "name": self.name, "machine": machine.line(), "rounds": self.rounds,
            "text": "\n".join(self._text),
            "wanted": [{"row": figure.row(), "is_reached": figure.is_reached}
                       for figure in self.wanted]}, indent=1))


def parser(about):
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--rounds", type=int, default=5, help="of each measurement (5)")
    made.add_argument("--seconds", type=float, default=2, help="of each measurement (2)")
    made.add_argument("--short", action="store_true",
                      help="one short round of each: does it work at all")
    made.add_argument("--profile", action=argparse.BooleanOptionalAction, default=True,
                      help="show where the time goes for figures that are missed")
    made.add_argument("--only", metavar="TEXT", help="only measurements named so")
    return made


def shortened(options):
    if options.short:
        options.rounds, options.seconds, options.profile = 1, 0.3, False
    return options


def main(name, about, measure):
    options = shortened(parser(about).parse_args())
    # SIGTERM ends it as Ctrl-C does: with everything cleaned up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    raise_file_limit()
    build.everything()
    scratch = build.TOOLS / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.ExitStack() as stack:
            folder = tempfile.mkdtemp(prefix=f"{name}-", dir=scratch)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            _measure(Bench(name, options, folder, stack), about, measure)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)


def _measure(bench, about, measure):
    bench.print(f"## {bench.name}\n\n{about}\n\n{machine.line()}; {bench.rounds} rounds of "
                f"{bench.seconds:g} s; ratios are medians of each round's own.\n")
    try:
        measure(bench)
        bench.end()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)     # what was started is ended
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
