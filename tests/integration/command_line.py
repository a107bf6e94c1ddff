#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program muppy: what it says of its own options, and of a process."""
import bz2
import gzip
import lzma
import os
import re
import shutil
import subprocess
import sys
import time

import common
from common import MUPPY, Failure

USAGE = 2
TARGET = 3


def test_options(results):
    for words, line in (
            (["--pid=abc", "info"], "muppy: option -pid: 'abc' is not a number"),
            (["--pid=0", "info"], "muppy: option -pid: there is no process 0"),
            (["--pid=99999999999", "info"],
             "muppy: option -pid: there is no process 99999999999"),
            (["filter", "dict", "--output", ""],
             "muppy: filter: option -output: the value '' is empty; give FILE"),
            (["referents", "1", "--depth=2"],
             "muppy: referents: there is no option '--depth=2'; did you mean -level?"),
            (["sizeof", "1", "-level", "2"],
             "muppy: sizeof: there is no option '-level'; did you mean -detail?"),
            (["summary", "--type=str", "--type=list"],
             "muppy: summary: option -type is given twice"),
            (["export", "--format=json", "--output=x"],
             "muppy: export: option -format: 'json' is not one of jsonl"),
            (["summary", "-output", "-"], "muppy: -: give /dev/stdout to write "
             "there, or ./- for a file of that name"),
            (["--help", "nonsense"],
             "muppy: there is no command 'nonsense'; see muppy help"),
            (["summary", "--core=x"],
             "muppy: summary: option --core goes before the command: "
             "muppy --core=FILE summary"),
            (["summary", "-no-index"],
             "muppy: summary: option --no-index goes before the command: "
             "muppy --no-index summary"),
            (["summary", "-limt", "3"],
             "muppy: summary: there is no option '-limt'; did you mean "
             "-limit?"),
            (["--coer=x", "summary"],
             "muppy: there is no option '--coer=x'; did you mean --core?"),
            ([os.path.abspath(__file__), "summary"],
             "muppy: '%s' is no command; a core file is given so: muppy "
             "--core=%s summary" % (2 * (os.path.abspath(__file__),))),
            (["--core=" + __file__], "muppy: which command? See muppy help")):
        result = common.run([MUPPY, *words])
        results.check(" ".join(words), result.stdout == line + "\n" and
                      result.returncode == USAGE, result.stdout)
    wanted = common.run([MUPPY, "summary", "--help"], check=True).stdout
    results.check("help names options as they are listed",
                  "\n  muppy summary --sort count --limit 10\n" in wanted, wanted)
    for words in (["--help", "summary"], ["help", "summary"]):
        result = common.run([MUPPY, *words])
        results.check(" ".join(words), result.returncode == 0 and
                      result.stdout == wanted, result.stdout)


def test_program(results):
    """A program that was named is there, or there is no answer."""
    for path, why in (("/nope", "No such file or directory"),
                      ("/", "Is a directory")):
        result = common.run([MUPPY, "--core=" + MUPPY, "--exe=" + path,
                             "summary"])
        results.check("--exe=" + path, result.returncode == TARGET and
                      result.stdout == "muppy: cannot read the program %s: %s; "
                      "check --exe\n" % (path, why), result.stdout)


def test_files(results):
    """What is taken for a core file, or a snapshot, and is none, is named."""
    def compressed(name):
        return "%%s is compressed with %s; unpack it first" % name
    with common.scratch() as directory:
        path = os.path.join(directory, "file")
        for content, core, snapshot in (
                (gzip.compress(bytes(1000)), compressed("gzip"), None),
                (lzma.compress(bytes(1000)), compressed("xz"), None),
                (bz2.compress(bytes(1000)), compressed("bzip2"), None),
                (b"\x28\xb5\x2f\xfd", compressed("zstd"), None),
                (b"\x89MUPPY\r\n", "%s is not a core file but a snapshot of "
                 "muppy; compare it with muppy diff", "%s "),
                (b"text", "%s is not a core file (no ELF header)",
                 "%s is no snapshot of muppy, nor a core file")):
            with open(path, "wb") as file:
                file.write(content + bytes(max(0, 100 - len(content))))
            for words, wanted in ((["--core=" + path, "summary"], core),
                                  (["diff", path, path], snapshot or core)):
                said = common.run([MUPPY, *words])
                results.check("%r: %s" % (content[:4], words[0]),
                              said.returncode == TARGET and wanted % path
                              in said.stdout, said.stdout)


def test_no_files(results):
    """What cannot be a core file is said to be what it is."""
    with common.scratch() as directory:
        path = os.path.join(directory, "core")
        with open(path, "wb"):
            pass
        for name, why in ((path, "is empty: nothing was written to it"),
                          (directory, "is not a core file but a directory; name the "
                           "file in it"),
                          ("/dev/null", "is not a core file but a device, pipe or "
                           "socket")):
            said = common.run([MUPPY, "--core=" + name, "summary"])
            results.check("--core=" + name, said.returncode == TARGET and
                          said.stdout == "muppy: %s %s\n" % (name, why), said.stdout)


def test_traced(results, python):
    """A process that a debugger has is not to be had."""
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            with subprocess.Popen(
                    [common.GDB, "-nx", "-q", "-p", str(fixture.pid)],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL) as debugger:
                said = common.run([MUPPY, "--pid=%d" % fixture.pid, "info"])
                for _ in range(100):
                    if said.returncode:
                        break
                    time.sleep(0.1)
                    said = common.run([MUPPY, "--pid=%d" % fixture.pid, "info"])
                debugger.stdin.close()
    results.check("a process that gdb has", said.returncode == TARGET and re.search(
        r"it is traced by process %d \(.*gdb.*\); " % debugger.pid, said.stdout),
                  said.stdout)


def test_process(results, python):
    with common.scratch() as directory:
        with common.Fixture(python, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            said = common.CommandLine().ask(["info"], pid=fixture.pid)
    lines = [line for line in said.splitlines() if line.startswith("program")]
    results.check("the program of a process by its own path",
                  [line.split()[1] for line in lines] ==
                  [os.path.realpath(python)], said)


def test_sysroot(results, python):
    """The program was moved away with the folders above it, as a container's is."""
    with common.scratch() as directory:
        place = os.path.join(directory, "here")
        os.mkdir(place)
        program = shutil.copy(python, os.path.join(place, "python"))
        with common.Fixture(program, "reprs.py", directory, "pause",
                            truth=False) as fixture:
            core = fixture.gcore()
        root = os.path.join(directory, "root")
        moved = root + place
        os.makedirs(os.path.dirname(moved))
        os.rename(place, moved)
        said = common.run([MUPPY, "--core=" + core, "--sysroot=" + root, "info"])
        results.check("the program below --sysroot", said.returncode == 0 and
                      re.search(r"^program +%s$" % (moved + "/python"),
                                said.stdout, re.M), said.stdout)


def main():
    results = common.Results()
    test_options(results)
    test_program(results)
    test_files(results)
    test_no_files(results)
    python = common.interpreter(common.PYTHON)
    if not python:
        results.skip(common.PYTHON, "not there")
        return results.close()
    try:
        test_process(results, python)
        test_traced(results, python)
        test_sysroot(results, python)
    except Failure as failure:
        results.check(common.PYTHON, False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
