"""Make the figures of the page of results again, or one of them.

    python benchmarks/results.py --list
    python benchmarks/results.py nano-tuned-kinds [more names …] [--work work]

The runs, the steps that they need and all their commands stand in nbs/tutorials/results/runs.yaml. Everything is
written below one working folder, in which the commands are carried out; steps that were made are not made again. The
figures of a run go into nbs/tutorials/results/NAME.json; the page nbs/tutorials/results.ipynb shows what lies there.
Time is that of the processor, all processes of a command together.
"""
import argparse, csv, json, os, resource, shlex, subprocess, sys
from pathlib import Path

import yaml
from asp_ft.core import file_hash, read_json, write_json, write_jsonl, write_text
from asp_ft.problems import CORPUS, nano_families, problem_rows, problems

REPOSITORY = Path(__file__).resolve().parents[1]
RESULTS = REPOSITORY/'nbs'/'tutorials'/'results'
WEAK = ('usually+tally', 'dominate', 'difference+assign', 'either+forbid')
TABLE_KINDS = 'compose difference either reach assign forbid colour tally'.split()


def with_seeds(entries):
    "name -> entry, those with `seeds` once for each."
    found = {}
    for name, entry in entries.items():
        for seed in entry.get('seeds', [None]):
            filled = json.loads(json.dumps(entry).replace('{seed}', str(seed)))
            found[name.replace('{seed}', str(seed))] = filled
    return found


def read_plan(path=RESULTS/'runs.yaml'):
    "Steps, and runs: a run for each setting and each of its sets of tasks."
    plan = yaml.safe_load(path.read_text(encoding='utf-8'))
    runs = {}
    for name, run in with_seeds(plan['runs']).items():
        for key in run['tasks']:
            tasks, folder = plan['tasks'][key], f'{name}-{key}'
            elected = '--choose' in run['generate']
            answers = 'completions.chosen.jsonl' if elected else 'completions.jsonl'
            verdicts = f'{folder}/chosen' if elected else folder
            commands = [f"asp_ft generate {run['generate']} --tasks {tasks['file']} --out {folder}",
                        f"asp_ft evaluate {folder}/{answers} --tasks {tasks['file']} --out {verdicts} --no-show"]
            needs = [*dict.fromkeys(run.get('needs', [])+tasks['needs'])]
            runs[folder] = dict(model=run['model'], setting=run['setting'], tasks=key, needs=needs, commands=commands,
                                verdicts=verdicts)
    return with_seeds(plan['steps']), runs


def carry_out(commands, work):
    "Run commands in a folder, and return the seconds of processor time that they took."
    others = [f'--family {name}' for name in nano_families() if name not in WEAK]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        print(f'$ {command}', flush=True)
        words = shlex.split(command.format(corpus=CORPUS, others=' '.join(others)))
        if words[0] == 'python': words = [sys.executable, str(REPOSITORY/words[1]), *words[2:]]
        else: words = [sys.executable, '-c', 'from asp_ft.cli import main; main()', *words[1:]]
        if subprocess.run(words, cwd=work).returncode: sys.exit(f'this command failed: {command}')
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime+after.ru_stime-before.ru_utime-before.ru_stime)


def make_step(name, steps, work):
    "Carry out a step, and those that it needs, once; its seconds and theirs."
    step, record = steps[name], work/f'{name}.step.json'
    seconds = {}
    for needed in step.get('needs', []):
        seconds |= make_step(needed, steps, work)
    if not record.exists():
        write_json(record, dict(seconds=carry_out(step['commands'], work), commands=step['commands']))
    return seconds | {name: read_json(record)['seconds']}


def make_run(name, steps, run, work):
    "Carry out a run, and write its figures."
    seconds = {}
    for needed in run['needs']:
        seconds |= make_step(needed, steps, work)
    own = carry_out(run['commands'], work)
    scores = read_json(work/run['verdicts']/'scores.json')
    families = {family: [round(s['equal']*s['n']), s['n']] for family, s in sorted(scores['by_family'].items())}
    versions = scores['manifest']['versions']
    found = dict(
        model=run['model'], setting=run['setting'], tasks=run['tasks'], commands=run['commands'], needs=seconds,
        seconds=own, n=scores['n'], equal=round(scores['equal']*scores['n']), interval=scores['interval']['equal'],
        unknown=round(scores['unknown']*scores['n']), copy_errors=round(scores['copy_error']*scores['n']),
        families=families, completions=file_hash(work/name/'completions.jsonl'),
        versions={k: versions[k] for k in ('asp_ft', 'clingo', 'torch', 'transformers') if k in versions})
    lines = ',\n'.join(f' {json.dumps(key)}: {json.dumps(value)}' for key, value in found.items())
    write_text(RESULTS/f'{name}.json', f'{{\n{lines}\n}}\n')


def write_tables(folder):
    "The table of the chapter on a real model: table.csv to train on, held_out.jsonl to judge by."
    problems(folder/'train', TABLE_KINDS, 150*len(TABLE_KINDS), 42)
    problems(folder/'test', TABLE_KINDS, 30*len(TABLE_KINDS), 7, 'test')
    with open(folder/'table.csv', 'w', newline='', encoding='utf-8') as file:
        table = csv.DictWriter(file, ['id', 'description', 'program', 'instance'])
        table.writeheader()
        for row in problem_rows(folder/'train'):
            table.writerow(row | dict(instance=row['instance'][0]['text']))
    write_jsonl(folder/'held_out.jsonl', problem_rows(folder/'test'))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('names', nargs='*', help='runs to make; --list shows them')
    parser.add_argument('--work', default='work', type=Path, help='the folder to work in (default: work)')
    parser.add_argument('--list', action='store_true', help='show the runs and their commands')
    parser.add_argument('--tables', type=Path, help='only write the table of the chapter on a real model there')
    args = parser.parse_args()
    steps, runs = read_plan()
    if args.tables: return write_tables(args.tables)
    if args.list:
        for name, run in runs.items(): print(name, *run['commands'], sep='\n    ')
    if unknown := [name for name in args.names if name not in runs]:
        parser.error(f"unknown: {', '.join(unknown)}; --list shows the runs")
    args.work.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
    for name in args.names:
        make_run(name, steps, runs[name], args.work)


if __name__ == '__main__': main()
