# SPDX-License-Identifier: GPL-3.0-or-later
"""What the integration tests share: fixtures run, cores taken, counts kept.

The environment names what is tested:
  MUPPY        the command line program   (default: plugin/muppy of the tree)
  MUPPY_GDB    the script gdb loads       (default: plugin/gdb/muppy.gdb)
  GDB          the debugger               (default: gdb)
  GDB_MINIMAL  a debugger without Python  (default: none)
"""
import contextlib
import glob
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
FIXTURES = os.path.join(SOURCE, "fixtures")
# Seconds a fixture may take until it is ready, and a command to answer.
FIXTURE_SECONDS = 300
COMMAND_SECONDS = 300
# The interpreter of tests that need but one; those of most, a debug build too.
PYTHON = "python3.11"
PYTHONS = (PYTHON, "python3.11d")


def built(variable, path):
    """A file of the build tree: named by VARIABLE, or below the directory the
    tests run in, or in the source tree."""
    if os.environ.get(variable):
        return os.path.abspath(os.environ[variable])
    for root in (os.getcwd(), SOURCE):
        if os.path.exists(os.path.join(root, path)):
            return os.path.join(root, path)
    return os.path.join(SOURCE, path)


MUPPY = built("MUPPY", "plugin/muppy")
MUPPY_GDB = built("MUPPY_GDB", "plugin/gdb/muppy.gdb")
GDB = os.environ.get("GDB") or "gdb"
GDB_MINIMAL = os.environ.get("GDB_MINIMAL", "")


class Results:
    """Counts checks and prints one line for each that failed or was skipped."""

    def __init__(self, verbose=False):
        self.passed = self.failed = self.skipped = 0
        self.verbose = verbose

    def check(self, name, ok, detail=""):
        if ok:
            self.passed += 1
            if self.verbose:
                print("ok: %s" % name)
        else:
            self.failed += 1
            print("FAILED: %s%s" % (name, ": " + detail if detail else ""))
        sys.stdout.flush()
        return ok

    def skip(self, name, why):
        self.skipped += 1
        print("skipped: %s: %s" % (name, why))
        sys.stdout.flush()

    def close(self):
        """Prints the closing line; the exit status."""
        print("%d passed, %d failed, %d skipped"
              % (self.passed, self.failed, self.skipped))
        return 1 if self.failed else 0


class Failure(Exception):
    """A step that a test needs did not work; says which."""


def attempt(results, name, test, *arguments):
    """Calls TEST with ARGUMENTS; where a step of it does not work, NAME failed."""
    try:
        test(*arguments)
    except Failure as failure:
        results.check(name, False, str(failure))


def test_interpreters(results, test, names=PYTHONS):
    """Calls TEST with RESULTS and the path of each interpreter that is here; the
    exit status."""
    for name in names:
        python = interpreter(name)
        if python:
            attempt(results, name, test, results, python)
        else:
            results.skip(name, "not there")
    return results.close()


@contextlib.contextmanager
def scratch(prefix="muppy-test-"):
    """A directory that is gone afterwards; MUPPY_KEEP=1 keeps it."""
    path = tempfile.mkdtemp(prefix=prefix)
    try:
        yield path
    finally:
        if os.environ.get("MUPPY_KEEP"):
            print("kept: %s" % path)
        else:
            shutil.rmtree(path, ignore_errors=True)


def interpreter(name):
    """The path of an interpreter, or None."""
    path = name if os.path.sep in name else shutil.which(name, path=os.environ.get(
        "MUPPY_PYTHON_PATH", "/usr/bin:/usr/local/bin:" + os.environ["PATH"]))
    return path if path and os.access(path, os.X_OK) else None


def interpreters():
    """The interpreters of this machine, release builds from 3.8 on: Debian's
    and pyenv's."""
    versions = os.path.join(os.environ.get(
        "PYENV_ROOT", os.path.expanduser("~/.pyenv")), "versions")
    found = glob.glob("/usr/bin/python3.[0-9]*[0-9]") + sorted(
        glob.glob(os.path.join(versions, "3.*", "bin", "python3")))
    return [path for path in found if version(path) >= (3, 8)]


def interpreters_of(*versions):
    """An interpreter of each of these versions, (3, 8) and so on, that is here."""
    found = {version(path): path for path in reversed(interpreters())}
    return tuple(found[wanted] for wanted in versions if wanted in found)


def find_pympler():
    """The folder that Pympler is in: the one that PYMPLER names, one beside what
    check-matrix keeps, or that of an interpreter which has it; or None."""
    places = [os.environ.get("PYMPLER"), os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
        "gdb-muppy", "pympler")]
    for python in interpreters():
        places.append(run([python, "-c", (
            "import os, pympler;"
            "print(os.path.dirname(os.path.dirname(pympler.__file__)))")]
        ).stdout.strip())
    for place in places:
        if place and os.path.exists(os.path.join(place, "pympler", "muppy.py")):
            return os.path.abspath(place)
    return None


def version(path):
    """(3, 11): the version that the path of an interpreter names."""
    return 3, int(re.search(r"/(?:python)?3\.(\d+)", path).group(1))


def kernel_core_hindrance():
    """Why the kernel writes no core file into the working directory, or None."""
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    if not pattern:
        return "core_pattern is empty"
    if pattern[0] == "|" or "/" in pattern:
        return "core_pattern is %s" % pattern
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        return "the hard limit of core files is 0"
    return None


