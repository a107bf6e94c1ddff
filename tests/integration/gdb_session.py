#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions in a real gdb: what users type, and everything that may go wrong.

Checks the way between gdb and muppy; whether the answers are true is for
truth.py.  See common.py for the environment.  With --kill-helper PID it ends
the helper of that gdb instead, for the scripts of these tests.
"""
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

from common import (GDB, GDB_MINIMAL, MUPPY, MUPPY_GDB, PYTHON, Failure, Program,
                    Results, gcore, interpreter, run, scratch)
from terminal import Terminal

HERE = os.path.abspath(__file__)
REQUEST_IN_GDB, FILES_IN_GDB, REQUEST_IN_HELPER = 900, 901, 4  # protocol.h
KILL = "shell %s %s --kill-helper $PPID" % (sys.executable, HERE)
NO_PROGRAM = "muppy: there is no program to look at"

# Waits until it is debugged, then stops itself again and again, with one more
# object each time; or stays as it is.
PROGRAM = """
import os, signal, sys, time
class Marker:
    pass
markers = [Marker() for number in range(int(sys.argv[1]))]
print("ready", flush=True)
while len(sys.argv) > 2:
    signal.pause()
while "TracerPid:\\t0" in open("/proc/self/status").read():
    time.sleep(0.02)
while True:
    markers.append(Marker())
    os.kill(os.getpid(), signal.SIGTRAP)
"""

# Its second thread ends once it is debugged; then it stops itself.
THREADED = """
import os, signal, threading, time
end = threading.Event()
thread = threading.Thread(target=end.wait)
thread.start()
print("ready", flush=True)
while "TracerPid:\\t0" in open("/proc/self/status").read():
    time.sleep(0.02)
end.set()
thread.join()
while os.path.exists("/proc/self/task/%d" % thread.native_id):
    time.sleep(0.02)
os.kill(os.getpid(), signal.SIGTRAP)
signal.pause()
"""

OTHER_READER = """
#include <gdb/jit-reader.h>
GDB_DECLARE_GPL_COMPATIBLE_READER
static enum gdb_status read_nothing(struct gdb_reader_funcs *self,
    struct gdb_symbol_callbacks *callbacks, void *memory, long size)
{ return GDB_FAIL; }
static enum gdb_status unwind(struct gdb_reader_funcs *self,
    struct gdb_unwind_callbacks *callbacks) { return GDB_FAIL; }
static struct gdb_frame_id frame_id(struct gdb_reader_funcs *self,
    struct gdb_unwind_callbacks *callbacks)
{ struct gdb_frame_id none = {0, 0}; return none; }
static void destroy(struct gdb_reader_funcs *self) { }
extern struct gdb_reader_funcs *gdb_init_reader(void) {
  static struct gdb_reader_funcs functions = {
    GDB_READER_INTERFACE_VERSION, 0, read_nothing, unwind, frame_id, destroy };
  return &functions;
}
"""


# Helpers -------------------------------------------------------------------

def helper_processes(gdb):
    """The processes that hold the request of that gdb: the helper's two."""
    try:
        request = os.stat("/proc/%d/fd/%d" % (gdb, REQUEST_IN_GDB))
    except OSError:
        return []
    return processes_with(request.st_dev, request.st_ino)


def processes_with(device, inode):
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            other = os.stat("/proc/%s/fd/%d" % (name, REQUEST_IN_HELPER))
        except OSError:
            continue
        if (other.st_dev, other.st_ino) == (device, inode):
            found.append(int(name))
    return found


def parent(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def kill_helper(gdb):
    """Kills the process that works, not its supervisor."""
    processes = helper_processes(gdb)
    for pid in processes:
        if parent(pid) in processes:
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)


def start(python, markers, stay=False, **variables):
    """The program above, waiting."""
    return Program(python, PROGRAM, str(markers), *["stay"] * stay, **variables)


def make_core(python, directory, markers):
    with start(python, markers, stay=True) as program:
        return gcore(program.pid, os.path.join(directory, "core.%d" % markers))


