#!/usr/bin/env python3
"""The gates of the project: what must hold of every commit beside passing tests. The tree itself is not touched.

The last line is `N passed, N failed`; the exit code is 1 where a gate fails.
"""
import ast, contextlib, filecmp, importlib, inspect, io, json, math, os, re, resource, shutil, subprocess, sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINE, FUNCTION = 120, 60        # characters a line; lines a function, with a line for each argument
OUTPUTS = 200_000               # bytes of outputs a notebook may hold
HELP = 0.5                      # CPU seconds `asp_ft --help` may take
HEAVY = {'torch', 'transformers', 'mlx', 'mlx_lm', 'datasets', 'peft', 'trl', 'matplotlib', 'pandas', 'distributed'}
OF_EXTRAS = {'estimate', 'train_pytorch', 'train_mlx', 'export', 'exports', 'policy', 'trunk', 'prefixes',
             'engines', 'estimate_mlx', 'nano'}   # of extras
MACHINE = re.compile(r'(?<![\w.:/])/(?:root|home|Users|tmp|private|var/folders|work|opt)/[\w.~-]+')
PYTHON = [sys.executable, '-W', 'error::SyntaxWarning']


def run(*command, cwd=ROOT):
    "Output of a command that must succeed"
    env, words = dict(os.environ, PYTHONPATH=str(cwd), HF_HUB_OFFLINE='1'), [*map(str, command)]
    done = subprocess.run(words, cwd=cwd, text=True, capture_output=True, stdin=subprocess.DEVNULL, env=env)
    if done.returncode: raise RuntimeError(f'{" ".join(words)}: exit code {done.returncode}\n{done.stderr[-3000:]}')
    return done.stdout


def tree_files():
    "The files of the working tree that git does not ignore"
    names = run('git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0')
    return [Path(name) for name in names if name and os.path.lexists(ROOT/name)]


def copy_tree(to):
    "A copy of the working tree"
    for name in tree_files():
        (to/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, to/name, follow_symlinks=False)
    return to


def differing(copy, pattern):
    "Files matching `pattern` that are not the same in the tree and in `copy`"
    names = {p.relative_to(top) for top in (ROOT, copy) for p in top.glob(pattern) if '__pycache__' not in p.parts}
    return [str(n) for n in sorted(names)
            if not ((ROOT/n).exists() and (copy/n).exists() and filecmp.cmp(ROOT/n, copy/n, shallow=False))]


def in_copy(pattern, remedy, *command):
    "What `command` changes in the files matching `pattern`"
    with tempfile.TemporaryDirectory() as tmp:
        copy = copy_tree(Path(tmp))
        run(*command, cwd=copy)
        return [f'{name} changes: {remedy}' for name in differing(copy, pattern)]


def clean():
    "nbdev_clean leaves the notebooks as they are"
    command = 'from nbdev.clean import nbdev_clean; nbdev_clean()'
    return in_copy('nbs/**/*.ipynb', 'run nbdev_clean', *PYTHON, '-c', command)


def export():
    "nbdev_export leaves the modules as they are"
    command = 'from nbdev.doclinks import nbdev_export; nbdev_export()'
    return in_copy('asp_ft/*.py', 'run nbdev_export', *PYTHON, '-c', command)


def readme():
    "README.md is what index.ipynb says, and its links resolve"
    return in_copy('README.md', 'run python tools/docs.py --readme', *PYTHON, 'tools/docs.py', '--readme')


def figures():
    "README.md shows the table that the demo ended with in 24_cli.ipynb"
    cells = json.loads((ROOT/'nbs/24_cli.ipynb').read_text(encoding='utf-8'))['cells']
    printed = [''.join(o.get('text', '')) for c in cells for o in c.get('outputs', [])]
    tables = [text[text.index('NEW KINDS'):].split('\n\ndata ')[0] for text in printed if 'NEW KINDS' in text]
    readme_text = (ROOT/'README.md').read_text(encoding='utf-8')
    if not tables: yield '24_cli.ipynb: no output holds the table'
    elif tables[0] not in readme_text: yield 'README.md has another table: run index.ipynb again, then tools/docs.py'


