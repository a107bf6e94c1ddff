#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""muppy browse at a terminal: keys, mouse, and what it leaves behind.

On the command line and in gdb, its text user interface included.  See common.py
for the environment.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
import time

from common import (GDB, MUPPY, MUPPY_GDB, PYTHON, Failure, Program, Results, attempt,
                    gcore, interpreter, run, scratch)
from gdb_session import kill_helper
from terminal import ScreenTerminal

UP, DOWN, RIGHT, LEFT = "\x1bOA", "\x1bOB", "\x1bOC", "\x1bOD"
HOME, END, PAGE_UP, PAGE_DOWN = "\x1bOH", "\x1bOF", "\x1b[5~", "\x1b[6~"
ESCAPE, ENTER, CTRL_C, CTRL_Z = "\x1b", "\r", "\x03", "\x1a"
WHEEL_UP, WHEEL_DOWN = 64, 65
HIDDEN = "\x1b[31mred\x07\u202e"  # what must not reach a terminal
MANY = 300000
WIDE = "\u00fc\u4f60\u597d"

# One object of each kind that is looked at below.
PROGRAM = """
import signal, sys
class Lonely: pass
class Star: pass
class Knot: pass
class Loud: pass
class Tower: pass
lonely = Lonely()
holder = {"cache": {"lonely key": lonely}}
knot = Knot(); knot.self = knot
star = Star(); rays = [(star, number) for number in range(%d)]
loud = {%r: Loud(), %r: Loud()}
tower = Tower()
for number in range(60): tower = [tower]
print("ready", flush=True)
while True: signal.pause()
""" % (MANY, HIDDEN, WIDE)


def start(python):
    return Program(python, PROGRAM, PYTHONUTF8="1")


class Browsing:
    """A core, and terminals that look at it."""

    def __init__(self, results, python, program, core):
        self.results, self.python = results, python
        self.program, self.core = program, core

    def check(self, name, ok, terminal=None):
        detail = "" if ok or not terminal else "\n" + terminal.screen.text()
        return self.results.check(name, bool(ok), detail)

    def address(self, name):
        """The address of the only instance of that class."""
        result = run([MUPPY, "--core", self.core, "filter", "__main__." + name])
        found = re.findall(r"^0x0*([0-9a-f]+)", result.stdout, re.M)
        if not found:
            raise Failure("no %s: %s" % (name, result.stdout))
        return "0x" + found[0]

    def environment(self, **changes):
        environment = dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8",
                           DEBUGINFOD_URLS="", PS1="$ ", ENV="")
        environment.pop("LINES", None)
        environment.pop("COLUMNS", None)
        environment.update(changes)
        return environment

    def shell(self, arguments, rows=24, columns=80, **environment):
        """A shell that runs muppy with ARGUMENTS, says how it ended and waits."""
        line = '"$@"; echo "ended with $?"; read rest'
        terminal = ScreenTerminal(
            ["sh", "-c", line, "sh", MUPPY, "--core", self.core, *arguments],
            self.environment(**environment), rows, columns)
        terminal.before = terminal.state()
        return terminal

    def gdb(self, *where, rows=24, columns=80, before=(), **environment):
        """gdb, and BEFORE it the words of a program that starts it."""
        terminal = ScreenTerminal(
            [*before, GDB, "-nx", "-q", "-iex", "set debug-file-directory /nonexistent",
             "-iex", "set style enabled off", "-iex", "set height 0",
             "-x", MUPPY_GDB, *(where or [self.python, self.core])],
            self.environment(**environment), rows, columns)
        if not terminal.shows(r"^\(gdb\)$", 60):
            raise Failure("gdb does not start: " + terminal.screen.text())
        terminal.keys("shell echo begun\n")
        terminal.shows(r"^begun\n\(gdb\)$")
        return terminal

    def left(self, name, terminal, shell=True):
        """Checks that a terminal is as it was."""
        if shell:
            self.check(name + ": the status", terminal.shows("^ended with 0"), terminal)
            self.check(name + ": stty", terminal.state() == terminal.before, terminal)
        self.check(name + ": no alternate screen, no mouse",
                   not terminal.screen.modes & {1049, 1000, 1002, 1003}, terminal)


