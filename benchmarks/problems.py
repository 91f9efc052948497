"""How many problems a second are drawn from the families and verified by the solver?

    python benchmarks/problems.py [--n 2000] [--runs 5] [--memory 100000]

All families take turns. A problem counts when the solver has run it on its three instances, has linted it, and has
told it from its near misses; what is refused and drawn again costs time and does not count. Leaving the solver out
shows what the drawing costs by itself. There is no peer: no other tool was found that verifies the problems it makes.
`--memory` problems are made for one more figure: by how much the caller grows.
"""
import argparse, os, platform, random, resource, statistics, time
from importlib.metadata import version
from pathlib import Path

from asp_ft.sandbox import close_sandbox
from asp_ft.problems import draw_problem, FAMILIES, FIRST, generate_problems


def rate(work, n):
    "Items a second of a function that goes through `n` of them."
    start = time.perf_counter()
    work()
    return n/(time.perf_counter()-start)


def resident():
    "Memory of this process, MiB; where /proc does not tell, the most it ever had."
    try: return int(Path('/proc/self/statm').read_text().split()[1])*resource.getpagesize()/2**20
    except OSError: return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20  # macOS: bytes


def growth(n):
    "MiB by which the caller grows from the first tenth to the end of `n` problems, and problems a second."
    start = time.perf_counter()
    for i, _ in enumerate(generate_problems(n=n, seed=9), 1):
        if i == max(1, n//10): before = resident()
    return resident()-before, n/(time.perf_counter()-start)


def processor_time(n):
    "Milliseconds of processor time a problem, all processes together: on a busy machine it says more than the clock."
    close_sandbox()
    used = lambda: sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    start = used()
    list(generate_problems(n=n, seed=8))
    close_sandbox()  # what the processes have used is known when they have ended
    return 1000*(used()-start)/n


def draw(n, seed):
    "Problems without the solver."
    names = list(FAMILIES)
    for i in range(n): draw_problem(names[i%len(names)], random.Random(f'{seed}/{i}'))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--n', type=int, default=2000, help='problems of a run (default: 2000)')
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--memory', type=int, default=100_000, help='problems made for the memory (default: 100000)')
    args = parser.parse_args()
    kinds = {f'all {len(FAMILIES)} families, verified': None, f'the first {len(FIRST)}, verified': FIRST}
    rows = {name: [] for name in (*kinds, 'drawn only')}
    list(generate_problems(n=100, seed=1))  # starts the processes
    for run in range(args.runs):
        for name, families in kinds.items():
            rows[name].append(rate(lambda: list(generate_problems(families, args.n, run)), args.n))
        rows['drawn only'].append(rate(lambda: draw(args.n, run), args.n))
    print(f'{args.n} problems; median (least, most) of {args.runs} runs; {os.cpu_count()} cores, '
          f'Python {platform.python_version()}, clingo {version("clingo")}\n\n| | problems a second |\n|---|---|')
    for name, found in rows.items():
        print(f'| {name} | {statistics.median(found):.0f} ({min(found):.0f}, {max(found):.0f}) |', flush=True)
    print(f'\nA problem takes {processor_time(args.n):.1f} ms of processor time, all processes together.', flush=True)
    if args.memory:
        grown, speed = growth(args.memory)
        print(f'\nOver {args.memory:,} problems ({speed:.0f} a second) the caller grew by {grown:.1f} MiB after the '
              'first tenth.')


if __name__ == '__main__': main()