def notebooks():
    "Notebooks begin with `# Title` and `> description`; outputs are small, without errors, warnings and machine paths"
    for path in sorted((ROOT/'nbs').rglob('*.ipynb')):
        if any(part[0] in '._' for part in path.relative_to(ROOT).parts): continue
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        first = ''.join(next(c for c in cells if c['cell_type'] != 'raw')['source'])
        titled = re.fullmatch(r'# [^\n]+\n+> [^\n]+\n*', first)
        if not titled: yield f'{path.name}: the first cell is not `# Title` and `> description` alone'
        outputs = [o for c in cells for o in c.get('outputs', [])]
        text = json.dumps(outputs, ensure_ascii=False)
        bytes_ = len(text.encode())
        if bytes_ > OUTPUTS: yield f'{path.name}: {bytes_} bytes of outputs, {OUTPUTS} are allowed'
        if any(o['output_type'] == 'error' for o in outputs): yield f'{path.name}: an output is an error'
        if any(o.get('name') == 'stderr' for o in outputs): yield f'{path.name}: an output is on stderr'
        for m in sorted(set(MACHINE.findall(text))): yield f'{path.name}: machine path {m} in an output'


def mixed(source):
    "Whether a cell mixes imports and other code: the documentation runs it, out of its order, for the imports"
    if re.search(r'^#\|\s*(export|exports|exporti|eval:\s*false)\b', source, re.M): return False
    try: nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError: return False       # a cell with magics
    has = lambda *kinds: any(isinstance(node, kinds) for node in nodes)
    return has(ast.Import, ast.ImportFrom) and has(ast.Expr, ast.Assign)


def imports():
    "In notebooks, imports stand in cells of their own"
    for path in sorted((ROOT/'nbs').rglob('*.ipynb')):
        for i, cell in enumerate(json.loads(path.read_text(encoding='utf-8'))['cells']):
            found = cell['cell_type'] == 'code' and mixed(''.join(cell['source']))
            if found: yield f'{path.name}: cell {i} mixes imports and other code'


def modules():
    "Paths of the library's modules"
    return [p for p in sorted((ROOT/'asp_ft').glob('*.py')) if p.name != '_modidx.py']


def size():
    "Lines and functions are short"
    for path in [*modules(), *sorted(ROOT.glob('tools/*.py')), *sorted(ROOT.glob('benchmarks/*.py'))]:
        source = path.read_text(encoding='utf-8')
        nodes = list(ast.walk(ast.parse(source)))
        names = [n for n in nodes if isinstance(n, ast.Assign) and getattr(n.targets[0], 'id', '') == '__all__']
        generated = {i for n in names for i in range(n.lineno, n.end_lineno+1)}      # nbdev's list of names
        for i, line in enumerate(source.splitlines(), 1):
            if len(line) > LINE and i not in generated: yield f'{path.name}:{i}: {len(line)} characters'
        for node in nodes:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)): continue
            lines = node.end_lineno - node.lineno + 1
            if lines > FUNCTION: yield f'{path.name}:{node.lineno}: {node.name} has {lines} lines'


def script_errors(path):
    "What Node.js says about a script; nothing, and a word about it, where there is no Node.js"
    if not shutil.which('node'): print('no node on the PATH: scripts are not parsed', file=sys.stderr); return []
    said = subprocess.run(['node', '--check', path], text=True, capture_output=True).stderr.strip()
    return [said] if said else []


def style_errors(path):
    "What a parser of CSS says about a style sheet, and about each rule and declaration in it"
    text = path.read_text(encoding='utf-8')
    if text.count('{') != text.count('}'): yield ' as many { as } are expected'     # at the end a parser forgives it
    try: import tinycss2 as css
    except ImportError: print('no tinycss2 installed: style sheets are not parsed', file=sys.stderr); return
    todo = css.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
    while todo:
        node = todo.pop()
        if node.type == 'error': yield f'{node.source_line}: {node.message}'
        if node.type == 'declaration' and not css.serialize(node.value).strip():
            yield f'{node.source_line}: {node.name} has no value'
        if not (inside := getattr(node, 'content', None)): continue
        rules = getattr(node, 'lower_at_keyword', '') in ('media', 'supports')     # the others hold declarations
        parse = css.parse_stylesheet if rules else css.parse_blocks_contents
        todo += parse(inside, skip_comments=True, skip_whitespace=True)