class Session:
    """Runs gdb on a core with some commands; collects what it said."""

    def __init__(self, results, gdb, name, python, core, directory):
        self.results, self.gdb, self.name = results, gdb, name
        self.python, self.core, self.directory = python, core, directory

    def command(self, *arguments):
        return [self.gdb, "-nx", "-q", "-iex", "set debug-file-directory /nonexistent",
                *arguments]

    def batch(self, commands, where=None, load=True, environment=None, **options):
        """(exit status, output) of a gdb that runs COMMANDS."""
        arguments = ["-batch"] + (["-x", MUPPY_GDB] if load else [])
        for command in commands:
            arguments += ["-ex", command]
        if where is None:
            where = [self.python, self.core]
        result = run(self.command(*arguments, *where), seconds=120,
                     env=dict(os.environ, **(environment or {})), **options)
        return result.returncode, result.stdout

    def check(self, name, condition, output):
        return self.results.check("%s, %s" % (self.name, name), bool(condition),
                                  str(output)[-1500:])

    def terminal(self, environment=None):
        # Without a height, for what gdb says at its start may fill the screen.
        return Terminal(self.command("-iex", "set style enabled off",
                                     "-iex", "set height 0", "-x", MUPPY_GDB,
                                     self.python, self.core),
                        dict(os.environ, TERM="xterm", DEBUGINFOD_URLS="",
                             **(environment or {})))


# Answers -------------------------------------------------------------------

def test_answers(session):
    status, out = session.batch(["muppy filter Marker", "muppy summary -limit 3"])
    session.check("two commands", status == 0 and "7 objects" in out
                  and "total size" in out, out)
    status, out = session.batch(["source " + MUPPY_GDB, "muppy filter Marker"])
    session.check("sourced twice without a question",
                  status == 0 and "Redefine" not in out and "7 objects" in out, out)
    status, out = session.batch(['muppy filter "Marker"', "muppy filter 'Marker'",
                                 'muppy filter Marker -min "1"'])
    session.check("quotes around arguments", out.count("7 objects") == 3, out)
    status, out = session.batch(["muppy filter Gr\u00f6\u00dfe"])
    session.check("arguments that are no ASCII", "Gr\u00f6\u00dfe" in out, out)
    status, out = session.batch(["muppy filter Marker -limit"])
    session.check("usage error", status == 1 and "muppy: " in out, out)
    status, out = session.batch(["muppy filter `"])
    session.check("a backquote", status == 1 and "cannot pass" in out, out)
    status, out = session.batch(["muppy object 16", "echo next\\n",
                                 "print $muppy_status"])
    session.check("gdb goes on after an error",
                  status == 0 and "muppy: no object starts at 0x10" in out
                  and "next" in out and "$1 = 1" in out, out)
    status, out = session.batch(["muppy object 16"])
    session.check("exit status of an error", status == 1, out)
    status, out = session.batch(["muppy info", "print $muppy_status"])
    session.check("status of success", "$1 = 0" in out, out)


def test_width(session):
    status, out = session.batch(["muppy filter Marker -limit 1"])
    marker = re.search(r"^0x[0-9a-f]+", out, re.M)
    if not session.check("an address to ask for", marker, out):
        return
    ask = ["muppy summary", "muppy refs %s -depth 8" % marker.group(0)]
    for commands, what in [([], ""), (["set language pascal"], " in Pascal"),
                           (["set language ada"], " in Ada")]:
        status, out = session.batch(["set width 60", *commands, "echo begin\\n", *ask])
        lines = out.partition("begin\n")[2].split("\n")
        session.check("no line is wider than the screen" + what, status == 0
                      and len(lines) > 10 and max(map(len, lines)) <= 60, out)
    status, out = session.batch(["set width 40", "echo begin\\n", "muppy info"])
    lines = out.partition("begin\n")[2].partition("\n\n")[0].split("\n")
    session.check("lines of info break between words", status == 0 and len(lines) > 15
                  and all(len(line) <= 40 or " " not in line[14:] for line in lines), out)
    status, out = session.batch(["set width 0", "echo begin\\n", *ask])
    session.check("unlimited width", max(map(len, out.partition("begin")[2].split(
        "\n"))) > 60, out)