# On the command line -------------------------------------------------------

def test_tree(browsing):
    address = browsing.address("Lonely")
    with browsing.shell(["browse", address]) as terminal:
        check = browsing.check
        check("a tree is opened", terminal.shows(
            r"\['lonely key'\] in dict 0x[0-9a-f]+ len=1"), terminal)
        lines = terminal.screen.lines()
        check("title", lines[0].startswith("what refers to __main__.Lonely " + address)
              and lines[0].endswith("muppy browse"), terminal)
        check("the top", lines[1] == "- __main__.Lonely " + address
              and any(line.startswith("  + ['lonely key'] in dict") for line in lines),
              terminal)
        check("position", re.search(r"q quit +1 of [23]$", lines[-1]), terminal)
        terminal.keys("/lonely key" + ENTER)
        check("search moves the cursor", terminal.shows("2 of|3 of"), terminal)
        terminal.keys(RIGHT)
        check("Right opens", terminal.shows(r"    \+ \['cache'\] in dict"), terminal)
        terminal.keys("l" + "l")
        check("l goes in and opens", terminal.shows(
            r"^      \+ \['holder'\] in dict"), terminal)
        terminal.keys("h")
        check("h closes", terminal.shows(r"^    \+ \['cache'\] in dict")
              and "holder" not in terminal.screen.text(), terminal)
        terminal.keys(LEFT + LEFT + "h" + "h" + "h")
        check("Left leaves and closes up to the top", terminal.shows(
            r"^\+ __main__.Lonely") and terminal.shows("1 of 1$"), terminal)
        terminal.keys(ENTER)
        check("Enter opens", terminal.shows("^- __main__.Lonely"), terminal)
        terminal.keys("i")
        check("details", terminal.shows("^refcount   ")
              and re.search("^size       [0-9]+ bytes", terminal.screen.text(), re.M), terminal)
        terminal.keys("\t")
        check("Tab ends them", not terminal.shows("^refcount", 1), terminal)
        terminal.keys("r")
        check("r shows what it refers to", terminal.shows(
            r"^what __main__.Lonely .* refers to") and terminal.shows(
            r"^  \+ .__class__: type 0x[0-9a-f]+ __main__.Lonely"), terminal)
        terminal.keys("b")
        check("b goes back", terminal.shows("^what refers to __main__.Lonely"), terminal)
        terminal.keys("b")
        check("b at the beginning says so", terminal.shows("^there is nothing before"),
              terminal)
        terminal.keys("%")
        check("a key that means nothing", terminal.shows("^no such key"), terminal)
        terminal.keys("?")
        check("help", terminal.shows("^Keys of muppy browse")
              and "any key: back" in terminal.screen.text(), terminal)
        terminal.keys("x")
        check("help ends", terminal.shows("^- __main__.Lonely"), terminal)
        terminal.keys("q")
        browsing.left("q", terminal)


def test_jump(browsing):
    lonely, knot = browsing.address("Lonely"), browsing.address("Knot")
    with browsing.shell(["browse", lonely]) as terminal:
        check = browsing.check
        terminal.shows("^- __main__.Lonely")
        terminal.keys("g" + knot + ENTER)
        check("g goes to an address", terminal.shows("^- __main__.Knot " + knot), terminal)
        check("a cycle is marked", terminal.shows(
            r"^    \.self of __main__.Knot %s self=<Knot> \(cycle\)" % knot), terminal)
        terminal.keys("/cycle" + ENTER + ENTER)
        check("and not followed", terminal.shows("^it is above already, a cycle"), terminal)
        terminal.keys("b")
        check("b goes back from there", terminal.shows("^- __main__.Lonely"), terminal)
        for words, answer in [("0x10", "no object starts at 0x10"),
                              ("hello", "'hello' is no address"),
                              ("0x%x" % (int(lonely, 16) + 8),
                               "it is inside __main__.Lonely " + lonely)]:
            terminal.keys("g" + words + ENTER)
            check("g " + words, terminal.shows(answer), terminal)
        terminal.keys("g" + "0x1" + ESCAPE)
        time.sleep(0.3)
        terminal.keys("/xyz\x7f\x7f\x7f\x7f")
        check("Esc and Backspace end the line", terminal.shows("q quit +1 of"), terminal)
        terminal.keys("/no such words" + ENTER)
        check("a search that finds nothing",
              terminal.shows("no row that is shown has 'no such words'"), terminal)
        terminal.keys("\x03")
        browsing.left("Ctrl-C", terminal)


