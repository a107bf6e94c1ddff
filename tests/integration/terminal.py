# SPDX-License-Identifier: GPL-3.0-or-later
"""A program at a pseudo terminal, as a user sits before it."""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

SECONDS = 60


def set_size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Terminal:
    """gdb by default: what is waited for is its prompt."""

    def __init__(self, command, environment, rows=24, columns=80):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            set_size(0, rows, columns)
            os.execvpe(command[0], command, environment)
        self.begin()

    def begin(self):
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


class Screen:
    """What a terminal of TERM=xterm shows, as far as curses and readline go."""

    def __init__(self, rows, columns):
        self.modes = set()
        self.rest = ""
        self.saved = None
        self.kept = (0, 0)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.clear()

    def clear(self):
        self.cells = [self.blank() for row in range(self.rows)]
        self.y = self.x = 0
        self.top, self.bottom = 0, self.rows - 1
        self.wraps = False
        self.last = " "

    def blank(self):
        return [" "] * self.columns

    def lines(self):
        # The second cell of a wide character is empty.
        return ["".join(row).rstrip() for row in self.cells]

    def text(self):
        return "\n".join(self.lines())

    def feed(self, data):
        data = self.rest + data
        position = 0
        pattern = re.compile(
            r"\x1b\[([0-9;?>]*)([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b([()][0-9A-Za-z])"
            r"|\x1b([^\[\]()])|([\x00-\x1a\x1c-\x1f])|([^\x00-\x1f]+)", re.S)
        while position < len(data):
            found = pattern.match(data, position)
            if not found:
                break
            position = found.end()
            parameters, final, charset, escape, control, text = found.groups()
            if final:
                self.sequence(parameters, final)
            elif escape:
                self.escape(escape)
            elif control:
                self.control(control)
            elif text:
                for character in text:
                    self.put(character)
        self.rest = data[position:]

    def put(self, character):
        if unicodedata.combining(character):
            return
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if self.wraps or self.x + width > self.columns:
            self.x = 0
            self.line_feed()
        self.wraps = False
        self.last = character
        self.cells[self.y][self.x] = character
        if width == 2 and self.x + 1 < self.columns:
            self.cells[self.y][self.x + 1] = ""
        self.x += width
        if self.x >= self.columns:
            self.x, self.wraps = self.columns - 1, True

    def control(self, character):
        self.wraps = False
        if character == "\r":
            self.x = 0
        elif character in "\n\v\f":
            self.line_feed()
        elif character == "\b":
            self.x = max(0, self.x - 1)
        elif character == "\t":
            self.x = min(self.columns - 1, (self.x // 8 + 1) * 8)

    def line_feed(self):
        if self.y == self.bottom:
            self.scroll(self.top, 1)
        elif self.y < self.rows - 1:
            self.y += 1

    def scroll(self, first, count):
        """Moves the lines from FIRST on up by COUNT, or down."""
        # The program may not know of a smaller screen yet.
        self.bottom = min(self.bottom, self.rows - 1)
        first = min(first, self.bottom)
        for _ in range(min(abs(count), self.rows)):
            if count > 0:
                del self.cells[first]
                self.cells.insert(self.bottom, self.blank())
            else:
                del self.cells[self.bottom]
                self.cells.insert(first, self.blank())

    def escape(self, letter):
        if letter == "7":
            self.kept = (self.y, self.x)
        elif letter == "8":
            self.y, self.x = self.kept
        elif letter == "M":
            if self.y == self.top:
                self.scroll(self.top, -1)
            else:
                self.y = max(0, self.y - 1)

    def sequence(self, parameters, final):
        numbers = [int(number or 0) for number in parameters.strip("?>").split(";")]
        first = max(1, numbers[0])
        self.wraps = False
        if final in "hl" and parameters.startswith("?"):
            for mode in numbers:
                (self.modes.add if final == "h" else self.modes.discard)(mode)
                if mode == 1049:
                    self.alternate(final == "h")
        elif final in "Hf":
            self.y = min(self.rows, first) - 1
            self.x = min(self.columns, max(1, (numbers + [1])[1])) - 1
        elif final == "d":
            self.y = min(self.rows, first) - 1
        elif final == "G":
            self.x = min(self.columns, first) - 1
        elif final in "AB":
            self.y = max(0, min(self.rows - 1, self.y + (first if final == "B" else -first)))
        elif final in "CD":
            self.x = max(0, min(self.columns - 1, self.x + (first if final == "C" else -first)))
        elif final == "J":
            self.erase_screen(numbers[0])
        elif final == "K":
            self.erase(self.y, *[(self.x, self.columns), (0, self.x + 1),
                                 (0, self.columns)][numbers[0]])
        elif final == "X":
            self.erase(self.y, self.x, min(self.columns, self.x + first))
        elif final == "b":
            for _ in range(first):
                self.put(self.last)
        elif final == "@":
            row = self.cells[self.y]
            row[self.x:] = ([" "] * first + row[self.x:])[:self.columns - self.x]
        elif final == "P":
            row = self.cells[self.y]
            row[self.x:] = (row[self.x + first:] + [" "] * first)[:self.columns - self.x]
        elif final in "LM":
            self.scroll(self.y, first if final == "M" else -first)
        elif final in "ST":
            self.scroll(self.top, first if final == "S" else -first)
        elif final == "r":
            self.top = min(first, self.rows) - 1
            self.bottom = min((numbers + [0])[1] or self.rows, self.rows) - 1
            self.y = self.x = 0

    def alternate(self, enter):
        if enter and self.saved is None:
            self.saved = (self.cells, self.y, self.x)
            self.clear()
        elif not enter and self.saved is not None:
            cells, y, x = self.saved
            self.saved = None
            self.clear()
            for old, row in zip(cells, self.cells):
                row[:] = (old + self.blank())[:self.columns]
            self.y, self.x = min(y, self.rows - 1), min(x, self.columns - 1)

    def erase(self, y, start, end):
        for x in range(start, end):
            self.cells[y][x] = " "

    def erase_screen(self, what):
        if what == 0:
            self.erase(self.y, self.x, self.columns)
        elif what == 1:
            self.erase(self.y, 0, self.x + 1)
        for y in range(self.rows):
            if what == 2 or (what == 0 and y > self.y) or (what == 1 and y < self.y):
                self.erase(y, 0, self.columns)


class ScreenTerminal(Terminal):
    """The same with its screen read."""

    def __init__(self, command, environment, rows=24, columns=80):
        self.screen = Screen(rows, columns)
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(command, environment, rows, columns)

    def begin(self):
        """Nothing is waited for."""

    def take(self, seconds):
        """Reads what comes within SECONDS; False when nothing does."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        text = self.decoder.decode(data)
        self.seen += text
        self.screen.feed(text)
        return True

    def shows(self, pattern, seconds=20):
        """Whether the screen comes to rest with PATTERN on it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.take(0.15) and re.search(pattern, self.screen.text(), re.M):
                return True
        return False

    def keys(self, text):
        os.write(self.fd, text.encode())

    def press(self, button, row, column):
        """A press and a release of a mouse button; rows and columns from 0."""
        for final in "Mm" if 1006 in self.screen.modes else "":
            self.keys("\x1b[<%d;%d;%d%s" % (button, column + 1, row + 1, final))
        if 1006 not in self.screen.modes:
            for code in (button, 3):
                self.keys("\x1b[M" + "".join(chr(32 + number) for number in (
                    code, column + 1, row + 1)))

    def resize(self, rows, columns):
        self.screen.resize(rows, columns)
        set_size(self.fd, rows, columns)

    def state(self):
        """What stty tells."""
        return termios.tcgetattr(self.fd)