def test_files(session):
    home = os.path.join(session.directory, "home")
    inside = os.path.join(home, "inside")
    os.makedirs(inside, exist_ok=True)
    status, out = session.batch(
        ["cd " + inside, "muppy info -output here", "cd ..",
         "muppy info -output there", "muppy info -output inside/below",
         "muppy info -output ~/at-home", 'muppy info -output "a blank"',
         "muppy info -output inside/../there -force"],
        environment={"HOME": home})
    session.check("files are relative to gdb's directory", status == 0
                  and set(os.listdir(inside)) == {"here", "below"}
                  and set(os.listdir(home)) == {"inside", "there", "at-home", "a blank"},
                  "%s %s %s" % (os.listdir(home), os.listdir(inside), out))
    shutil.rmtree(home)


def test_expressions(session):
    def address_of(out):
        found = re.findall(r"\$1 = 0x([0-9a-f]+)", out)
        return found[0] if found else None

    status, out = session.batch(["print/x (long)&PyDict_Type"])
    expected = address_of(out)
    for expression in ["(long)&PyDict_Type", "&PyDict_Type", "'(long) &PyDict_Type'",
                       "(long) &PyDict_Type + 0", "$value"]:
        status, out = session.batch(["set $value = (long)&PyDict_Type",
                                     "muppy object " + expression])
        session.check("the expression " + expression,
                      status == 0 and expected and expected in out, out)
    status, out = session.batch(["print/x $rsp", "muppy object $rsp"])
    session.check("a register", status == 1
                  and "no object starts at 0x%s" % address_of(out) in out, out)
    status, out = session.batch(["muppy object no_such_thing"])
    session.check("gdb's own words about a bad expression", status == 1 and re.search(
        r"^No symbol (\"no_such_thing\" in current context|table is loaded)", out, re.M),
        out)
    status, out = session.batch(["set $parts = {1, 2, 3, 4}", "muppy object $parts"])
    session.check("a value that is no address", status == 1
                  and "longer than 8 bytes" in out, out)
    for expression, words in [("1.5", "floating-point"), ("$_exitcode", "void"),
                              ("(char)1", "void or has not"), ("''", "address is empty"),
                              ('" "', "address is empty")]:
        status, out = session.batch(["muppy refs " + expression])
        session.check("no address: " + expression, status == 1
                      and re.search("muppy: .*" + words, out), out)


def test_long(session):
    """Answers that would flood gdb."""
    status, out = session.batch(["muppy filter object -limit unlimited"])
    lines = out.rstrip("\n").split("\n")
    session.check("a long answer is cut", status == 0 and 5000 < len(lines) < 5050
                  and re.search(r"^… [0-9]+ more lines left out; -output FILE", lines[-1]),
                  "%d lines, %s" % (len(lines), lines[-1]))
    for option in ["refs 16 -depth 0", "referents 16 -level 00"]:
        status, out = session.batch(["muppy " + option])
        session.check(option, status == 1 and "is not a number from 1 on" in out, out)


def test_help(session):
    status, out = session.batch(["help muppy"], where=[])
    names = re.findall(r"^muppy (\w+) -- \S.*\.$", out, re.M)
    session.check("help lists the commands with a sentence each",
                  {"info", "summary", "filter", "refs"} <= set(names), out)
    for name in names:
        status, out = session.batch(["help muppy " + name], where=[])
        lines = out.split("\n")
        session.check("help of " + name, lines[0].endswith(".")
                      and lines[1].startswith("Usage: muppy " + name)
                      and not out.endswith("\n\n"), out)
    status, out = session.batch(["muppy no-such-command"], where=[])
    session.check("an unknown command", status == 1 and "no-such-command" in out, out)


# What stays as it was ------------------------------------------------------