def test_many(browsing):
    star = browsing.address("Star")
    with browsing.shell(["browse", star]) as terminal:
        check = browsing.check
        check("as many rows as referrers", terminal.shows("1 of %d$" % (MANY + 2), 60),
              terminal)
        begin = time.monotonic()
        terminal.keys(END)
        check("End", terminal.shows("%d of" % (MANY + 2)), terminal)
        terminal.keys(HOME + PAGE_DOWN * 1000)
        check("a thousand pages", terminal.shows("21001 of"), terminal)
        check("pages are smooth", time.monotonic() - begin < 5)
        terminal.keys(PAGE_UP * 2 + UP * 3 + "k" + DOWN + "j")
        check("pages and lines up", terminal.shows("20957 of"), terminal)
        terminal.keys("<" + ">" + "/\\[0\\] in tuple" + ENTER)
        check("words are no pattern", terminal.shows("no row that is shown", 60), terminal)
        terminal.keys("<")
        terminal.keys("/[0] in tuple" + ENTER + "n" + "n")
        check("n searches on", terminal.shows("[45] of"), terminal)
        number = int(re.search("([0-9]+) of", terminal.screen.text()).group(1))
        terminal.keys("N")
        check("N searches back", terminal.shows("%d of" % (number - 1)), terminal)
        terminal.keys(ENTER)
        check("what opens among many", terminal.shows(r"^    \+ \[[0-9]+\] in list"),
              terminal)
        terminal.keys(ENTER + "/no such words" + ENTER)
        check("a long search tells how far it is", terminal.shows(
            "searching: [0-9]+ of|no row that is shown", 5), terminal)
        terminal.keys("\x03")
        terminal.shows("search stopped|1 of|no row")
        terminal.keys("qq")
        browsing.left("after a search", terminal)


def test_types(browsing):
    with browsing.shell(["browse"]) as terminal:
        check = browsing.check
        check("types without an address", terminal.shows(
            "^- core file .*: [0-9]+ objects, "), terminal)
        check("the largest first", terminal.shows(r"^  \+ +[0-9]+ +[0-9.]+ MB  tuple$"),
              terminal)
        terminal.keys("/main__.Knot" + ENTER + ENTER)
        check("a type opens to its objects", terminal.shows(
            r"^    \+ +[0-9]+     B  __main__.Knot 0x"), terminal)
        terminal.keys(DOWN + ENTER)
        check("and these to what refers to them", terminal.shows(
            r"^      . \['knot'\] in dict"), terminal)
        terminal.keys(HOME + "/roots" + ENTER + ENTER + "/frame <module>" + ENTER)
        check("roots open", terminal.shows("^      frame <module> "), terminal)
        terminal.keys("l")
        check("a root is said to be one", terminal.shows(
            "a root of the heap: nothing refers to it"), terminal)
        terminal.keys("r")
        check("a frame refers to its variables", terminal.shows("^what frame <module> ")
              and terminal.shows(r"__globals__|f_globals|local|f_code|\.code"), terminal)
        terminal.keys("bq")
        browsing.left("types", terminal)
    with browsing.shell(["browse", "--referents", browsing.address("Knot")]) as terminal:
        check("-referents", terminal.shows(r"^    ?\.self: __main__.Knot|^    \.self: "),
              terminal)
        terminal.keys("q")


