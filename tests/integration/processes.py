#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program muppy, live processes and files: what it leaves behind.

See common.py for the environment.
"""
import ctypes
import os
import platform
import re
import shutil
import signal
import struct
import subprocess
import sys
import time

import common
from common import MUPPY, PYTHON, Failure, Program, Results, interpreter, run, scratch

# A child of vfork() that waits for somebody to write to a pipe; meanwhile the
# kernel does not stop its parent.
VFORK = """
import os, sys, threading, time
threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
print("ready", flush=True)
os.posix_spawn("/bin/true", ["true"], {},
               file_actions=[(os.POSIX_SPAWN_OPEN, 0, sys.argv[1], os.O_RDONLY, 0)])
print("went on", flush=True)
time.sleep(100)
"""

FIRST_THREAD_ENDED = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(100,)).start()
print("ready", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""

FILLED = """
import time
filled = [object() for number in range(100000)]
print("ready", flush=True)
time.sleep(100)
"""

# Sends its child signals that are counted while its input is open, and says how
# many were lost.
SIGNALS = r"""
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int count, end;
static void on_signal(int number) { if (number == SIGUSR1) end = 1; else count++; }
int main(void) {
  int result[2], sent = 0, received = 0;
  struct pollfd input = {0, POLLIN, 0};
  signal(SIGRTMIN, on_signal);
  signal(SIGUSR1, on_signal);
  if (pipe(result)) return 1;
  pid_t child = fork();
  if (!child) {
    while (!end) ;
    return write(result[1], (int *)&count, sizeof count) != sizeof count;
  }
  printf("%d\n", (int)child);
  fflush(stdout);
  while (!poll(&input, 1, 0))
    sent += sigqueue(child, SIGRTMIN, (union sigval){0}) == 0;
  sleep(1);
  kill(child, SIGUSR1);
  if (read(result[0], &received, sizeof received) != sizeof received) return 1;
  printf("%d sent, %d lost\n", sent, sent - received);
  return 0;
}
"""


# Processes -----------------------------------------------------------------

def test_vfork(results, python, directory):
    pipe = os.path.join(directory, "pipe")
    os.mkfifo(pipe)
    with Program(python, VFORK, pipe) as program:
        command = [MUPPY, "--pid=%d" % program.pid, "info"]
        time.sleep(0.5)
        found = run(command, seconds=30)
        results.check("a thread that cannot be stopped is named", found.returncode == 3
                      and "muppy: thread %d " % program.pid in found.stdout,
                      found.stdout)
        with subprocess.Popen(command, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as asked:
            time.sleep(0.5)
            asked.send_signal(signal.SIGINT)
            said = asked.communicate(timeout=30)[0]
            results.check("Ctrl-C while a thread is waited for",
                          asked.returncode == 4, said)
        with open(pipe, "wb"):
            pass
        results.check("the process goes on",
                      program.process.stdout.readline() == b"went on\n")
        found = run(command)
        results.check("later it can be read", found.returncode == 0, found.stdout)


def test_first_thread(results, python):
    with Program(python, FIRST_THREAD_ENDED) as program:
        time.sleep(0.5)
        found = run([MUPPY, "--pid=%d" % program.pid, "info"])
        results.check("a process whose first thread has ended",
                      found.returncode == 0, found.stdout)


def forbid_reading():
    """Lets this process have no process_vm_readv(), as some containers do: a
    filter of four BPF instructions that answers EPERM to it."""
    number_of_call, eperm = 310, 1
    code = ctypes.create_string_buffer(b"".join(
        struct.pack("HBBI", *instruction) for instruction in [
            (0x20, 0, 0, 0), (0x15, 0, 1, number_of_call),
            (0x06, 0, 0, 0x00050000 | eperm), (0x06, 0, 0, 0x7fff0000)]))
    program = ctypes.create_string_buffer(struct.pack("HP", 4, ctypes.addressof(code)))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_no_new_privileges, set_seccomp, filter_mode = 38, 22, 2
    if prctl(set_no_new_privileges, 1, 0, 0, 0) or prctl(
            set_seccomp, filter_mode, program, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def test_forbidden(results, python):
    """Memory is read in another way where the quick one is forbidden, with one
    thread and with several."""
    if platform.machine() != "x86_64":
        results.skip("no process_vm_readv", "its number is another here")
        return
    with Program(python, FILLED) as program:
        time.sleep(0.5)  # Until it sleeps.
        answers = {}
        for name, before in [("", None), (" without process_vm_readv()", forbid_reading)]:
            for threads in (1, 2, 7):
                found = run([MUPPY, "--pid=%d" % program.pid, "--threads=%d" % threads,
                             "summary"], preexec_fn=before)
                answers[threads, name] = found.stdout
        expected = answers[1, ""]
        for (threads, name), answer in answers.items():
            results.check("a process read by %d threads%s" % (threads, name),
                          re.search(r" object [|] +1000[0-9][0-9] ", expected)
                          and answer == expected, answer)


def test_signals(results, directory):
    compiler = os.environ.get("CC", "cc").split()
    program = os.path.join(directory, "signals")
    with open(program + ".c", "w", encoding="ascii") as file:
        file.write(SIGNALS)
    if not shutil.which(compiler[0]) or subprocess.run(
            compiler + ["-w", "-o", program, program + ".c"], check=False).returncode != 0:
        results.skip("signals during the copy", "no compiler for the test program")
        return
    process = subprocess.Popen([program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    child = process.stdout.readline().strip()
    for _ in range(150):
        run([MUPPY, "--pid=" + child, "info"])
    said = process.communicate("", timeout=60)[0]
    results.check("signals during the copy",
                  re.fullmatch(r"[1-9][0-9]* sent, 0 lost", said.strip()), said)


# Files ---------------------------------------------------------------------

def test_ended(results, python):
    """A process that is killed while gdb has it, or is no Python program."""
    if not shutil.which(common.GDB):
        results.skip("a process that ended in gdb", "no gdb")
        return
    ended = "muppy: process %d has ended, which gdb does not know yet; kill or detach"
    for first in [], ["-ex", "muppy summary -limit 1"]:
        with subprocess.Popen([python, "-c", "import time; time.sleep(100)"]) as process:
            time.sleep(0.5)
            found = run([common.GDB, "-nx", "-batch", "-x", common.MUPPY_GDB, "-p",
                         str(process.pid), *first, "-ex",
                         "shell kill -9 %d; sleep 0.3" % process.pid,
                         "-ex", "muppy summary -limit 1", "-ex", "muppy info",
                         "-ex", "kill", "-ex", "muppy info"])
            results.check("killed in gdb, %d commands before" % (len(first) // 2),
                          found.stdout.count(ended % process.pid) == 2
                          and "there is no program to look at" in found.stdout,
                          found.stdout)
    with subprocess.Popen(["sleep", "100"]) as process:
        found = run([MUPPY, "--pid=%d" % process.pid, "info"])
        results.check("no Python program", found.returncode == 3 and re.match(
            r"muppy: no CPython runtime \(_PyRuntime\) in /\S*, nor in any other file that "
            "it maps: is it a Python program\\?$", found.stdout), found.stdout)
        process.kill()


def test_output(results, python, directory):
    """What of -output is there when muppy is ended, and what it refuses."""
    with Program(python, FILLED) as program:
        test_export(results, program, directory)


def test_export(results, program, directory):
    export = [MUPPY, "--pid=%d" % program.pid, "export", "-output"]
    place = os.path.join(directory, "place")
    os.mkdir(place)
    path = os.path.join(place, "export")
    for number in (signal.SIGTERM, signal.SIGKILL):
        for delay in (0.2, 0.4, 0.6):
            with subprocess.Popen(export + [path, "-force"]) as asked:
                time.sleep(delay)
                asked.send_signal(number)
        results.check("nothing stays behind after signal %d" % number,
                      set(os.listdir(place)) <= {"export"}, str(os.listdir(place)))
    new = os.path.join(place, "new")
    for arguments, status in [([new], 0), ([new], 1), ([new, "-force"], 0)]:
        found = run(export + arguments)
        results.check("export -output " + " ".join(arguments[1:]),
                      found.returncode == status and os.path.getsize(new) > 1 << 20
                      and set(os.listdir(place)) <= {"export", "new"}, found.stdout)
    pipe = os.path.join(directory, "unread")
    os.mkfifo(pipe)
    found = run(export + [pipe], seconds=30)
    results.check("a pipe that nobody reads", found.returncode == 1
                  and "nobody reads" in found.stdout, found.stdout)
    found = run(["sh", "-c", '"$@" /dev/stdout | wc -c', "sh", *export])
    results.check("-output /dev/stdout", int(found.stdout.split()[-1]) > 1 << 20,
                  found.stdout)


def main():
    results = Results(verbose="-v" in sys.argv)
    python = interpreter(PYTHON)
    if not python:
        results.skip("processes", "no " + PYTHON)
        results.close()
        return 77
    with scratch() as directory:
        try:
            test_vfork(results, python, directory)
            test_first_thread(results, python)
            test_forbidden(results, python)
            test_ended(results, python)
            test_output(results, python, directory)
            test_signals(results, directory)
        except (Failure, subprocess.TimeoutExpired) as failure:
            results.check("processes", False, str(failure))
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