def test_untouched(session):
    for language in ["pascal", "ada", "fortran", "modula-2", "rust", "go", "asm", "c++"]:
        status, out = session.batch(["set language " + language, "muppy filter Marker",
                                     "muppy object 16", "show language"])
        session.check("language " + language, "7 objects" in out
                      and "no object starts" in out
                      and 'language is "%s"' % language in out, out)
    status, out = session.batch(["show language", "muppy filter Marker", "show language"])
    shown = re.findall(r"current source language is (.*)", out)
    session.check("language auto", len(shown) == 2 and shown[0] == shown[1]
                  and "does not match" not in out, out)
    for command, what in [("muppy filter Marker", "a command"),
                          ("muppy object 16", "an error"),
                          ("muppy object no_such_thing", "a bad expression")]:
        status, out = session.batch(["frame 1", command, "info frame"])
        session.check("selected frame after " + what, "Stack level 1," in out, out)
    status, out = session.batch(["print 5", "muppy filter Marker", "print 6",
                                 "print $_shell_exitcode", "print $_"])
    session.check("history and convenience variables", "$2 = 6" in out
                  and "$3 = void" in out and "$4 = void" in out, out)
    log = os.path.join(session.directory, "log")
    status, out = session.batch(["echo begin\\n", "show logging", "muppy filter Marker",
                                 "echo begin\\n", "show logging"])
    shown = re.findall(r"begin\n((?:.*\n){4})", out)
    session.check("settings of the log", len(shown) == 2 and shown[0] == shown[1]
                  and "/proc/" not in shown[0], out)
    status, out = session.batch(["set logging file " + log, "set logging on",
                                 "muppy filter Marker", "set logging off"])
    with open(log, encoding="utf-8") as file:
        logged = file.read()
    session.check("set logging", "7 objects" in logged and logged in out, logged)
    os.remove(log)
    status, out = session.batch(["pipe muppy summary -limit 40 | head -n 2 | wc -l"])
    session.check("pipe", out.strip().endswith("2"), out)
    status, out = session.batch(["pipe muppy object 16 | sed s/^/piped:/"])
    session.check("an error under pipe", status == 1 and "piped" not in out
                  and "no object starts" in out, out)


def test_mi(session):
    commands = ["muppy filter Marker", "muppy object 16", "muppy object &PyDict_Type"]
    lines = ['-interpreter-exec console "%s"' % command
             for command in ["source " + MUPPY_GDB] + commands] + ["-gdb-exit"]
    result = subprocess.run(
        session.command("--interpreter=mi", session.python, session.core),
        input="\n".join(lines) + "\n", encoding="utf-8", timeout=120,
        # gdb 18 cuts its own warning sign in two.
        errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False)
    out = result.stdout
    session.check("MI prints console records",
                  re.search(r'^~".*\n~?.*7 objects', out, re.M | re.S), out)
    session.check("MI reports the error", re.search(
        r'^\^error,msg=".*muppy: no object starts at 0x10', out, re.M), out)
    session.check("MI sees no change of frame", "=thread-selected" not in out
                  and "0x0000000000000000 in ??" not in out, out)


# What goes wrong -----------------------------------------------------------

def test_no_program(session):
    for where, what in [([], "nothing"), ([session.python], "a program file")]:
        status, out = session.batch(["muppy summary"], where=where)
        session.check("only " + what, status == 1 and NO_PROGRAM in out
                      and len(out.strip().split("\n")) == 1, out)
    status, out = session.batch(["set $muppy_status = 0", "muppy summary",
                                 "print $muppy_status"], where=[])
    session.check("status without a program", "$1 = 3" in out, out)
    status, out = session.batch(["muppy filter Marker"], where=["--core=" + session.core])
    session.check("a core without its program", "7 objects" in out, out)
    true = shutil.which("true")
    status, out = session.batch(["starti", "muppy summary"], where=[true])
    session.check("a program that is no Python", status == 1
                  and re.search(r"muppy: .*Python", out), out)


