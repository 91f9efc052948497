"""How many problem folders a second does `convert` turn into training rows, solver checks included?

    python benchmarks/convert.py [--n 1000] [--runs 5] [--sample 60]
    python benchmarks/convert.py --bare     # encodings without instances and contracts
    python benchmarks/convert.py --table 5000   # a table of such encodings, with many twins

The folders are made from the shipped corpus: every predicate gets a new name in each copy, so that no two programs
and descriptions are the same. Each folder has two descriptions, a program, a contract and three instances.
With --bare and --table there are no instances, so that `convert` makes some. In a table each encoding of the corpus
returns under other names; all are examined, twins are synthesised once.

The peer is what a shell script would do: one `python -m clingo` process for each program, on one instance, as many at a
time as there are cores.
"""
import argparse, csv, json, os, platform, re, shutil, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import asp_ft
from asp_ft.data_converter import convert
from asp_ft.sandbox import close_sandbox

CORPUS = Path(asp_ft.__file__).parent/'corpus'
INSTANCES = 3


def letters(number):
    "0 -> a, 25 -> z, 26 -> ba: a suffix for names."
    return (letters(number//26) if number >= 26 else '')+chr(ord('a')+number % 26)


def names_of(contract):
    "What matches the predicates that a contract names."
    names = sorted(set(re.findall(r'(\w+)/(\d)', contract)), reverse=True)
    words = [rf'\b{name}\b(?=[(/])' if int(arity) else rf'\b{name}\b' for name, arity in names]
    return re.compile('|'.join(words))


def make_folders(root, n):
    "Write `n` problem folders below `root`, the corpus problems in turn."
    sources = sorted(p.parent for p in CORPUS.rglob('ASP.txt'))
    for i in range(n):
        source, suffix = sources[i % len(sources)], letters(i//len(sources))
        contract = (source/'task.yaml').read_text(encoding='utf-8')
        pattern = names_of(contract)
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


def used(work):
    "Seconds on the wall and of processor time, all processes together, that some work takes; and what it returns."
    close_sandbox()
    before, started = sum(os.times()[:4]), time.perf_counter()
    result = work()
    close_sandbox()  # processes count when they have ended
    return time.perf_counter()-started, sum(os.times()[:4])-before, result


def ask_clingo(files):
    "What a process of clingo says about some files."
    command = [sys.executable, '-m', 'clingo', '--outf=2', '--opt-mode=ignore', *map(str, files)]
    return json.loads(subprocess.run(command, capture_output=True).stdout)['Result']


def ask_side_by_side(programs):
    "The same for many programs, as many at a time as there are cores."
    with ThreadPoolExecutor(os.cpu_count()) as pool: return list(pool.map(ask_clingo, programs))


def measure_processes(root, sample):
    "Seconds for one clingo process a program, `os.cpu_count()` side by side."
    folders = sorted(p.parent for p in root.rglob('ASP.txt'))
    folders = folders[::len(folders)//sample][:sample]
    seconds, _, results = used(lambda: ask_side_by_side([(f/'ASP.txt', f/'instances'/'tiny.lp') for f in folders]))
    return seconds, results


def spread(values, form='.0f'):
    "Median, least and most."
    return f'{statistics.median(values):{form}} ({min(values):{form}}, {max(values):{form}})'


def show_ratio(rows, ours, theirs, sample):
    "The table of rows a second; `ours` and `theirs` are pairs (seconds on the wall, of processor time), run by run."
    print('\n| | rows/s | rows a second of processor time |\n|---|---|---|')
    for name, n, seconds in (('asp_ft convert, instances synthesised', rows, ours),
                             ('one `python -m clingo` process a program, no instance', sample, theirs)):
        print(f'| {name} | {spread([n/wall for wall, _ in seconds], ".1f")} | '
              f'{spread([n/cpu for _, cpu in seconds], ".1f")} |')
    both = [[(rows/mine[i])/(sample/peer[i]) for mine, peer in zip(ours, theirs)] for i in (0, 1)]
    print(f'| times as fast | {spread(both[0], ".2f")} | {spread(both[1], ".2f")} |')


def make_table(path, n):
    "Write a table of `n` rows, the corpus problems in turn, under new names in each copy."
    sources = sorted(p.parent for p in CORPUS.rglob('ASP.txt'))
    with open(path, 'w', encoding='utf-8', newline='') as f:
        table = csv.writer(f)
        table.writerow(['question', 'answer'])
        for i in range(n):
            source, suffix = sources[i % len(sources)], letters(i//len(sources))
            pattern = names_of((source/'task.yaml').read_text(encoding='utf-8'))
            texts = [(source/name).read_text(encoding='utf-8') for name in ('NL.txt', 'ASP.txt')]
            table.writerow([f'{texts[0].strip()} Table {suffix}.', pattern.sub(rf'\g<0>_{suffix}', texts[1])])


def peak(table, out):
    "The peak memory, MiB, of a process that converts a table."
    code = f"""import resource
from asp_ft.data_converter import convert
convert({str(table)!r}, {str(out)!r})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)"""
    return int(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True).stdout)


def measure_table(folder, n, runs, sample):
    "A table: rows a second beside the peer, the second run, and the peak memory."
    table, out = folder/'table.csv', folder/'data'
    make_table(table, n)
    programs = []
    for i, row in enumerate(csv.DictReader(open(table, encoding='utf-8', newline=''))):
        if i % max(1, n//sample) or len(programs) == sample: continue
        programs.append([folder/f'{i}.lp'])
        programs[-1][0].write_text(row['answer'], encoding='utf-8')
    ours, theirs, again = [], [], []
    for _ in range(runs):
        shutil.rmtree(out, ignore_errors=True)
        *seconds, report = used(lambda: convert(table, out))
        ours.append(seconds)
        theirs.append(used(lambda: ask_side_by_side(programs))[:2])
        again.append(used(lambda: convert(table, out))[:2])
    counts = report['counts']
    print(f"{counts['rows']} of {n} rows kept, {counts['checked']}")
    show_ratio(n, ours, theirs, len(programs))
    for name, found in (('first', ours), ('second', again)):
        walls, used_up = [w for w, _ in found], [c for _, c in found]
        print(f'The {name} run took {spread(walls)} s, {spread(used_up)} s of processor time.')
    shutil.rmtree(out)
    print(f'Peak memory of the converting process: {peak(table, out)} MiB.')


def measure_bare(folder, runs):
    "The corpus without its instances and contracts: what is kept, and which mutants the made instances notice."
    from asp_ft.core import read_jsonl
    from asp_ft.instances import mutation_tests
    from asp_ft.syntax import Task
    from asp_ft.sources import read_sources
    for source in (p.parent for p in CORPUS.rglob('ASP.txt')):
        target = folder/'raw'/source.relative_to(CORPUS)
        target.mkdir(parents=True)
        for name in ('NL.txt', 'ASP.txt'): (target/name).write_bytes((source/name).read_bytes())
    programs, ours, theirs = [[p] for p in sorted((folder/'raw').rglob('ASP.txt'))], [], []
    for _ in range(runs):
        shutil.rmtree(folder/'data', ignore_errors=True)
        *seconds, report = used(lambda: convert(folder/'raw', folder/'data'))
        ours.append(seconds)
        theirs.append(used(lambda: ask_side_by_side(programs))[:2])
    show_ratio(len(programs), ours, theirs, len(programs))
    given = {p.name: (p.program, p.task()) for p in read_sources(CORPUS).problems}
    made = {t['id'].rpartition('/')[0]: (t['gold'], Task.from_dict(t)) for t in read_jsonl(folder/'data'/'tasks.jsonl')}
    names = sorted(made)
    noticed = [sum(t.killed for t in mutation_tests([pairs[n] for n in names])) for pairs in (given, made)]
    counts = report['counts']
    print(f"{counts['problems']} of {len(given)} problems kept, {counts['checked']}")
    print(f'mutants noticed: {noticed[0]} by the instances of the corpus, {noticed[1]} by those that were made '
          f'({noticed[1]/noticed[0]:.1%})')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--n', type=int, default=1000, help='problem folders (default: 1000)')
    parser.add_argument('--runs', type=int, default=5, help='runs of which the median counts (default: 5)')
    parser.add_argument('--sample', type=int, default=60, help='programs given to the peer in each run (default: 60)')
    parser.add_argument('--bare', action='store_true', help='encodings without instances and contracts')
    parser.add_argument('--table', type=int, help='rows of a table of encodings without instances and contracts')
    args = parser.parse_args(); args.sample = min(args.sample, args.n)
    with tempfile.TemporaryDirectory() as tmp:
        if args.bare: return measure_bare(Path(tmp), args.runs)
        if args.table: return measure_table(Path(tmp), args.table, args.runs, args.sample)
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
