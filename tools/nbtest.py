#!/usr/bin/env python3
"""Run the notebooks the way `nbdev_test` does, each in a fresh process with a time limit, and count their test cells.

A test cell is an executed code cell that is not exported and holds an `assert` or a call `test_*(...)`.
Skipped as in `nbdev_test`: `#| eval: false`, flags of `tst_flags` in settings.ini that are not named with --flags,
front matter `skip_exec`, folders with a `.notest` file, names that begin with `_` or `.`.
A notebook that exports code and runs no test cell is a failure, and so is one that leaves the log silenced. The
largest notebooks begin, since they take longest. What was not tried is listed at the end: cells behind a flag, and what
a cell itself says in a line that begins with `not tried: `. The last line is always `N passed, N failed`.
"""
import argparse, ast, json, logging, os, subprocess, sys, time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

EXPORTS = {'export', 'exports', 'exporti'}
LIMIT = 1200     # seconds one notebook may take; nbdev_test has no limit at all
MARK = '@@report '
UNTRIED = 'not tried: '  # begins a line of a cell that has found something missing


def is_test(cell):
    "Whether `cell` checks something"
    if cell.cell_type != 'code' or (cell.directives_ or {}).keys() & (EXPORTS | {'default_exp'}): return False
    try: trees = cell.parsed_() or []
    except SyntaxError: return False
    name = lambda f: getattr(f, 'attr', getattr(f, 'id', ''))
    return any(isinstance(n, ast.Assert) or isinstance(n, ast.Call) and name(n.func).startswith('test_')
               for tree in trees for n in ast.walk(tree))


def notebook(fn):
    "The processed notebook at `fn` and whether its front matter switches it off"
    from fastcore.basics import str2bool
    from nbdev.frontmatter import FrontmatterProc
    from nbdev.process import NBProcessor, nb_lang
    nb = NBProcessor(fn, procs=FrontmatterProc, process=True).nb
    return nb, str2bool(getattr(nb, 'frontmatter_', {}).get('skip_exec', False)) or nb_lang(nb) != 'python'


def run_cells(nb, shell, skip, report):
    "Run the cells of `nb` in `shell` (None: none of them) and count the tests in `report`"
    for cell in nb.cells:
        if cell.cell_type != 'code' or 'nbdev_export'+'(' in cell.source: continue
        directives, test = cell.directives_ or {}, is_test(cell)
        report['exports'] |= bool(EXPORTS & directives.keys())
        off = shell is None or directives.get('eval:', [''])[0].lower() == 'false' or skip & directives.keys()
        if off:
            report['skipped'] += test
            if test: report['untried'] += [f'cells flagged {name}' for name in sorted(skip & directives.keys())]
        elif report['error']: report['unreached'] += test
        else:
            cell.outputs = []  # stored ones may be of another machine
            shell.cell(cell)
            report['untried'] += untried(cell)
            if shell.exc: report.update(error=shell.prettytb(fname=nb.path_), failed=1)     # also outside a test cell
            else: report['passed'] += test


def untried(cell):
    "What a cell that was run says it has not tried"
    shown = ''.join(''.join(out.get('text', '')) for out in cell.outputs if out.get('output_type') == 'stream')
    return [line.removeprefix(UNTRIED) for line in shown.splitlines() if line.startswith(UNTRIED)]


def run_one(fn, flags):
    "Run one notebook in this process and print its report as JSON"
    os.environ['IN_TEST'] = '1'
    from execnb.shell import CaptureShell
    from nbdev.config import get_config
    cfg, fn, start = get_config(), Path(fn).absolute(), time.time()
    sys.path.insert(0, str(cfg.config_path))
    report = empty(str(fn.relative_to(cfg.nbs_path)), failed=0)
    nb, off = notebook(fn)
    os.chdir(fn.parent)
    run_cells(nb, None if off else CaptureShell(fn), set(cfg.tst_flags.split()) - set(flags), report)
    if report['exports'] and not (report['passed'] or report['error']):
        report.update(failed=1, error='exports code and runs no test cell')
    if not report['error'] and (left := silenced()): report.update(failed=1, error=left)
    report['seconds'] = round(time.time()-start, 1)
    sys.__stdout__.write(f'\n{MARK}{json.dumps(report)}\n')
    sys.__stdout__.flush()


def silenced():
    "What would silence the warnings of a notebook that `nbdev_test` runs in the same process"
    log = logging.getLogger('asp_ft')
    if log.level or log.disabled or not log.propagate or logging.root.manager.disable:
        return 'leaves the log of asp_ft changed (level, disabled, propagate): set it back in a cell that is always run'
    return ''


def empty(name, **values):
    "A report with nothing counted"
    counts = dict(notebook=name, passed=0, failed=1, unreached=0, skipped=0, exports=False, error='', seconds=0.)
    return counts | dict(untried=[]) | values


def run_apart(fn, flags, timeout, threads):
    "Run one notebook in a process of its own, with its share of the processors"
    command = [sys.executable, __file__, '--one', str(fn), '--flags', flags]
    env = dict(OMP_NUM_THREADS=str(threads)) | os.environ
    try: done = subprocess.run(command, text=True, timeout=timeout, capture_output=True, stdin=subprocess.DEVNULL,
                               env=env)
    except subprocess.TimeoutExpired: return empty(fn.name, error=f'still running after {timeout} s')
    lines = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if lines: return json.loads(lines[-1].removeprefix(MARK))
    return empty(fn.name, error=f'the process ended with {done.returncode} and no report\n{done.stderr[-3000:]}')


def show(report):
    "One line a notebook, and its error below"
    state = 'FAIL' if report['failed'] else 'ok'
    print(f"{state:4} {report['notebook']}: {report['passed']} passed, {report['failed']} failed, "
          f"{report['unreached']} not reached, {report['skipped']} skipped ({report['seconds']} s)", flush=True)
    if report['error']: print(report['error'], file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('notebooks', nargs='*', type=Path, help='all of them when none is named')
    parser.add_argument('--flags', default='', help='flags whose cells run too, such as "slow"')
    parser.add_argument('-n', type=int, default=min(os.cpu_count() or 1, 4), help='notebooks at a time')
    parser.add_argument('--timeout', type=float, default=LIMIT, help='seconds for one notebook')
    parser.add_argument('--one', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one: return run_one(args.one, args.flags.split())
    from nbdev.doclinks import nbglob
    files = args.notebooks or sorted(nbglob(as_path=True))
    files = [fn for fn in files if not (fn.parent/'.notest').exists()]
    files.sort(key=lambda fn: fn.stat().st_size, reverse=True)
    reports, threads = [], max(1, (os.cpu_count() or 1)//max(1, min(args.n, len(files))))
    with ThreadPoolExecutor(max(1, args.n)) as pool:
        for report in pool.map(lambda fn: run_apart(fn, args.flags, args.timeout, threads), files):
            reports.append(report); show(report)
    total = lambda key: sum(report[key] for report in reports)
    found = Counter((report['notebook'], what) for report in reports for what in report['untried'])
    for (name, what), n in found.items(): print(f"{UNTRIED}{name}: {what}{f' ({n})' if n > 1 else ''}")
    print(f"{len(files)} notebooks; test cells not reached: {total('unreached')}, skipped: {total('skipped')}")
    print(f"{total('passed')} passed, {total('failed') + total('unreached')} failed", flush=True)
    sys.exit(1 if total('failed') or not files else 0)


if __name__ == '__main__': main()
