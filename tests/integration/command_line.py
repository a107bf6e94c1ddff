#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program muppy: what it says of its own options."""
import sys

import common
from common import MUPPY

USAGE = 2


def test_options(results):
    for words, line in (
            (["--pid=abc", "info"], "muppy: option -pid: 'abc' is not a number"),
            (["--pid=0", "info"], "muppy: option -pid: there is no process 0"),
            (["--pid=99999999999", "info"],
             "muppy: option -pid: there is no process 99999999999"),
            (["filter", "dict", "--output", ""],
             "muppy: filter: option -output: the value '' is empty; give FILE"),
            (["--help", "nonsense"],
             "muppy: there is no command 'nonsense'; see muppy help")):
        result = common.run([MUPPY, *words])
        results.check(" ".join(words), result.stdout == line + "\n" and
                      result.returncode == USAGE, result.stdout)
    wanted = common.run([MUPPY, "summary", "--help"], check=True).stdout
    for words in (["--help", "summary"], ["help", "summary"]):
        result = common.run([MUPPY, *words])
        results.check(" ".join(words), result.returncode == 0 and
                      result.stdout == wanted, result.stdout)


def main():
    results = common.Results()
    test_options(results)
    return results.close()


if __name__ == "__main__":
    sys.exit(main())
