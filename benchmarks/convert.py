"""How many problem folders a second does `convert` turn into training rows, solver checks included?

    python benchmarks/convert.py [--n 1000] [--runs 5] [--sample 60]
    python benchmarks/convert.py --bare     # encodings without instances and contracts

The folders are made from the shipped corpus: every predicate gets a new name in each copy, so that no two programs
and descriptions are the same. Each folder has two descriptions, a program, a contract and three instances.
The peer is what a shell script would do: one `python -m clingo` process for each program, on one instance, as many at a
time as there are cores.
"""
import argparse, json, os, platform, re, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import asp_ft
from asp_ft.data_converter import convert

CORPUS = Path(asp_ft.__file__).parent/'corpus'
INSTANCES = 3


def letters(number):
    "0 -> a, 25 -> z, 26 -> ba: a suffix for names."
    return (letters(number//26) if number >= 26 else '')+chr(ord('a')+number % 26)


def make_folders(root, n):
    "Write `n` problem folders below `root`, the corpus problems in turn."
    sources = sorted(p.parent for p in CORPUS.rglob('ASP.txt'))
    for i in range(n):
        source, suffix = sources[i % len(sources)], letters(i//len(sources))
        contract = (source/'task.yaml').read_text(encoding='utf-8')
        names = sorted(set(re.findall(r'(\w+)/(\d)', contract)), reverse=True)
        words = [rf'\b{name}\b(?=[(/])' if int(arity) else rf'\b{name}\b' for name, arity in names]
        pattern = re.compile('|'.join(words))
        folder = root/source.parent.name/f'{source.name}_{suffix}'
        instances = sorted((source/'instances').glob('*.lp'), key=lambda p: (p.name != 'tiny.lp', p.name))
        instances = instances[:INSTANCES]
        meant = [p.name for p in instances if p.name in contract]
        contract = re.sub(r'(unsatisfiable|problem): .*\n', '', contract) + f'unsatisfiable: [{", ".join(meant)}]\n'
        texts = {p: (source/p).read_text(encoding='utf-8') for p in ('NL.txt', 'IR.txt', 'ASP.txt')}
        texts |= {'task.yaml': contract} | {f'instances/{p.name}': p.read_text(encoding='utf-8') for p in instances}
        for name, text in texts.items():
            path = folder/name; path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(pattern.sub(rf'\g<0>_{suffix}', text), encoding='utf-8')


def measure_convert(root, out, runs):
    "Seconds of each run; a first one warms the disk cache."
    seconds = []
    for _ in range(runs+1):
        started = time.perf_counter(); report = convert(root, out)
        seconds.append(time.perf_counter()-started)
    return seconds[1:], report


def measure_processes(root, sample):
    "Seconds for one clingo process a program, `os.cpu_count()` side by side."
    folders = sorted(p.parent for p in root.rglob('ASP.txt'))
    folders = folders[::len(folders)//sample][:sample]
    def one(folder):
        files = [str(folder/'ASP.txt'), str(folder/'instances'/'tiny.lp')]
        command = [sys.executable, '-m', 'clingo', '--outf=2', '--opt-mode=ignore', *files]
        return json.loads(subprocess.run(command, capture_output=True).stdout)['Result']
    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool: results = list(pool.map(one, folders))
    return time.perf_counter()-started, results


def measure_bare(folder):
    "The corpus without its instances and contracts: what is kept, and which mutants the made instances notice."
    from asp_ft.core import read_jsonl
    from asp_ft.instances import mutation_tests
    from asp_ft.syntax import Task
    from asp_ft.sources import read_sources
    for source in (p.parent for p in CORPUS.rglob('ASP.txt')):
        target = folder/'raw'/source.relative_to(CORPUS)
        target.mkdir(parents=True)
        for name in ('NL.txt', 'ASP.txt'): (target/name).write_bytes((source/name).read_bytes())
    started = time.perf_counter()
    report = convert(folder/'raw', folder/'data')
    seconds = time.perf_counter()-started
    given = {p.name: (p.program, p.task()) for p in read_sources(CORPUS).problems}
    made = {t['id'].rpartition('/')[0]: (t['gold'], Task.from_dict(t)) for t in read_jsonl(folder/'data'/'tasks.jsonl')}
    names = sorted(made)
    noticed = [sum(t.killed for t in mutation_tests([pairs[n] for n in names])) for pairs in (given, made)]
    counts = report['counts']
    print(f"{counts['problems']} of {len(given)} problems kept, {counts['checked']}; {len(made)/seconds:.1f} rows/s")
    print(f'mutants noticed: {noticed[0]} by the instances of the corpus, {noticed[1]} by those that were made '
          f'({noticed[1]/noticed[0]:.1%})')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--n', type=int, default=1000, help='problem folders (default: 1000)')
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--sample', type=int, default=60, help='programs given to the peer in each run (default: 60)')
    parser.add_argument('--bare', action='store_true', help='encodings without instances and contracts')
    args = parser.parse_args(); args.sample = min(args.sample, args.n)
    if args.bare:
        with tempfile.TemporaryDirectory() as tmp: return measure_bare(Path(tmp))
    with tempfile.TemporaryDirectory() as tmp:
        raw = Path(tmp)/'raw'; make_folders(raw, args.n)
        ours, report = measure_convert(raw, Path(tmp)/'data', args.runs)
        counts = report['counts']
        assert counts['problems'] == args.n and not counts['rejected'] and not counts['findings'], counts
        theirs = [measure_processes(raw, args.sample)[0] for _ in range(args.runs)]
    print(f'{args.n} problem folders, {counts["rows"]} rows, {INSTANCES} instances a folder; median (least, most) of '
          f'{args.runs} runs; {os.cpu_count()} cores, Python {platform.python_version()}, clingo {version("clingo")}\n')
    print('| | folders/s |\n|---|---|')
    for name, n, seconds in (('asp_ft convert: read, examine on all instances, split, write', args.n, ours),
                             ('one `python -m clingo` process a program, one instance', args.sample, theirs)):
        rates = [n/s for s in seconds]
        print(f'| {name} | {statistics.median(rates):.0f} ({min(rates):.0f}, {max(rates):.0f}) |')


if __name__ == '__main__': main()
