"""A registry that does what it is told, at the far side of a line."""

import socket
import threading

from lib.faulty import Faulty


class Far(Faulty):
    def __init__(self, wan, **more):
        super().__init__(**more)
        self.wan = wan

    @property
    def url(self):
        return f"http://{self.authority}"

    @property
    def authority(self):
        return f"{self.wan.far}:{self.port}"

    def start(self):
        self._closing.clear()
        self._listener = self.wan.call(self._listen)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()
        return self

    def _listen(self):
        return socket.create_server((self.wan.far, self.port), backlog=1024)