def test_mouse(browsing):
    with browsing.shell(["browse", browsing.address("Star")]) as terminal:
        check = browsing.check
        terminal.shows("^- __main__.Star")
        check("the mouse is asked for", terminal.screen.modes & {1000}, terminal)
        terminal.press(0, 6, 30)
        check("a click selects", terminal.shows("6 of %d" % (MANY + 2)), terminal)
        terminal.press(0, 6, 2)
        check("a click on + opens", terminal.shows(r"^    \+ \[[0-9]+\] in list"), terminal)
        terminal.press(0, 6, 2)
        check("a click on - closes", terminal.shows("6 of %d$" % (MANY + 2)), terminal)
        first = terminal.screen.lines()[1]
        terminal.press(WHEEL_DOWN, 6, 2)
        check("the wheel scrolls", terminal.shows("6 of")
              and terminal.screen.lines()[1] != first, terminal)
        terminal.press(WHEEL_UP, 6, 2)
        check("and back", terminal.shows("6 of")
              and terminal.screen.lines()[1] == first, terminal)
        terminal.press(0, 22, 30)
        terminal.shows("22 of")
        terminal.press(0, 23, 2)
        terminal.press(0, 500, 200)
        check("a click elsewhere", terminal.shows("22 of"), terminal)
        terminal.keys("q")
        browsing.left("mouse", terminal)


def test_size(browsing):
    tower = browsing.address("Tower")
    with browsing.shell(["browse", tower]) as terminal:
        check = browsing.check
        terminal.shows("^- __main__.Tower")
        terminal.keys((DOWN + ENTER) * 50)
        check("deep down", terminal.shows("51 of"), terminal)
        lines = [line for line in terminal.screen.lines() if "in list 0x" in line]
        check("deep rows are on the screen", len(lines) > 15
              and re.search(r"\[0\] in list 0x[0-9a-f]+ len=1", lines[-1]), terminal)
        terminal.resize(12, 40)
        check("a smaller screen", terminal.shows("51 of")
              and re.search(r"\[0\] in list 0x[0-9a-f]{6,}\b", terminal.screen.text()),
              terminal)
        terminal.resize(5, 30)
        check("smaller yet", terminal.shows(r"… 0x[0-9a-f]{6,}"), terminal)
        for rows, columns in [(2, 10), (1, 1), (3, 200), (60, 7)]:
            terminal.resize(rows, columns)
            terminal.keys("ijk?xx/a" + ENTER + "i" + LEFT + RIGHT)
            time.sleep(0.3)
        terminal.keys(HOME)
        terminal.resize(30, 132)
        check("a larger screen", terminal.shows("^- __main__.Tower")
              and len(terminal.screen.lines()[0]) > 100, terminal)
        terminal.keys("q")
        browsing.left("sizes", terminal)
    with browsing.shell(["browse", tower], 10, 24) as terminal:
        check("a narrow screen from the start, its addresses whole",
              terminal.shows(r"^- __main.*… " + tower), terminal)
        terminal.keys("q")


def test_characters(browsing):
    loud = browsing.address("Loud")
    for locale, unicode in [("C.UTF-8", True), ("C", False), ("en_XX.UTF-8", True)]:
        with browsing.shell(["browse"], LC_ALL=locale) as terminal:
            check = browsing.check
            terminal.shows("objects, ")
            terminal.keys("g" + loud + ENTER)
            terminal.shows("^- __main__.Loud")
            terminal.keys("/len=2" + ENTER + "r")
            terminal.shows("^what dict .* refers to")
            check("control characters are shown as such, " + locale, terminal.shows(
                re.escape(r"['\x1b[31mred\x07\u202e']")), terminal)
            check("and do not reach the terminal, " + locale,
                  not re.search("\x07|\u202e|\x1b\\[31m", terminal.seen))
            check("other scripts, " + locale, terminal.shows(
                WIDE if unicode else r"\\xfc\\u4f60\\u597d"), terminal)
            check("nothing but ASCII where there is no more, " + locale,
                  unicode or terminal.seen.isascii())
            terminal.keys("/" + WIDE[0] + ENTER)
            time.sleep(0.2)
            terminal.keys("q")
            browsing.left("locale " + locale, terminal)