def test_helper(session):
    def rerun(name, commands, words, environment=None):
        status, out = session.batch(commands + ["muppy filter Marker"],
                                    environment=environment)
        session.check(name + ", then the next command",
                      all(word in out for word in words) and "7 objects" in out, out)

    rerun("helper killed between commands", ["muppy info", KILL], [])
    crash = {"MUPPY_TEST_CRASH": "summary"}
    rerun("helper crashed", ["muppy summary"],
          ["muppy: the helper program was ended by signal 6"], crash)
    rerun("helper out of memory", ["muppy summary"], ["muppy: out of memory"],
          {"MUPPY_TEST_MEMORY": "summary"})
    slow = {"MUPPY_TEST_SLOW": "summary"}
    rerun("helper killed during a command",
          [KILL.replace("shell ", "shell (sleep 1; ", 1) + ") &", "muppy summary"],
          ["muppy: the helper program was ended by signal 9"], slow)
    status, out = session.batch(["muppy summary"], environment=crash)
    session.check("exit status of a crash", status == 1, out)

    away = os.path.join(session.directory, "away.gdb")
    missing = os.path.join(session.directory, "missing")
    with open(MUPPY_GDB, encoding="utf-8") as file:
        text = file.read()
    with open(away, "w", encoding="utf-8") as file:
        file.write(text.replace("=%s`" % MUPPY, "=%s`" % missing))
    status, out = session.batch(["source " + away, "muppy summary"], load=False)
    session.check("helper missing", status == 1 and missing in out
                  and "No such file" in out, out)
    with open(away, "w", encoding="utf-8") as file:
        file.write(re.sub(r"jit-reader-load .*", "jit-reader-load " + missing, text))
    status, out = session.batch(["source " + away, "muppy summary"], load=False)
    session.check("muppy.so missing", status == 1 and missing in out, out)

    status, out = session.batch([
        "muppy info", "shell cat /proc/$PPID/task/*/children > %s/children"
        % session.directory])
    with open(os.path.join(session.directory, "children"), encoding="ascii") as file:
        children = file.read().split()
    # The shell itself.
    session.check("the helper is no child of gdb", len(children) == 1, children)


def test_readers(session):
    status, out = session.batch(["muppy info", "jit-reader-unload",
                                 "muppy filter Marker", "muppy filter Marker"])
    session.check("after jit-reader-unload", out.count("\n7 objects,") == 2, out)
    compiler = os.environ.get("CC", "cc").split()
    source = os.path.join(session.directory, "other.c")
    other = os.path.join(session.directory, "other.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(OTHER_READER)
    if not shutil.which(compiler[0]) or subprocess.run(
            compiler + ["-w", "-shared", "-fPIC", "-o", other, source],
            check=False).returncode != 0:
        session.results.skip("a second JIT reader", "no compiler for it")
        return
    status, out = session.batch(["jit-reader-load " + other, "muppy filter Marker",
                                 "jit-reader-unload", "muppy filter Marker"])
    session.check("a second JIT reader", out.count("7 objects") == 1
                  and "Run jit-reader-unload first" in out, out)


def test_limits(session):
    for hard, words in [(4096, ["7 objects"]), (256, ["muppy: ", "open files"])]:
        status, out = session.batch(
            ["muppy filter Marker"], preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (256, hard)))
        session.check("open files limited to 256 of %d" % hard,
                      all(word in out for word in words), out)


# At a terminal -------------------------------------------------------------

def test_terminal(session):
    with session.terminal({"MUPPY_TEST_SLOW": "summary"}) as gdb:
        gdb.type("frame 1")
        gdb.send("muppy summary\n")
        out = gdb.until("muppy: working slowly [0-9]+ %")
        session.check("progress after a second", out, gdb.seen)
        gdb.send("\x03")
        out = gdb.prompt()
        session.check("Ctrl-C", re.search("muppy: interrupted\r?\n(.*\n)?Quit", out), out)
        out = gdb.type("muppy filter Marker") + gdb.type("info frame")
        session.check("the next command after Ctrl-C", "7 objects" in out
                      and "Stack level 1," in out, out)
        gdb.type("set height 8")
        gdb.send("muppy filter dict -limit 30\n")
        out = gdb.until("--Type <RET> for more")
        session.check("the pager", out, gdb.seen)
        gdb.send("q\n")
        out = gdb.prompt() + gdb.type("muppy filter Marker -limit 1")
        session.check("the next command after the pager", "7 objects" in out, out)

    with session.terminal() as gdb:
        gdb.type("tui enable")
        for command, answer in [("muppy filter Marker -limit 1", "7 objects"),
                                ("muppy object 16", "no object starts")]:
            gdb.send(command + "\n")
            session.check("the text user interface: " + command, gdb.until(answer),
                          gdb.seen)


