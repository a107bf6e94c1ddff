#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one would use instead, inside the process that has the heap: times gc,
objgraph and Pympler on the heap of fixtures/workload.py, and prints JSON.

Runs in the interpreter that is measured; a module that it cannot import is left
out."""
import gc
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "fixtures"))

import workload  # noqa: E402


def timed(results, name, function):
    started = time.perf_counter()
    answer = function()
    results[name] = time.perf_counter() - started
    return answer


def main():
    count, churn = int(sys.argv[1]), sys.argv[2] == "churned"
    chance = random.Random(12345)
    gc.disable()
    kept = []
    workload.fill(kept, count - len(gc.get_objects()), chance)
    if churn:
        workload.churn(kept, count, chance)
    gc.collect()
    results = {}
    person = next(one for one in kept if isinstance(one, workload.Person))
    # The first call pays for what comes after it, too.
    gc.get_objects()
    timed(results, "gc.get_objects", gc.get_objects)
    timed(results, "gc.get_referrers", lambda: gc.get_referrers(person))
    try:
        import objgraph
        timed(results, "objgraph.most_common_types", objgraph.most_common_types)
    except ImportError:
        pass
    try:
        from pympler import muppy, refbrowser, summary
        objects = timed(results, "muppy.get_objects", muppy.get_objects)
        timed(results, "summary.summarize", lambda: summary.summarize(objects))
        del objects
        browser = refbrowser.StreamBrowser(
            person, maxdepth=3, repeat=False,
            str_func=lambda one: str(type(one)), stream=open(os.devnull, "w"))
        timed(results, "refbrowser, depth 3", browser.print_tree)
    except ImportError:
        pass
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
