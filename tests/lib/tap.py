"""A pipe in front of a server that counts what it lets through."""

import socket
import threading

from lib.ports import free_port


class Tap:
    def __init__(self, target_port):
        self.target_port = target_port
        self.port = free_port()
        self.connections = 0
        self.bytes_down = 0     # from the server to its clients
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port))
            except OSError:
                client.close()
                continue
            for work in ((client, server, False), (server, client, True)):
                threading.Thread(target=self._pump, args=work, daemon=True).start()

    def _pump(self, source, sink, is_down):
        try:
            while piece := source.recv(1 << 16):
                self.bytes_down += len(piece) if is_down else 0
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