def test_end(session):
    for how in [signal.SIGTERM, signal.SIGKILL]:
        with session.terminal({"MUPPY_TEST_SLOW": "summary"}) as gdb:
            gdb.type("muppy filter Marker")
            request = os.stat("/proc/%d/fd/%d" % (gdb.pid, REQUEST_IN_GDB))
            running = len(helper_processes(gdb.pid))
            if how == signal.SIGKILL:
                gdb.send("muppy summary\n")
                gdb.until("working slowly")
            gdb.kill(how)
        deadline = time.monotonic() + 10
        while processes_with(request.st_dev, request.st_ino) and (
                time.monotonic() < deadline):
            time.sleep(0.05)
        left = processes_with(request.st_dev, request.st_ino)
        session.check("the helper ends with gdb (signal %d)" % how,
                      running == 2 and not left, (running, left))


# Other debuggees -----------------------------------------------------------

def test_debuggees(session, other_core):
    status, out = session.batch(["muppy filter Marker", "core-file " + other_core,
                                 "muppy filter Marker"])
    session.check("another core in the same session", "7 objects" in out
                  and "9 objects" in out, out)
    status, out = session.batch([
        "add-inferior -no-connection -exec " + session.python,
        "muppy filter Marker", "inferior 2",
        "muppy filter Marker", "core-file " + other_core, "muppy filter Marker",
        "inferior 1", "muppy filter Marker"])
    counts = re.findall(r"([79]) objects|(no program)", out)
    session.check("two inferiors", [first or second for first, second in counts]
                  == ["7", "no program", "9", "7"], out)


# What "info files" says now, against what the last command was told.
SAME = "pipe info files | cmp - /proc/$PPID/fd/%d && echo told as it is" % FILES_IN_GDB


def counts_told(session, name, steps, where=None):
    """The numbers of objects that muppy tells at first and after each of STEPS,
    None where there is no program.  What it was told must be what is so now."""
    asked = ["muppy filter Marker -limit 1", SAME]
    commands = list(asked)
    for step in steps:
        commands += ["echo \\nnext step\\n", step] + asked
    out = session.batch(commands, where=where)[1]
    counts = []
    for part in out.split("\nnext step\n"):
        found = re.search(r"^(\d+) objects", part, re.M)
        counts.append(int(found.group(1)) if found else None)
        session.check(name, "told as it is" in part if found else NO_PROGRAM in part,
                      part)
    return counts


def test_told(session, other_core):
    """What gdb tells must be what is so when the command runs."""
    true = shutil.which("true")
    text = "0x7e0000000000"
    counts = counts_told(session, "a change of files is heard of", [
        "add-symbol-file %s %s" % (true, text),
        "remove-symbol-file -a " + text,
        "add-symbol-file %s %s1000" % (true, text[:-4]),
        "nosharedlibrary", "sharedlibrary", "core-file " + other_core,
        "set sysroot /nonexistent", "set sysroot /", "symbol-file " + session.python,
        "core-file " + session.core])
    session.check("a change of files: the answers", counts == [7] * 6 + [9] * 4 + [7],
                  counts)
    status, out = session.batch(["muppy filter Marker", "file " + true,
                                 "muppy filter Marker", "file " + session.python,
                                 "muppy filter Marker"])
    session.check("another program of the same core is heard of",
                  out.count("\n7 objects") == 2 and "muppy: " in out, out)


def test_processes(session):
    """The same of processes."""
    with start(session.python, 3, stay=True) as first, start(
            session.python, 5, stay=True) as second:
        counts = counts_told(session, "another process is heard of", [
            "detach", "attach %d" % second.pid, "detach", "attach %d" % first.pid,
            "add-inferior", "inferior 2", "attach %d" % second.pid, "inferior 1",
            "inferior 2", "kill", "inferior 1"], ["-p", str(first.pid)])
        session.check("another process: the answers", counts == [
            3, None, 5, None, 3, 3, None, 5, 3, 5, None, 3], counts)
    script = os.path.join(session.directory, "program.py")
    with open(script, "w", encoding="ascii") as file:
        file.write(PROGRAM)
    counts = counts_told(session, "a program that is run again is heard of", [
        "run %s 2" % script, "continue", "kill", "run", "continue", "continue",
        "kill", "core-file " + session.core, "core-file"], [session.python])
    session.check("run again: the answers", counts == [
        None, 3, 4, None, 3, 4, 5, None, 7, None], counts)