def test_stop(browsing):
    """Ctrl-Z needs a shell with job control."""
    terminal = ScreenTerminal(["bash", "--norc", "-i"], browsing.environment())
    with terminal:
        terminal.shows(r"\$ ?$")
        terminal.keys("%s --core %s browse\n" % (MUPPY, browsing.core))
        terminal.shows("objects, ")
        terminal.keys(CTRL_Z)
        browsing.check("Ctrl-Z stops", terminal.shows("Stopped")
                       and not terminal.screen.modes & {1049, 1000}, terminal)
        terminal.keys("fg\n")
        browsing.check("fg goes on", terminal.shows("^- core file "), terminal)
        terminal.keys("q")
        time.sleep(0.5)
        terminal.keys("echo status $?\n")
        browsing.check("and it ends", terminal.shows("^status 0"), terminal)


def test_signals(browsing):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV):
        with browsing.shell(["browse"]) as terminal:
            terminal.shows("objects, ")
            child = subprocess.run(["pgrep", "-P", str(terminal.pid)],
                                   stdout=subprocess.PIPE, check=False).stdout.split()
            if not child:
                raise Failure("no muppy below the shell")
            os.kill(int(child[0]), number)
            name = signal.Signals(number).name
            browsing.check(name + " ends it", terminal.shows("^ended with [1-9]"), terminal)
            browsing.check(name + ": stty", terminal.state() == terminal.before)
            browsing.left(name, terminal, shell=False)


def test_refusals(browsing):
    def refused(name, words, command, **options):
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                encoding="utf-8", timeout=120, check=False, **options)
        browsing.results.check(name, result.returncode == 1 and re.search(
            words, result.stdout) is not None, result.stdout)

    refused("no terminal", "muppy: browse: the input or output is no terminal.*muppy refs",
            [MUPPY, "--core", browsing.core, "browse"], stdin=subprocess.DEVNULL)
    refused("no terminal in gdb", "muppy: browse: gdb's input or output is no terminal.*"
            "muppy --core=FILE",
            [GDB, "-nx", "-batch", "-x", MUPPY_GDB, "-ex", "muppy browse",
             browsing.python, browsing.core], stdin=subprocess.DEVNULL,
            env=browsing.environment())
    for terminal_name, words in [("dumb", "cannot move its cursor"),
                                 ("no-such-terminal", "is not known"),
                                 ("", "TERM does not say")]:
        with browsing.shell(["browse"], TERM=terminal_name) as terminal:
            browsing.check("TERM=" + terminal_name, terminal.shows(words)
                           and terminal.shows("^ended with 1"), terminal)
    with browsing.shell(["browse", "0x10"]) as terminal:
        browsing.check("no object", terminal.shows("muppy: no object starts at 0x10")
                       and terminal.shows("^ended with 1"), terminal)
    mi = ScreenTerminal([GDB, "-nx", "-q", "-i=mi", "-x", MUPPY_GDB, browsing.python,
                         browsing.core], browsing.environment(), columns=200)
    with mi:
        mi.shows(r"^\(gdb\)", 60)
        mi.keys('-interpreter-exec console "muppy browse"\n')
        browsing.check("MI over a terminal", mi.shows(r"\^error,.*run by another program"),
                       mi)


# In gdb --------------------------------------------------------------------

def browse_and_leave(browsing, gdb, name, expression, words):
    """Browses a little; gdb is as before afterwards."""
    check = browsing.check
    gdb.keys("muppy browse %s\n" % expression)
    check(name + ": browse", gdb.shows(words, 60), gdb)
    gdb.keys(DOWN + RIGHT + CTRL_Z)
    check(name + ": Ctrl-Z", gdb.shows("^gdb waits for this command"), gdb)
    gdb.keys("q")