def web():
    "The files that pages are made of can be parsed, and their lines are short"
    parsers = {'.js': script_errors, '.css': style_errors}
    for path in sorted((ROOT/'asp_ft'/'web').iterdir()):
        for i, line in enumerate(path.read_text(encoding='utf-8').splitlines(), 1):
            if len(line) > LINE: yield f'{path.name}:{i}: {len(line)} characters'
        if path.suffix not in parsers: yield f'{path.name}: nothing here can parse {path.suffix}'; continue
        for error in parsers[path.suffix](path): yield f'{path.name}:{error}'


def public(module):
    "The public functions, classes and methods of `module`, by name"
    for name in module.__all__:
        o = getattr(module, name)
        defined = inspect.isfunction(o) or inspect.isclass(o)
        if not defined or o.__module__ != module.__name__: continue
        yield name, o
        for key, method in vars(o).items() if inspect.isclass(o) else ():
            if inspect.isfunction(method) and not key.startswith('_'): yield f'{name}.{key}', method


def docments():
    "Every public function has a docstring, and a comment for each argument"
    from fastcore.docments import docments as comments
    sys.path.insert(0, str(ROOT))
    for path in modules():
        module = importlib.import_module(f'asp_ft.{path.stem}'.removesuffix('.__init__'))
        for name, o in public(module) if hasattr(module, '__all__') else ():
            if not inspect.getdoc(o): yield f'{path.name}: {name} has no docstring'
            if inspect.isclass(o) and ('__init__' not in vars(o) or issubclass(o, Exception)): continue
            found = comments(o, full=True, args_kwargs=True)
            bare = [k for k, d in found.items() if k not in ('self', 'cls', 'return') and not d.docment]
            if bare: yield f'{path.name}: {name} says nothing about {", ".join(bare)}'


def light():
    "Importing the library loads no heavy package, but for the modules that train, estimate and export"
    names = ['asp_ft'] + [f'asp_ft.{p.stem}' for p in modules() if p.stem not in {'__init__', *OF_EXTRAS}]
    code = f'import json, sys, {", ".join(names)}; print(json.dumps(list(sys.modules)))'
    loaded = set(json.loads(run(*PYTHON, '-c', code)))
    return [f'import asp_ft loads {name}' for name in sorted(loaded & HEAVY)]


def quick_help():
    "`asp_ft --help` is quick and loads no heavy package"
    code = ("import json, sys; from asp_ft.cli import main; sys.argv = ['asp_ft', '--help']\n"
            "try: main()\nexcept SystemExit as e: assert not e.code, e.code\n"
            "print('\\n' + json.dumps(list(sys.modules)))")
    used = lambda: sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])     # CPU time, also on a busy machine
    loaded, times = set(), []
    for _ in range(5):
        start = used()
        loaded |= set(json.loads(run(sys.executable, '-c', code).splitlines()[-1]))
        times.append(used()-start)
    best = min(times)
    if best > HELP: yield f'asp_ft --help takes {best:.2f} s at its best of {len(times)}, {HELP} s are allowed'
    for name in sorted(loaded & HEAVY): yield f'asp_ft --help loads {name}'


def machine_paths():
    "No file of the repository holds a path of the machine it was written on"
    for name in tree_files():
        if name.suffix == '.ipynb' or name.name == 'check.py' or (ROOT/name).is_symlink(): continue
        try: text = (ROOT/name).read_text(encoding='utf-8')
        except UnicodeDecodeError: continue     # weights and other binary files
        for i, line in enumerate(text.splitlines(), 1):
            for m in MACHINE.findall(line): yield f'{name}:{i}: {m}'


