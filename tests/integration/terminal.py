# SPDX-License-Identifier: GPL-3.0-or-later
"""A program at a pseudo terminal, as a user sits before it."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

SECONDS = 60


class Terminal:
    """gdb by default: what is waited for is its prompt."""

    def __init__(self, command, environment, rows=24, columns=80):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))
        self.prompt()

    def send(self, text):
        self.seen = ""
        os.write(self.fd, text.encode())

    def until(self, pattern, seconds=SECONDS):
        """What came since the last send(), up to PATTERN; "" when it did not."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return ""
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                return ""
            self.seen += data.decode(errors="replace")
        return self.seen

    def prompt(self):
        return self.until(r"\(gdb\) (\x1b\[[0-9;?]*[a-zA-Z])*$")

    def type(self, line):
        """What gdb answers to a line, up to its next prompt."""
        self.send(line + "\n")
        # The line is echoed behind the prompt that was there before.
        return self.prompt()

    def kill(self, number):
        os.kill(self.pid, number)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)
        os.close(self.fd)