def test_gdb(browsing):
    check = browsing.check
    with browsing.gdb() as gdb:
        lonely = browsing.address("Lonely")
        before = gdb.state()
        browse_and_leave(browsing, gdb, "gdb", lonely, "^- __main__.Lonely")
        check("gdb: its prompt", gdb.shows(r"^\(gdb\)$"), gdb)
        check("gdb: stty", gdb.state() == before)
        browsing.left("gdb", gdb, shell=False)
        gdb.keys("print 40 + 2\n")
        check("gdb: the next command", gdb.shows(r"\$1 = 42\n\(gdb\)$"), gdb)
        gdb.keys("muppy browse\n")
        gdb.shows("objects, ")
        gdb.resize(30, 100)
        check("gdb: another size", gdb.shows("objects, ")
              and len(gdb.screen.lines()[0]) > 90, gdb)
        gdb.keys("q")
        gdb.shows(r"^\(gdb\)$")
        gdb.keys("show width\n")
        check("gdb: its own size follows", gdb.shows("in a line is 100"), gdb)
        gdb.resize(24, 80)
        gdb.keys("muppy browse &PyDict_Type\n")
        check("gdb: an expression", gdb.shows(
            "^- type 0x[0-9a-f]+ dict$|No symbol"), gdb)
        gdb.keys(CTRL_C)
        check("gdb: Ctrl-C", gdb.shows(r"^\(gdb\)$"), gdb)
        gdb.keys(UP * 4 + "\n")
        check("gdb: its history", gdb.shows(r"\$[12] = 42\n\(gdb\)$"), gdb)
        gdb.keys("muppy browse 16\n")
        check("gdb: an error", gdb.shows("muppy: no object starts at 0x10"), gdb)
        check("gdb: stty after an error", gdb.state() == before)


def test_gdb_helper(browsing):
    check = browsing.check
    with browsing.gdb() as gdb:
        before = gdb.state()
        gdb.keys("muppy browse\n")
        gdb.shows("objects, ", 60)
        kill_helper(gdb.pid)
        check("the helper is killed", gdb.shows("helper program was ended by signal 9"), gdb)
        check("the helper is killed: stty", gdb.state() == before)
        browsing.left("the helper is killed", gdb, shell=False)
        gdb.keys("muppy browse\n")
        check("the helper is started again", gdb.shows("objects, ", 60), gdb)
        gdb.kill(signal.SIGINT)
        check("SIGINT for gdb", gdb.shows("^muppy: interrupted"), gdb)
        browsing.left("SIGINT for gdb", gdb, shell=False)
    # The terminal must survive gdb, so another process owns it.
    shell = ["sh", "-c", '"$@"; echo "ended with $?"; read rest', "sh"]
    for number in (signal.SIGTERM, signal.SIGKILL):
        with browsing.gdb(before=shell) as gdb:
            name = signal.Signals(number).name + " for gdb"
            gdb.keys("shell echo $PPID\n")
            gdb.shows(r"^[0-9]+\n\(gdb\)$")
            pid = int(re.findall(r"^([0-9]+)$", gdb.screen.text(), re.M)[-1])
            gdb.keys("muppy browse\n")
            gdb.shows("objects, ", 60)
            os.kill(pid, number)
            gdb.shows("no such words", 2)
            # Maybe on the screen that was left then.
            check(name + ": it ends", re.search("ended with [0-9]", gdb.seen), gdb)
            check(name + ": stty", gdb.state()[3] & termios.ICANON
                  and gdb.state()[3] & termios.ECHO, gdb)
            browsing.left(name, gdb, shell=False)


