"""Write tasks that ask a model to mend wrong programs, with and without what the solver says of them.

    python benchmarks/repair.py tasks.jsonl --out mistakes [--wrong wrong.jsonl] [--n 200] [--seed 42]

Without --wrong the programs are gold programs with one seeded mistake, of the kinds that beginners make; with it each
line of the file is {"id": the task, "program": the text}. Two folders are written, `told` and `bare`, each with a
tasks.jsonl for `asp_ft generate` and `asp_ft evaluate`. Their share of equal answers is the share of programs that were
mended.
"""
import argparse, sys
from pathlib import Path

from asp_ft.augment import propose_repairs, repair_tasks
from asp_ft.core import AspFtError, read_jsonl, write_jsonl


def seeded(tasks, n, seed):
    "(id, program) of `n` wrong programs, spread evenly over the tasks."
    step = max(1, len(tasks)//n)
    chosen = tasks[::step][:n]
    proposals = zip(chosen, propose_repairs(chosen, 'repair', seed))
    return [(task['id'], proposal.wrong) for task, proposal in proposals if proposal.wrong]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('tasks', help='tasks.jsonl, as asp_ft convert writes it')
    parser.add_argument('--out', required=True, type=Path, help='the folder to write')
    parser.add_argument('--wrong', help='wrong programs, one {"id", "program"} a line')
    parser.add_argument('--n', type=int, default=200, help='seeded mistakes (default: 200)')
    parser.add_argument('--seed', type=int, default=42, help='of the mistakes (default: 42)')
    args = parser.parse_args()
    try:
        tasks = read_jsonl(args.tasks)
        if args.wrong: wrong = [(row['id'], row['program']) for row in read_jsonl(args.wrong)]
        else: wrong = seeded(tasks, args.n, args.seed)
    except (AspFtError, KeyError) as error: sys.exit(f'repair.py: {error}')
    known = {task['id'] for task in tasks}
    if lost := sorted({id for id, _ in wrong if id not in known}):
        sys.exit(f"{args.wrong}: no such task: {', '.join(lost[:3])}; the ids are those of {args.tasks}")
    for told, name in ((True, 'told'), (False, 'bare')):
        (args.out/name).mkdir(parents=True, exist_ok=True)
        rows = repair_tasks(tasks, wrong, told)
        write_jsonl(args.out/name/'tasks.jsonl', rows)
    print(f'{args.out}: {len(rows)} wrong programs of {len({id for id, _ in wrong})} tasks; '
          f'{len(wrong)-len(rows)} left out, which the solver does not find different')


if __name__ == '__main__': main()