# Anonymous private and shared memory, ELF headers: the kernel's default.
DEFAULT_MEMORY = "0x33"
# All that files are mapped to, too.
ALL_MEMORY = "0x7f"


def allow_core(memory=DEFAULT_MEMORY):
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    with contextlib.suppress(OSError):
        with open("/proc/self/coredump_filter", "w", encoding="ascii") as file:
            file.write(memory)


def fixture_environment(allocator=""):
    environment = dict(os.environ)
    environment.update(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1",
                       PYTHONUTF8="1")
    for variable in ("PYTHONPATH", "PYTHONHOME", "PYTHONMALLOC", "PYTHONSTARTUP"):
        environment.pop(variable, None)
    if allocator:
        environment["PYTHONMALLOC"] = allocator
    return environment


class Fixture:
    """A fixture running below a directory of its own, until it is ready."""

    def __init__(self, python, name, directory, how, arguments=(), truth=True,
                 allocator="", memory=DEFAULT_MEMORY, **variables):
        self.python, self.directory = python, directory
        self.truth = os.path.join(directory, "truth.jsonl")
        self.ready = os.path.join(directory, "ready")
        self.log = os.path.join(directory, "log")
        command = [python, os.path.join(FIXTURES, name), "--ready", self.ready,
                   "--how", how, *arguments]
        if truth:
            command += ["--truth", self.truth]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, preexec_fn=lambda: allow_core(memory),
                env=dict(fixture_environment(allocator), **variables))
        self._wait(how)

    def _wait(self, how):
        deadline = time.monotonic() + FIXTURE_SECONDS
        while time.monotonic() < deadline:
            status = self.process.poll()
            if how == "pause" and status is None and os.path.exists(self.ready):
                return
            if status is not None:
                if how == "abort" and status == -signal.SIGABRT:
                    return
                raise Failure("fixture ended with status %d: %s"
                              % (status, self.output()[-2000:]))
            time.sleep(0.02)
        self.close()
        raise Failure("fixture not ready after %d s: %s"
                      % (FIXTURE_SECONDS, self.output()[-2000:]))

    @property
    def pid(self):
        return self.process.pid

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kernel_core(self):
        """The core file that the kernel wrote."""
        for name in sorted(os.listdir(self.directory)):
            if name.startswith("core"):
                return os.path.join(self.directory, name)
        raise Failure("the kernel wrote no core file")

    def gcore(self):
        """The core file of the waiting fixture, written by gdb."""
        return gcore(self.pid, os.path.join(self.directory, "gcore"))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Program:
    """The Python program TEXT, running; it has said that it is ready."""

    def __init__(self, python, text, *arguments, **variables):
        self.process = subprocess.Popen(
            [python, "-c", text, *arguments], env=dict(os.environ, **variables),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            self.__exit__()
            raise Failure("the test program did not start")
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def gcore(pid, path):
    """PATH, a core file of a process now, written by gdb."""
    run([GDB, "-nx", "-batch", "-p", str(pid), "-ex", "gcore " + path])
    if not os.path.exists(path):
        raise Failure("gdb wrote no core file")
    return path


def run(command, check=False, seconds=COMMAND_SECONDS, **options):
    """Runs COMMAND; its result with output and errors in one text."""
    environment = dict(options.pop("env", os.environ))
    environment.pop("DEBUGINFOD_URLS", None)  # gdb is not to download anything
    try:
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, encoding="utf-8",
            errors="replace", **options)
    except subprocess.TimeoutExpired as error:
        raise Failure("no answer within %d s: %s"
                      % (seconds, " ".join(command))) from error
    except OSError as error:
        raise Failure("cannot run %s: %s" % (command[0], error)) from error
    if check and result.returncode != 0:
        raise Failure("%s: exit status %d: %s" % (
            " ".join(command), result.returncode, result.stdout.strip()[-2000:]))
    return result


class CommandLine:
    """Asks the program muppy."""
    name = "command line"

    def ask(self, command, core=None, exe=None, pid=None, check=True):
        """The output of a muppy command, given as its list of words."""
        where = ["--core=" + core] if core else ["--pid=%d" % pid]
        if core and exe:
            where.append("--exe=" + exe)
        return run([MUPPY, *where, *command], check=check).stdout


class Debugger:
    """Asks through a debugger."""

    def __init__(self, gdb, name, **environment):
        self.gdb, self.name = gdb, name
        self.environment = dict(os.environ, **environment)

    def ask(self, command, core=None, exe=None, pid=None, check=True):
        where = [exe, core] if core else ["-p", str(pid)]
        return run([self.gdb, "-nx", "-batch", "-x", MUPPY_GDB,
                    "-ex", "muppy " + " ".join(command), *where],
                   check=check, env=self.environment).stdout


def readers():
    """Every way to ask that the environment offers."""
    found = [CommandLine()]
    if shutil.which(GDB):
        found.append(Debugger(GDB, "gdb"))
        # As if muppy itself could read neither the core nor the process.
        found.append(Debugger(GDB, "gdb alone", MUPPY_TEST_DENY="1"))
    if GDB_MINIMAL:
        found.append(Debugger(GDB_MINIMAL, "gdb-minimal"))
    return found
