"""How many programs a second does the sandbox check and compare?

    python benchmarks/solver.py [--n 1000] [--runs 5] [--sample 60] [--memory 100000]

The programs are those of the shipped corpus, each with its smallest instances. The peer of checking is one
`python -m clingo` process for each program, as many at a time as there are cores. Each program is compared with its
twin, which has other variables and other orders in its bodies. `--memory` programs are checked for one more figure: by
how much the caller grows.
"""
import argparse, os, platform, resource, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path

import yaml

import asp_ft
from asp_ft.syntax import Task
from asp_ft.sandbox import GENERATED
from asp_ft.solver import check_many, compare_many
from asp_ft.instances import rewrite_many

CORPUS = Path(asp_ft.__file__).parent/'corpus'
INSTANCES = 3


def problems():
    "(program, contract) of every problem of the corpus, with its smallest instances."
    for path in sorted(CORPUS.rglob('ASP.txt')):
        contract = yaml.safe_load((path.parent/'task.yaml').read_text(encoding='utf-8'))
        files = sorted((path.parent/'instances').glob('*.lp'), key=lambda p: p.stat().st_size)[:INSTANCES]
        instances = tuple((p.name, p.read_text(encoding='utf-8')) for p in files)
        yield path.read_text(encoding='utf-8'), Task(tuple(contract['inputs']), tuple(contract['outputs']), instances)


def rate(work, n):
    "Items a second of a function that goes through `n` of them."
    start = time.perf_counter()
    work()
    return n/(time.perf_counter()-start)


def peer(folder, pairs):
    "One clingo process for each (program, facts) pair."
    for i, (program, facts) in enumerate(pairs): (folder/f'{i}.lp').write_text(f'{program}\n{facts}', encoding='utf-8')
    def one(i):
        command = [sys.executable, '-m', 'clingo', '--outf=3', '--opt-mode=ignore', str(folder/f'{i}.lp')]
        return subprocess.run(command, capture_output=True).returncode
    with ThreadPoolExecutor(os.cpu_count()) as pool: return list(pool.map(one, range(len(pairs))))


def resident():
    "Memory of this process, MiB; where /proc does not tell, the most it ever had."
    try: return int(Path('/proc/self/statm').read_text().split()[1])*resource.getpagesize()/2**20
    except OSError: return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**20  # macOS: bytes


def growth(pairs, n):
    "MiB by which the caller grows from the first tenth to the end of `n` checks."
    for i, _ in enumerate(check_many(islice(cycle(pairs), n), GENERATED)):
        if i == n//10: before = resident()
    return resident()-before


def main():
    parser = argparse.ArgumentParser()
    for name, default in (('n', 1000), ('runs', 5), ('sample', 60), ('memory', 100_000)):
        parser.add_argument(f'--{name}', type=int, default=default)
    args = parser.parse_args()
    known = list(problems())
    twins = rewrite_many((p, 'variables', 1) for p, _ in known)
    twins = list(rewrite_many((p, 'bodies', 1) for p in twins))
    pairs = list(islice(cycle((p, t.instances[0][1]) for p, t in known), args.n))
    triples = list(islice(cycle((twin, p, t) for twin, (p, t) in zip(twins, known)), args.n))
    rows = {'asp_ft check_many': [], 'asp_ft check_many with the lint': [],
            'one `python -m clingo` process a program': [],
            f'asp_ft compare_many, {INSTANCES} instances, program against its twin': []}
    checked, linted, clingo, compared = rows.values()
    list(check_many(pairs[:50], GENERATED))  # starts the processes
    for _ in range(args.runs):
        checked.append(rate(lambda: list(check_many(pairs, GENERATED, lint=False)), args.n))
        linted.append(rate(lambda: list(check_many(pairs, GENERATED)), args.n))
        with tempfile.TemporaryDirectory() as d:
            clingo.append(rate(lambda: peer(Path(d), pairs[:args.sample]), args.sample))
        compared.append(rate(lambda: list(compare_many(triples, lint=False)), args.n))
    print(f'{args.n} programs; median (least, most) of {args.runs} runs; {os.cpu_count()} cores, '
          f'Python {platform.python_version()}, clingo {version("clingo")}\n\n| | a second |\n|---|---|')
    for name, found in rows.items():
        print(f'| {name} | {statistics.median(found):.0f} ({min(found):.0f}, {max(found):.0f}) |')
    ratio = statistics.median(a/b for a, b in zip(checked, clingo))
    print(f'\nChecking is {ratio:.1f} times as fast as the peer (median of the pairs of runs).')
    if args.memory:
        grown = growth(pairs, args.memory)
        print(f'Over {args.memory:,} checks the caller grew by {grown:.1f} MiB after the first tenth.')


if __name__ == '__main__': main()