NOT_YET = ROOT/'tools'/'not_yet.json'    # figures that notebooks may reach until they are rewritten
RHYTHM = dict(wide=0, several=12, stretch=80)    # long lines; % of cells with several definitions; exported lines
EXPORTED = re.compile(r'^#\|\s*(export|exports|exporti)\b', re.M)
HIDDEN = re.compile(r'^#\|\s*hide\b', re.M)
TAG = re.compile(r'</?(?:html|head|body|div|span|p|pre|br|hr|h[1-6]|ul|ol|li|table|thead|tbody|tr|td|th|img|svg|button|'
                 r'input|style|script|link|meta|title|details|summary|section)(?:\s+[\w-]+=[^<>]*)?/?>|<a\s+href')


def library_notebooks():
    "(path, [(number of the cell, source)]) of the code cells of each notebook that is part of the documentation"
    for path in sorted((ROOT/'nbs').rglob('*.ipynb')):
        if any(part[0] in '._' for part in path.relative_to(ROOT).parts): continue
        cells = json.loads(path.read_text(encoding='utf-8'))['cells']
        yield path, [(i, ''.join(cell['source'])) for i, cell in enumerate(cells) if cell['cell_type'] == 'code']


def parse_cell(source):
    "The syntax tree of a cell; an empty one where it holds magics"
    try: return ast.parse(source)
    except SyntaxError: return ast.parse('')


def wide_lines(cells):
    "(number, what is wrong) of the lines over `LINE` characters"
    wide = [(i, len(line)) for i, source in cells for line in source.splitlines() if len(line) > LINE]
    return len(wide), [f'cell {i}: a line has {length} characters, {LINE} are allowed: break it' for i, length in wide]


def cells_with_several(cells):
    "(share in percent, what is wrong) of the exported cells that define more than one thing"
    counts = {}
    for i, source in cells:
        if not EXPORTED.search(source): continue
        kinds = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
        counts[i] = sum(isinstance(node, kinds) for node in parse_cell(source).body)
    several = [i for i, n in counts.items() if n > 1]
    share = 100*len(several)/max(1, sum(n > 0 for n in counts.values()))
    return share, [f'cell {i} defines {counts[i]} things: give each a cell, and run it' for i in several]


def longest_stretch(cells):
    "(lines, what is wrong) of the longest exported stretch without a visible run"
    longest, begin, lines, first = 0, 0, 0, 0
    for i, source in cells:
        if EXPORTED.search(source):
            if not lines: first = i
            lines += sum(bool(line.strip()) and not line.startswith('#|') for line in source.splitlines())
            if lines > longest: longest, begin = lines, first
        elif not HIDDEN.search(source): lines = 0
    message = f'cell {begin}: {longest} exported lines from here on without a visible run: show or test them earlier'
    return longest, [message]


FIGURES = dict(wide=wide_lines, several=cells_with_several, stretch=longest_stretch)


def notebook_figures():
    "{notebook: {figure: (value, what is wrong)}}"
    return {str(path.relative_to(ROOT/'nbs')): {name: measure(cells) for name, measure in FIGURES.items()}
            for path, cells in library_notebooks()}


def rhythm():
    "Notebooks have short lines, one definition a cell, and show what they export (but for tools/not_yet.json)"
    not_yet = json.loads(NOT_YET.read_text(encoding='utf-8'))
    for notebook, measured in notebook_figures().items():
        for name, (value, errors) in measured.items():
            allowed = max(RHYTHM[name], not_yet.get(notebook, {}).get(name, 0))
            if value <= allowed: continue
            yield f'{notebook}: {name} is {value:.3g}, {allowed} is allowed'
            for error in errors: yield f'  {notebook}: {error}'


def lower_ceilings():
    "Write into not_yet.json what has been reached: its limits fall and never rise. Without the file all are set anew"
    old = json.loads(NOT_YET.read_text(encoding='utf-8')) if NOT_YET.exists() else None
    measured = {name: {figure: math.ceil(value) for figure, (value, _) in figures.items()}
                for name, figures in notebook_figures().items()}
    measured |= {name: dict(tags=len(tags)) for name, tags in tags_in_strings().items()}
    new = {}
    for name, values in measured.items():
        for figure, value in values.items():
            wanted = RHYTHM.get(figure, 0)
            ceiling = value if old is None else min(value, old.get(name, {}).get(figure, wanted))
            if ceiling > wanted: new.setdefault(name, {})[figure] = ceiling
    NOT_YET.write_text(json.dumps(new, indent=1)+'\n', encoding='utf-8')


