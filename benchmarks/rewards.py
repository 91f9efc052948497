"""How many rewards a second does the solver give for small programs?

    python benchmarks/rewards.py [--n 2000] [--runs 3]

The programs are answers to problems of the shipped families, as a model that learns writes them: gold programs, gold
programs with other names for their variables, mutants with one small mistake, and texts that do not run. Each is judged
on the instances of its task and on hidden ones. The first figure counts distinct programs, the second a group of eight
samples in which, as in a run, most are the same text.

The peer is what a script would do: one `python -m clingo` process for each program and instance, as many at a time as
there are cores, which only runs the program and compares nothing.
"""
import argparse, os, random, statistics, subprocess, sys, tempfile, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from asp_ft.instances import mutate_many
from asp_ft.problems import generate_problems, nano_families
from asp_ft.rewards import Rewarder


def make_answers(n, seed=42):
    "Tasks, and (task, program) pairs: distinct ones, a mixture as a model writes it."
    rng, tasks = random.Random(seed), []
    problems = list(generate_problems(list(nano_families()), max(8, n//12), seed))
    for i, p in enumerate(problems):
        instances = [dict(name=name, text=text) for name, text in p.instances]
        tasks.append(dict(id=str(i), prompt=[dict(role='user', content=p.nl)], gold=p.asp, inputs=list(p.inputs),
                          outputs=list(p.outputs), instances=instances))
    pairs = []
    for task, mutants in zip(tasks, mutate_many([task['gold'] for task in tasks])):
        texts = [m.program for m in mutants]
        chosen = rng.sample(texts, min(len(texts), 8))
        renamed = task['gold'].replace('X', 'First').replace('Y', 'Second')
        pairs += [(task['id'], text) for text in dict.fromkeys([task['gold'], renamed, task['gold'][:-1], *chosen])]
    return tasks, pairs[:n]


def rate(work, count, runs):
    "The median number of programs a second."
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter()-started)
    return count/statistics.median(seconds)


def peer(tasks, pairs):
    "One process of clingo for each program and instance."
    by_id = {task['id']: task for task in tasks}
    with tempfile.TemporaryDirectory() as d:
        jobs = []
        for k, (id, text) in enumerate(pairs):
            for i, instance in enumerate(by_id[id]['instances']):
                path = Path(d)/f'{k}_{i}.lp'
                path.write_text(text+'\n'+instance['text'], encoding='utf-8')
                jobs.append([sys.executable, '-m', 'clingo', str(path), '0', '--outf=3'])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(lambda job: subprocess.run(job, capture_output=True), jobs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--n', type=int, default=2000, help='distinct programs')
    parser.add_argument('--runs', type=int, default=3, help='of which the median counts')
    args = parser.parse_args()
    tasks, pairs = make_answers(args.n)
    rewarder = Rewarder(tasks)
    ids, texts = [id for id, _ in pairs], [text for _, text in pairs]

    def distinct():
        rewarder.known.clear()
        rewarder(texts, ids)

    groups = [pair for pair in pairs[:len(pairs)//4] for _ in range(4)]

    def repeated():
        rewarder.known.clear()
        rewarder([text for _, text in groups], [id for id, _ in groups])

    distinct()   # warm
    values = [rewarder.known[pair] for pair in pairs]
    print(f'{len(tasks)} tasks, {len(pairs)} programs: {sum(v == 1 for v in values)} right, '
          f'{sum(v is not None and v < 1 for v in values)} wrong, {sum(v is None for v in values)} without a reward')
    ours = rate(distinct, len(pairs), args.runs)
    print(f'distinct programs          {ours:7.0f} rewards/s')
    print(f'each four times            {rate(repeated, len(groups), args.runs):7.0f} rewards/s')
    few = pairs[:40]
    theirs = rate(lambda: peer(tasks, few), len(few), 1)
    print(f'a process each, given only {theirs:7.1f} programs/s; ratio {ours/theirs:.0f}')


if __name__ == '__main__': main()
