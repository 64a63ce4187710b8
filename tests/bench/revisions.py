#!/usr/bin/env python3
"""Compares the servers of two revisions with the benchmark's `compare`, in pairs of runs one after the other.

usage: revisions.py --before SSE_SERVE --after SSE_SERVE --compare COMPARE --folder FOLDER [--pairs N] [--output FILE]
                    [-- ARGUMENT OF compare…]

Each pair runs the same sections against both servers, with the same clients; which of them is first alternates. A figure
that has a reference (a bare loop, nchan) is taken relative to it, because the reference was measured in the same run.
For each figure it prints the change with its 95 % interval and says `faster`, `slower`, `smaller`, `larger` or `same`,
and how sure that is: one minus the probability that two equal servers differ as much (a permutation test over the pairs,
exact up to 14 pairs). Changes below 1 % or less sure than 95 % are `same`. Needs at least 6 pairs to be that sure.
"""

import argparse
import itertools
import json
import math
import pathlib
import random
import subprocess
import sys

MIN_PAIRS = 6
SURE = 0.95
SMALLEST = 0.01  # a change that is worth a word
EXACT = 14  # pairs; 2^14 permutations take a blink


def higher_is_better(unit):
    return unit.endswith("/s")


def change_of(before, after):
    """The mean change of the logarithm, its 95 % interval and how sure it is that it is not 0."""
    differences = [math.log(b / a) for a, b in zip(before, after)]
    n = len(differences)
    mean = sum(differences) / n
    chance = random.Random(1)
    if n <= EXACT:
        signs = list(itertools.product((1, -1), repeat=n))
    else:
        signs = [[chance.choice((1, -1)) for _ in range(n)] for _ in range(20_000)]
    limit = abs(mean) * (1 - 1e-9)
    extreme = sum(abs(sum(s * d for s, d in zip(row, differences)) / n) >= limit for row in signs)
    means = sorted(sum(chance.choices(differences, k=n)) / n for _ in range(5_000))
    return mean, means[len(means) // 40], means[-len(means) // 40], 1 - extreme / len(signs)


def verdict_of(unit, mean, sure):
    if sure < SURE or abs(math.expm1(mean)) < SMALLEST:
        return "same"
    if unit == "bytes":
        return "larger" if mean > 0 else "smaller"
    return "faster" if (mean > 0) == higher_is_better(unit) else "slower"


def figures_in(document):
    """(section, what, unit) → value, relative to the reference if there is one."""
    figures = {}
    for row in document["rows"]:
        reference = row.get("reference") or 0
        value = row["ours"] / reference if reference > 0 else row["ours"]
        if value > 0:
            figures[row["section"], row["what"], row["unit"]] = value
    return figures


def run_compare(options, server, folder):
    output = folder / "figures.json"
    output.unlink(missing_ok=True)
    command = [options.compare, "--sse-serve", server, "--folder", str(folder), "--output", str(output), *options.arguments]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if not output.exists():
        sys.exit(f"revisions.py: {' '.join(command)} measured nothing (exit code {done.returncode}): {done.stderr.strip()}")
    return figures_in(json.loads(output.read_text()))


def compare_pairs(before, after):
    """Rows of the table, from the figures of each run."""
    rows = []
    for key in before[0]:
        pairs = [(a[key], b[key]) for a, b in zip(before, after) if key in a and key in b]
        if len(pairs) < MIN_PAIRS:
            continue
        mean, low, high, sure = change_of([a for a, _ in pairs], [b for _, b in pairs])
        rows.append({"section": key[0], "what": key[1], "unit": key[2], "pairs": len(pairs), "change": math.expm1(mean),
                     "low": math.expm1(low), "high": math.expm1(high), "sure": sure,
                     "verdict": verdict_of(key[2], mean, sure)})
    return rows


def text_of(row):
    return (f"{row['section']:<3} {row['what'] + ' [' + row['unit'] + ']':<66} {row['change']:+8.1%}"
            f"  {row['low']:+7.1%} … {row['high']:+7.1%}  {row['verdict']:<8} {row['sure']:.1%} sure")


def main():
    parser = argparse.ArgumentParser(add_help=False)
    for name in ("before", "after", "compare", "folder"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--output")
    own, rest = sys.argv[1:], []
    if "--" in own:
        rest = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    options = parser.parse_args(own)
    options.arguments = rest
    if options.pairs < MIN_PAIRS:
        sys.exit(f"revisions.py: {options.pairs} pairs cannot be {SURE:.0%} sure of anything; take at least {MIN_PAIRS}")
    folder = pathlib.Path(options.folder)
    before, after = [], []
    for pair in range(options.pairs):
        turns = [(options.before, before), (options.after, after)]
        for server, figures in turns if pair % 2 == 0 else reversed(turns):
            figures.append(run_compare(options, server, folder))
        print(f"pair {pair + 1} of {options.pairs}", file=sys.stderr)
    rows = compare_pairs(before, after)
    if not rows:
        sys.exit("revisions.py: no figure was measured in enough pairs")
    print(f"{'':<71} {'change':>8}  {'95 % interval':^17}")
    for row in rows:
        print(text_of(row))
    if options.output:
        pathlib.Path(options.output).write_text(json.dumps({"pairs": options.pairs, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
