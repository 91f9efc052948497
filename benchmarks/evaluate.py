"""How long does it take to score ten thousand recorded completions?

    python benchmarks/evaluate.py [--n 10000] [--runs 3] [--sample 200] [--further 4]

The tasks are problems of the held-out wordings, as `problems` and `convert` write them. The completions are what models
answer to them, without a model: right in other words, small mistakes, other names, programs that are cut off, prose. No
two of a task are the same, so that nothing is judged twice. What is equal is tried on `--further` instances, as usual.
Timed is the whole stage, from the two files to verdicts, scores, figure and page. The peer is one
`python -m clingo` process for each program and its first instance, as many at a time as there are cores: it says
whether a program runs, and not whether it is right.
"""
import argparse, os, platform, random, resource, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

from asp_ft.core import read_jsonl, write_jsonl
from asp_ft.sandbox import close_sandbox
from asp_ft.instances import FURTHER, mutate_many, rewrite_many
from asp_ft.data_converter import convert
from asp_ft.evaluate import evaluate
from asp_ft.problems import FAMILIES, problems
from asp_ft.report import write_page

SHARES = dict(right=.5, mistake=.3, names=.05, cut=.1, prose=.05)  # nearly those of nano at temperature 1
PROSE = 'The program first chooses and then tests. '


def answers(tasks, n):
    "`n` different completions, in the order of the tasks."
    dice, each = random.Random(42), -(-n//len(tasks))
    golds = [task['gold'] for task in tasks]
    rewritten = list(rewrite_many(((gold, 'variables', seed) for gold in golds for seed in range(each)), skip=True))
    mutants = list(mutate_many(golds, skip=True))
    for i, (task, gold) in enumerate(zip(tasks, golds)):
        output = task['outputs'][0].split('/')[0]
        for k in range(min(each, n-i*each)):
            kind = dice.choices([*SHARES], [*SHARES.values()])[0]
            right = rewritten[i*each+k] or gold
            text = dict(right=right, names=right.replace(output, 'answer'), cut=right[:len(right)*2//3],
                        prose=PROSE*(1+k % 3)+right, mistake=dice.choice(mutants[i]).program if mutants[i] else right)
            yield dict(id=task['id'], sample=k, text=f"{text[kind]}\n% {task['source']} {k}")


def cpu():
    "Processor seconds of this process and of the children that have ended."
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def peer(folder, pairs):
    "Seconds of the wall clock and of the processor for one clingo process a (program, facts) pair, each."
    for i, (program, facts) in enumerate(pairs): (folder/f'{i}.lp').write_text(f'{program}\n{facts}', encoding='utf-8')
    def one(i):
        options = ['--outf=3', '--opt-mode=ignore', '--time-limit=5']
        return subprocess.run([sys.executable, '-m', 'clingo', *options, folder/f'{i}.lp'], capture_output=True)
    wall, used = time.perf_counter(), cpu()
    with ThreadPoolExecutor(os.cpu_count()) as pool: list(pool.map(one, range(len(pairs))))
    return (time.perf_counter()-wall)/len(pairs), (cpu()-used)/len(pairs)


def scored(folder, run, further):
    "Seconds of the wall clock and of the processor for the whole stage, and the scores."
    close_sandbox()
    wall, used = time.perf_counter(), cpu()
    result = evaluate(folder/'completions.jsonl', folder/'tasks.jsonl', folder/f'run{run}', show=False,
                      page=write_page, further=further)
    wall = time.perf_counter()-wall
    close_sandbox()   # its processor time is known when it has ended
    return wall, cpu()-used, result


def prepare(folder, n):
    "Write the tasks and the completions."
    problems(folder/'raw', tuple(FAMILIES), max(len(FAMILIES), min(n//20, 500)), 42, 'test')
    convert([folder/'raw'], folder, test_fraction=1)
    tasks = read_jsonl(folder/'tasks.jsonl')
    found = list(answers(tasks, n))
    write_jsonl(folder/'completions.jsonl', found)
    return [(c['text'], t['instances'][0]['text']) for c, t in zip(found[::len(found)//len(tasks)], tasks)]


def main():
    parser = argparse.ArgumentParser()
    for name, default in (("n", 10_000), ("runs", 3), ("sample", 200), ("further", FURTHER)):
        parser.add_argument(f'--{name}', type=int, default=default)
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as d:
        pairs = prepare(Path(d), args.n)[:args.sample]
        for run in range(args.runs):
            wall, used, result = scored(Path(d), run, args.further)
            rows.append((wall, used, *(args.n*s for s in peer(Path(d), pairs))))
        page = (Path(d)/'run0'/'report.html').stat().st_size
    show = lambda found: f'{statistics.median(found):.0f} ({min(found):.0f}, {max(found):.0f})'
    print(f'{args.n} completions; median (least, most) of {args.runs} runs; {os.cpu_count()} cores, '
          f'Python {platform.python_version()}, clingo {version("clingo")}\n')
    print('| | seconds | processor time, s |\n|---|---|---|')
    walls, useds, peers, peer_useds = zip(*rows)
    print(f'| asp_ft evaluate | {show(walls)} | {show(useds)} |')
    print(f'| one `python -m clingo` process a completion, one instance | {show(peers)} | {show(peer_useds)} |')
    ratio = statistics.median(b/a for a, b in zip(useds, peer_useds))
    shares = ', '.join(f'{100*result[k]:.0f} % {k}' for k in ('parsed', 'grounded', 'aligned', 'equal'))
    print(f'\nIn processor time {ratio:.1f} times less than the peer (median of the pairs of runs). The page has '
          f'{page/1e6:.1f} MB. Of the completions are {shares}.')


if __name__ == '__main__': main()