def test_tui(browsing):
    check = browsing.check
    with browsing.gdb() as gdb:
        gdb.keys("tui enable\n")
        time.sleep(1)
        gdb.keys("layout asm\n")
        check("the text user interface", gdb.shows("PC: 0x[0-9a-f]+"), gdb)
        gdb.keys("set height 0\n")
        gdb.shows(r"set height 0\n\(gdb\)$")
        before, modes = gdb.state(), set(gdb.screen.modes)
        browse_and_leave(browsing, gdb, "TUI", browsing.address("Lonely"),
                         "^- __main__.Lonely")
        check("TUI: its windows again", gdb.shows("PC: 0x[0-9a-f]+")
              and gdb.shows(r"^\(gdb\)$"), gdb)
        check("TUI: nothing of the browser is left",
              "what refers to" not in gdb.screen.text(), gdb)
        check("TUI: stty", gdb.state() == before)
        # gdb turns the mode of the cursor keys (1) on with the next key only, as
        # after any "tui enable".
        browsing.results.check("TUI: modes of the terminal",
                               gdb.screen.modes | {1} == modes | {1},
                               "%s, %s" % (modes, gdb.screen.modes))
        gdb.keys("show height\n")
        check("TUI: the pager is as it was", gdb.shows("in a page is unlimited"), gdb)
        gdb.keys("print 40 + 2\n")
        check("TUI: the next command", gdb.shows(r"\$1 = 42\n\(gdb\)$"), gdb)
        gdb.keys("muppy browse\n")
        gdb.shows("objects, ")
        gdb.resize(30, 100)
        gdb.shows("objects, ")
        gdb.keys("q")
        check("TUI: another size", gdb.shows("PC: 0x[0-9a-f]+")
              and len(gdb.screen.lines()[0]) == 100, gdb)
        for line in range(12):
            gdb.keys("echo line %d\\n\n" % line)
        check("TUI: all lines scroll", gdb.shows(
            r"line 10\n\(gdb\) echo line 11\\n\nline 11\n\(gdb\)$"), gdb)
        gdb.resize(24, 80)
        gdb.shows("PC: 0x[0-9a-f]+")
        gdb.keys("set height 0\nprint 40 + 1\n")
        check("TUI: the command after that", gdb.shows(r"= 41\n\(gdb\)$"), gdb)
        gdb.keys("muppy browse\n")
        gdb.shows("objects, ")
        kill_helper(gdb.pid)
        check("TUI: the helper is killed", gdb.shows("PC: 0x[0-9a-f]+")
              and gdb.shows("program was ended") and 1049 in gdb.screen.modes, gdb)
        gdb.keys("tui disable\n")
        check("TUI: left", gdb.shows(r"^\(gdb\) *(tui disable)?\n?"), gdb)
        gdb.keys("print 40 + 3\n")
        check("after TUI", gdb.shows(r"\$3 = 43\n\(gdb\)$"), gdb)
        check("after TUI: no alternate screen", 1049 not in gdb.screen.modes)
        # Rows as wide as the screen must not be followed by free ones.
        gdb.keys("tui enable\nset height 0\n")
        gdb.shows(r"\(gdb\)$")
        gdb.keys("muppy filter str -min 100 -limit 4\n")
        check("TUI: full rows", gdb.shows("objects, "), gdb)
        lines = gdb.screen.lines()
        rows = [number for number, line in enumerate(lines) if re.match("0x", line)]
        check("TUI: no free rows between", len(rows) == 4
              and rows[3] - rows[0] == 3, gdb)


def test_live(browsing):
    with start(browsing.python) as program:
        with browsing.gdb("-p", str(program.pid)) as gdb:
            before = gdb.state()
            gdb.keys("muppy browse\n")
            browsing.check("live: types", gdb.shows("process [0-9]+: [0-9]+ objects", 60),
                           gdb)
            gdb.keys("/main__.Knot" + ENTER + ENTER + DOWN + "i")
            browsing.check("live: details", gdb.shows("^refcount"), gdb)
            gdb.keys(CTRL_C)
            browsing.check("live: left", gdb.shows(r"^\(gdb\)$")
                           and gdb.state() == before, gdb)
            gdb.keys("detach\n")
            gdb.shows("detached")
        time.sleep(0.2)
        with open("/proc/%d/stat" % program.pid, encoding="ascii") as file:
            state = file.read().rpartition(")")[2].split()[0]
        browsing.check("live: the process goes on", state == "S"
                       and program.process.poll() is None)


COMMAND_LINE = [test_tree, test_jump, test_many, test_types, test_mouse, test_size,
                test_characters, test_stop, test_signals, test_refusals]
IN_GDB = [test_gdb, test_gdb_helper, test_tui, test_live]


def main():
    results = Results(verbose="-v" in sys.argv)
    python = interpreter(PYTHON) or sys.executable
    if not python or not shutil.which(GDB):
        results.skip("browse", "no %s" % ("gdb" if python else "Python"))
        results.close()
        return 77
    only = [word for word in sys.argv[1:] if word.startswith("test_")]
    with scratch() as directory:
        with start(python) as program:
            core = gcore(program.pid, os.path.join(directory, "core"))
            browsing = Browsing(results, python, program, core)
        for test in COMMAND_LINE + IN_GDB:
            if only and test.__name__ not in only:
                continue
            attempt(results, test.__name__, test, browsing)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