def imported_modules(source):
    "Names of the modules of asp_ft that a cell imports"
    for node in ast.walk(parse_cell(source)):
        names = []
        if isinstance(node, ast.ImportFrom): names = [f'{node.module}.{alias.name}' for alias in node.names]
        if isinstance(node, ast.Import): names = [alias.name for alias in node.names]
        yield from (name.split('.')[1] for name in names if name.startswith('asp_ft.'))


def order():
    "A module imports only from notebooks with lower numbers"
    notebooks, made_by = list(library_notebooks()), {}
    for path, cells in notebooks:
        for _, source in cells:
            named = re.search(r'^#\|\s*default_exp\s+(\S+)', source, re.M)
            if named: made_by[named[1]] = path.name
    for path, cells in notebooks:
        for i, source in cells:
            if not EXPORTED.search(source): continue
            for module in imported_modules(source):
                if made_by.get(module, '') <= path.name: continue
                remedy = 'move what it needs to a lower number'
                yield f'{path.name}: cell {i} imports {module} of {made_by[module]}: {remedy}'


def tags_in_strings():
    "{file: [(line, tag)]} of the HTML tags in strings of Python files"
    tags = {}
    for path in [*modules(), *sorted(ROOT.glob('tools/*.py')), *sorted(ROOT.glob('benchmarks/*.py'))]:
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str): continue
            for tag in TAG.findall(node.value): tags.setdefault(path.name, []).append((node.lineno, tag))
    return tags


def markup():
    "No HTML in Python strings: pages are made of the files in asp_ft/web (but for tools/not_yet.json)"
    not_yet = json.loads(NOT_YET.read_text(encoding='utf-8'))
    for name, tags in tags_in_strings().items():
        if len(tags) <= not_yet.get(name, {}).get('tags', 0): continue
        for line, tag in tags: yield f'{name}:{line}: {tag} in a string: put it into a file in asp_ft/web'


def lab():
    "tools/lab.py gives JupyterLab a notebook as the kernel would leave it, and saves it as it was"
    code = """if True:
        import asyncio, pathlib, runpy
        from ipykernel.kernelspec import get_kernel_dict
        from traitlets.config import Config
        given = runpy.run_path('tools/lab.py', init_globals=dict(get_config=Config))
        files, name = given['c'].ServerApp.contents_manager_class(root_dir='.'), 'nbs/index.ipynb'
        before = pathlib.Path(name).read_bytes()
        model = asyncio.run(files.get(name))
        found = model['content']['metadata']
        assert found['kernelspec']['display_name'] == get_kernel_dict()['display_name'], found
        assert found['language_info']['version'] == '{}.{}.{}'.format(*__import__('sys').version_info), found
        asyncio.run(files.save(dict(type='notebook', format='json', content=model['content']), name))
        assert pathlib.Path(name).read_bytes() == before, 'another file is saved'
    """
    return in_copy('nbs/index.ipynb', 'see tools/lab.py', *PYTHON, '-c', code)


GATES = [clean, export, readme, figures, notebooks, imports, rhythm, order, size, markup, web, docments, light,
         quick_help, machine_paths, lab]


def main():
    if '--lower' in sys.argv[1:]: return lower_ceilings()
    wanted = [g for g in GATES if g.__name__ in sys.argv[1:]] or GATES
    failed = 0
    for gate in wanted:
        try:
            with contextlib.redirect_stdout(io.StringIO()): found = list(gate())
        except Exception as e: found = [f'{type(e).__name__}: {e}']     # a gate that cannot run has not been passed
        failed += bool(found)
        print(f'{"FAIL" if found else "ok":4} {gate.__doc__}', flush=True)
        for line in found: print(f'     {line}', flush=True)
    print(f'{len(wanted)-failed} passed, {failed} failed', flush=True)
    sys.exit(1 if failed else 0)


if __name__ == '__main__': main()
