"""What crosses a line, over time."""

import bisect
import threading
import time


class Meter:
    """COUNT() 50 times a second, until the end.  What the machine kept us from is
    left out: nobody knows to which moment of it the count belongs."""

    STEP_S = 0.02
    SLOW_S = 0.002

    def __init__(self, count):
        self.count = count
        self.times, self.counts = [], []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self):
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()

    def _watch(self):
        while not self._is_over.wait(self.STEP_S):
            self._look()

    def _look(self):
        began = time.monotonic()
        count = self.count()
        if time.monotonic() - began > self.SLOW_S and self.times:
            return
        self.counts.append(count)
        self.times.append(began)

    def since(self):
        return time.monotonic() - self.times[0]

    def per_second(self, begin, end):
        """On the average from BEGIN to END, in seconds since the first look."""
        first = bisect.bisect_left(self.times, self.times[0] + begin)
        last = bisect.bisect_right(self.times, self.times[0] + end) - 1
        return (self.counts[last] - self.counts[first]) / (self.times[last] - self.times[first])

    def lead(self, per_second):
        """By how many seconds any stretch of time was ahead of PER_SECOND."""
        most, least = 0, float("inf")
        for at, count in zip(self.times, self.counts):
            ahead = count / per_second - at
            least = min(least, ahead)
            most = max(most, ahead - least)
        return most

    def windows(self, begin, length):
        """That of every window of LENGTH seconds that begins after BEGIN."""
        latest = self.times[-1] - self.times[0] - length
        starts = [at - self.times[0] for at in self.times]
        return [self.per_second(start, start + length) for start in starts
                if begin <= start <= latest]
