# SPDX-License-Identifier: GPL-3.0-or-later
"""A small heap with a bit of everything whose memory has structure beyond the
object itself, for damage.py.  Writes no truth; it ends or waits at once."""
import argparse
import collections
import contextvars
import functools
import io
import itertools
import os
import sys
import time
import weakref

kept = []


class Slots:
    __slots__ = ("left", "right")


class Plain:
    """With a __dict__."""


class Error(ValueError):
    pass


@functools.lru_cache(maxsize=64)
def square(number):
    return number * number


def generate():
    local = ["in a generator"]
    yield local
    yield from range(3)


def add_containers():
    kept.append(("marked tuple", 1, 2, 3))
    kept.append(collections.OrderedDict((str(i), i) for i in range(20)))
    kept.append(collections.deque(range(300)))
    kept.append(collections.defaultdict(list, {(1, 2): [3]}))
    kept.append(itertools.tee(iter(range(100)), 3))
    kept.append([square(i) for i in range(40)])
    kept.append(frozenset(range(100, 200)))
    kept.append(bytearray(1000))
    kept.append(io.BytesIO(b"bytes" * 50))
    kept.append([1 << 3000, -5, 1.5, 2j, "ascii", "\xe4", "\u20ac", "\U0001f40d"])


def set_variables():
    for number in range(100):
        variable = contextvars.ContextVar("variable %d" % number)
        variable.set(number)
        kept.append(variable)


def add_contexts():
    """Whose variables are in nodes of several kinds."""
    for _ in range(10):
        kept.append(contextvars.Context())
        kept[-1].run(set_variables)


def add_instances():
    for number in range(100):
        slots = Slots()
        slots.left, slots.right = kept, "text %d" % number
        plain = Plain()
        plain.name = "name %d" % number
        plain.value = {number: slots, "key": {number, "member"}}
        plain.weak = weakref.ref(plain)
        kept.append(plain)


def add_running():
    for _ in range(3):
        generator = generate()
        next(generator)
        kept.append(generator)
    try:
        raise Error("kept")
    except Error as error:
        kept.append(error)


def add_interpreter():
    try:
        import _xxsubinterpreters as interpreters  # up to 3.12
        run = interpreters.run_string
    except ImportError:
        try:
            import _interpreters as interpreters
            run = interpreters.exec
        except ImportError:
            return
    other = interpreters.create()
    run(other, "import collections; kept = [{'in': 'other'}]")
    kept.append(other)


def end(options, depth):
    """Ends below some frames."""
    local = {depth: options}
    if depth:
        return end(options, depth - 1), local
    if options.how == "abort":
        os.abort()
    with open(options.ready, "w", encoding="ascii"):
        pass
    time.sleep(3600)
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready")
    parser.add_argument("--how", choices=("abort", "pause"))
    options = parser.parse_args()
    add_containers()
    add_contexts()
    add_instances()
    add_running()
    add_interpreter()
    end(options, 10)


if __name__ == "__main__":
    sys.exit(main())
