"""Turn public sets of problems into tasks that a model can answer and the solver can judge.

    git clone https://github.com/RicardoBrancas/formhe              # BSD-3-Clause
    python benchmarks/public.py formhe formhe --out public/formhe
    git clone https://github.com/azreasoners/gpt-asp-rules          # MIT
    python benchmarks/public.py puzzles gpt-asp-rules --out public/puzzles

Nothing of either set is shipped here: the folder is one that you have fetched. Written is a folder `tasks`, as
`asp_ft convert` writes it, and the two lines that let a model answer and the solver judge are printed.

FormHe has problems of a course with what students handed in. Their programs are compared with the gold program, which
judges the judge: how many of the right ones are found equal, how many of the wrong ones different. The wrong ones go
into wrong.jsonl, for `python benchmarks/repair.py … --wrong`.

The puzzles come with a table of their one solution. A task asks for `match` with a column for each group, in the order
in which the puzzle names the groups, and strings as they stand there; gold is the table.
"""
import argparse, re, shutil, sys
from pathlib import Path

import yaml
from asp_ft.core import AspFtError, read_jsonl, write_jsonl
from asp_ft.data_converter import convert
from asp_ft.solver import RUNS, check, compare_many
from asp_ft.syntax import Task


def formhe_program(path):
    "The problem that a program of FormHe belongs to, and its text without the notes of the tool."
    text = path.read_text(encoding='utf-8')
    named = re.search(r'^%formhe-problem:\s*(\w+)', text, re.M)
    return named and named[1], re.sub(r'^%formhe.*\n?', '', text, flags=re.M).strip()


def formhe_rows(folder):
    "A row for each problem; inputs that clingo cannot read are left out, and named."
    for path in sorted((folder/'problems').glob('*.yaml')):
        told = yaml.safe_load(path.read_text(encoding='utf-8'))
        instances = [dict(name=f'input-{i}', text=text.strip()) for i, text in enumerate(told['inputs'], 1)]
        broken = [one['name'] for one in instances if check(one['text']).outcome not in RUNS]
        if broken: print(f"{path.name}: {', '.join(broken)} left out, clingo cannot read it")
        constants = [name for key in ('input_constants', 'inputs_constants') for name in told.get(key, [])]
        inputs = [name for name in told['input_predicates'] if not name.endswith('/0')]
        yield dict(id=told['name'], description=told.get('description') or told['descriptions'],
                   program=formhe_program(folder/told['canon_implementation'])[1], inputs=inputs, constants=constants,
                   outputs=told['output_predicates'], instance=[one for one in instances if one['name'] not in broken])


def handed_in(folder, name):
    "(problem, program) for each program below a folder of FormHe, in the folders of its two years."
    found = [formhe_program(path) for path in sorted((folder/name/'mooshak').glob('*/*.lp'))]
    return [(problem, program) for problem, program in found if problem]


def judge_programs(tasks, pairs):
    "How often each verdict is found for programs of known problems."
    by_problem = {task['problem'].rpartition('/')[2]: task for task in tasks}
    known = [(by_problem[problem], program) for problem, program in pairs if problem in by_problem]
    verdicts = compare_many([(program, task['gold'], Task.from_dict(task)) for task, program in known], together=True)
    found = [verdict.verdict for verdict in verdicts]
    return {verdict: found.count(verdict) for verdict in sorted({*found})}


def formhe(folder, out):
    "Tasks of FormHe, and what the solver says of the programs that come with them."
    write_jsonl(out/'rows.jsonl', formhe_rows(folder))
    convert([out/'rows.jsonl'], out/'tasks', test_fraction=1)
    tasks = read_jsonl(out/'tasks'/'tasks.jsonl')
    right, wrong = handed_in(folder, 'correct_instances'), handed_in(folder, 'instances')
    print('handed in as right:', judge_programs(tasks, right))
    print('handed in as wrong:', judge_programs(tasks, wrong))
    ids = {task['problem'].rpartition('/')[2]: task['id'] for task in tasks}
    rows = [dict(id=ids[problem], program=program) for problem, program in wrong if problem in ids]
    write_jsonl(out/'wrong.jsonl', rows)


def read_puzzle(text):
    "The story, groups with their values, and clues of a puzzle, without the marks of those that were annotated."
    text = text.split('\n###')[0]
    story, *parts = re.split(r'^::', text, flags=re.M)
    groups, clues = {}, []
    for part in parts:
        name, *lines = [line.strip() for line in part.strip().splitlines()]
        groups[name.lower()] = [line for line in lines if line and not re.match(r'\d+\.\s', line)]
        clues += [line for line in lines if re.match(r'\d+\.\s', line)]
    return story.strip(), groups, clues


def read_solution(text):
    "The header of a table, and its rows."
    header, *rows = [[cell.strip() for cell in line.split('\t')] for line in text.strip().splitlines()]
    return [name.lower() for name in header], rows


def quoted(value): return '"'+value.replace('"', '\\"')+'"'


def puzzle_rows(folder):
    "A row for each puzzle that has a solution whose table fits it; the others are counted."
    files = {path.name.lower(): path for path in folder.rglob('*.txt')}
    left = 0
    for name, path in sorted(files.items()):
        if name.startswith('sol_') or '::' not in (text := path.read_text(encoding='utf-8', errors='replace')): continue
        solution = files.get('sol_'+name.removeprefix('annotated_'))
        story, groups, clues = read_puzzle(text)
        header, table = read_solution(solution.read_text(encoding='utf-8')) if solution else ((), [])
        values = {(group, cell) for row in table for group, cell in zip(header, row)}
        if set(header) != set(groups) or values != {(group, value) for group, some in groups.items() for value in some}:
            left += 1
            continue
        order = [header.index(group) for group in groups]
        facts = [f"match({', '.join(quoted(row[i]) for i in order)})." for row in table]
        listed = [f"{group}: {', '.join(map(quoted, some))}" for group, some in groups.items()]
        asked = f"Derive match({', '.join(group.capitalize() for group in groups)}) for each row of the solution."
        yield dict(id=path.stem, description='\n'.join([story, *listed, *clues, asked]), program='\n'.join(facts),
                   inputs=[], outputs=[f'match/{len(groups)}'], instance=[dict(name='none', text='')])
    if left: print(f'{left} puzzles left out: no solution, or one with other values')


def puzzles(folder, out):
    "Tasks of the puzzles."
    write_jsonl(out/'rows.jsonl', puzzle_rows(folder))
    convert([out/'rows.jsonl'], out/'tasks', test_fraction=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('name', choices=('formhe', 'puzzles'))
    parser.add_argument('folder', type=Path, help='where the set lies')
    parser.add_argument('--out', required=True, type=Path, help='the folder to write')
    args = parser.parse_args()
    if not args.folder.is_dir(): parser.error(f'{args.folder}: no such folder; fetch it first')
    shutil.rmtree(args.out/'tasks', ignore_errors=True)
    args.out.mkdir(parents=True, exist_ok=True)
    try: dict(formhe=formhe, puzzles=puzzles)[args.name](args.folder, args.out)
    except (AspFtError, KeyError, OSError) as error: sys.exit(f'{args.folder}: not as it was published: {error}')
    tasks = f'--tasks {args.out}/tasks/tasks.jsonl --out {args.out}/MODEL'
    print(f'asp_ft generate --model MODEL {tasks}')
    print(f'asp_ft evaluate {args.out}/MODEL/completions.jsonl {tasks}')


if __name__ == '__main__': main()
