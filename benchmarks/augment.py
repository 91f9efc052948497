"""How many rows a second does augmentation propose and have the solver verify?

    python benchmarks/augment.py [--runs 5]

The rows are those of the shipped corpus; all kinds, one copy. There is no peer: no other tool was found that verifies
what it augments.
"""
import argparse, os, platform, statistics, tempfile, time
from importlib.metadata import version
from pathlib import Path

from asp_ft.augment import KINDS, Augmented, augment_tasks
from asp_ft.core import read_jsonl
from asp_ft.data_converter import convert
from asp_ft.problems import CORPUS


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as tmp:
        convert(CORPUS, tmp)
        tasks = read_jsonl(Path(tmp)/'tasks.jsonl')
    print(f'{len(tasks)} rows; median (least, most) of {args.runs} runs; {os.cpu_count()} cores, '
          f'Python {platform.python_version()}, clingo {version("clingo")}\n')
    print('| kind | verified rows a second |\n|---|---|')
    for kinds in (*((kind,) for kind in KINDS), tuple(KINDS)):
        found = []
        for run in range(args.runs):
            started = time.perf_counter()
            rows = sum(1 for _ in augment_tasks(tasks, kinds, 1, run, Augmented()))
            found.append(rows/(time.perf_counter()-started))
        name = kinds[0] if len(kinds) == 1 else 'all'
        print(f'| {name} | {statistics.median(found):.0f} ({min(found):.0f}, {max(found):.0f}) |', flush=True)


if __name__ == '__main__': main()