def test_live(session):
    with start(session.python, 7) as program:
        step = ["continue", "muppy filter Marker -limit 1"]
        status, out = session.batch(
            ["muppy filter Marker -limit 1"] + step + step
            + ["muppy filter Marker -limit 1", "muppy info"],
            where=["-p", str(program.pid)])
        counts = re.findall(r"(\d+) objects, ", out)
        session.check("a process that went on in between",
                      [int(count) for count in counts[:4]] == [7, 8, 9, 9], out)
        session.check("a process", "process %d" % program.pid in out, out)


def test_thread_ended(session):
    """The thread by which gdb named the process is no more."""
    with Program(session.python, THREADED) as program:
        status, out = session.batch(
            ["thread 2", "muppy info", "continue", "echo ended\\n", "info threads",
             "muppy info", "muppy info"], where=["-p", str(program.pid)])
        before, _, after = out.partition("ended\n")
        told = r"^\S.* process %d\b.*" % program.pid
        shown = re.findall(told, after, re.M)
        session.check("a thread that ended", status == 0
                      and "Switching to thread 2" in before and "  2  " not in after
                      and len(re.findall(told, before, re.M)) == 1
                      and len(shown) == 2 and "debugger's memory" not in out, out)


def test_written(session):
    """gdb itself writes to the memory of a process that does not run."""
    with start(session.python, 7, stay=True) as program:
        where = ["-p", str(program.pid)]
        found = run([MUPPY, "--pid=%d" % program.pid, "filter", "Marker", "-limit", "1"])
        marker = re.search(r"^0x[0-9a-f]+", found.stdout, re.M)
        if not marker:
            raise Failure("no object found: " + found.stdout)
        count = "{long}%s" % marker.group(0)
        show = "muppy object " + marker.group(0)
        for name, environment in [("", None), (", through gdb", {"MUPPY_TEST_DENY": "1"})]:
            status, out = session.batch(
                [show, "set %s = %s + 100" % (count, count), show,
                 "muppy object %s + 0 * (%s = %s - 100)" % (marker.group(0), count, count)],
                where=where, environment=environment)
            counts = [int(found) for found in re.findall(r"^refcount +(\d+),", out, re.M)]
            session.check("memory that gdb wrote to" + name, len(counts) == 3
                          and counts == [counts[0], counts[0] + 100, counts[0]], out)


def answer_lines(text):
    """The lines of an answer, without what gdb said around it."""
    return [line for line in text.split("\n") if "|" in line or "+-" in line]


def asked_directly(where, commands):
    return answer_lines("".join(run([MUPPY, *where, *command.split()[1:]]).stdout
                                for command in commands))


def test_through_gdb(session):
    """What muppy itself cannot read."""
    denied = {"MUPPY_TEST_DENY": "1"}
    status, out = session.batch(["muppy filter Marker -limit 1"], environment=denied)
    marker = re.search(r"^0x[0-9a-f]+", out, re.M)
    if not session.check("a core that only gdb can read", status == 0 and marker, out):
        return
    commands = ["muppy summary", "muppy refs %s -depth 4" % marker.group(0)]
    status, out = session.batch(commands + ["muppy info"], environment=denied)
    expected = asked_directly(["--core=" + session.core], commands)
    session.check("a core that only gdb can read: the answers", status == 0
                  and "debugger's memory" in out and len(expected) > 20
                  and answer_lines(out)[:len(expected)] == expected, out)
    status, out = session.batch(["set $value = %s" % marker.group(0),
                                 "muppy object $value"], environment=denied)
    session.check("a core that only gdb can read: an expression", status == 0
                  and "Marker" in out, out)
    true = shutil.which("true")
    status, out = session.batch(["starti", "muppy summary"], where=[true],
                                environment=denied)
    session.check("a program that is no Python, through gdb", status == 1
                  and re.search(r"muppy: .*Python", out), out)
    step = ["continue", "muppy filter Marker -limit 1"]
    with start(session.python, 7) as program:
        status, out = session.batch(["muppy filter Marker -limit 1"] + step + step,
                                    where=["-p", str(program.pid)], environment=denied)
        session.check("a process that only gdb can read", re.findall(
            r"(\d+) objects, ", out) == ["7", "8", "9"], out)


def test_gdbserver(session):
    gdbserver = shutil.which("gdbserver")
    if not gdbserver:
        session.results.skip("a program behind gdbserver", "no gdbserver")
        return
    with start(session.python, 7, stay=True) as program:
        there = "target remote | %s --once --attach stdio %d" % (gdbserver, program.pid)
        found = run([MUPPY, "--pid=%d" % program.pid, "filter", "Marker", "-limit", "1"])
        commands = ["muppy summary -limit 0", "muppy refs %s -depth 4" % found.stdout.split(
            "\n")[2].split()[0]]
        expected = asked_directly(["--pid=%d" % program.pid], commands)
        for name, how, where in [
                ("a program behind gdbserver", [], [session.python]),
                ("gdbserver, no sysroot", ["set sysroot /nonexistent"], [session.python]),
                ("gdbserver, no program file", [], [])]:
            status, out = session.batch(how + [there] + commands + ["detach"], where)
            session.check(name, status == 0 and len(expected) > 20
                          and answer_lines(out) == expected, out)


def test_files_gone(session):
    """The interpreter was replaced while the program runs."""
    away = os.path.join(session.directory, "python-away")
    shutil.copy(session.python, away)
    with start(away, 7, stay=True, PYTHONHOME="/usr") as program:
        os.remove(away)
        where = ["-p", str(program.pid)]
        status, out = session.batch(["muppy filter Marker"], where=where)
        session.check("a process whose program was deleted", "7 objects" in out, out)
        status, out = session.batch(["muppy filter Marker"], where=where,
                                    environment={"MUPPY_TEST_DENY": "1"})
        session.check("a program that is not on this machine is named",
                      # gdb 16 finds the program itself all the same.
                      "7 objects" in out or status == 1 and re.search(
                          "muppy: .*%s.* cannot be read" % away, out), out)
        status, out = session.batch(
            ["file " + session.python, "muppy filter Marker"], where=where,
            environment={"MUPPY_TEST_DENY": "1"})
        session.check("a copy of the program", "7 objects" in out, out)
        other = interpreter("python3.11d")
        if other:
            status, out = session.batch(
                ["file " + other, "muppy filter Marker"], where=where,
                environment={"MUPPY_TEST_DENY": "1"})
            session.check("another program", status == 1 and re.search(
                "muppy: .*build-ids differ", out), out)


TESTS = [test_answers, test_width, test_files, test_expressions, test_long, test_help,
         test_untouched, test_mi,
         test_no_program, test_helper, test_readers, test_limits, test_terminal,
         test_end, test_live, test_thread_ended, test_processes, test_written, test_through_gdb,
         test_gdbserver, test_files_gone]


def main():
    results = Results(verbose="-v" in sys.argv)
    python = interpreter(PYTHON)
    if not python or not shutil.which(GDB):
        results.skip("sessions in gdb", "no %s" % ("gdb" if python else PYTHON))
        results.close()
        return 77
    only = [word for word in sys.argv[1:] if word.startswith("test_")]
    with scratch() as directory:
        core, other = (make_core(python, directory, count) for count in (7, 9))
        for gdb, name in [(GDB, "gdb"), (GDB_MINIMAL, "gdb-minimal")]:
            if not gdb:
                continue
            session = Session(results, gdb, name, python, core, directory)
            for test in TESTS:
                if not only or test.__name__ in only:
                    attempt(session, test)
            for test in [test_debuggees, test_told]:
                if not only or test.__name__ in only:
                    attempt(session, test, other)
    return results.close()


def attempt(session, test, *arguments):
    try:
        test(session, *arguments)
    except Failure as failure:
        session.check(test.__name__, False, failure)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--kill-helper"]:
        kill_helper(int(sys.argv[2]))
    else:
        sys.exit(main())
