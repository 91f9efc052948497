#!/usr/bin/env python3
"""Make README.md from `index.ipynb` and the site `_docs` from all notebooks, and check their internal links.

Without Quarto the site is built by mkdocs-material, from the same processed notebooks and under the same page names;
`--quarto` builds it with nbdev's own `nbdev_docs`, as the published site is. README.md is the same both ways.
"""
import argparse, shutil, sys, tempfile
from pathlib import Path
from typing import get_args

sys.path.insert(0, str(Path(__file__).parent))
from links import broken_readme, broken_site
from mkdocs_site import site
from readme import readme


class OwnSymbols:
    "What this project documents, for back-tick and source links, whether it is installed or not"
    name = 'asp_ft'

    def __init__(self, index):
        from fastcore.xtras import exec_local
        if not index.exists(): sys.exit(f'{index.name} is missing: run nbdev_export first')
        found = exec_local(index.read_text(encoding='utf-8'), 'd')
        public = lambda module, name: '.' not in (short := name.removeprefix(module+'.')) and short[0] != '_'
        syms = {module: {name: where for name, where in names.items() if public(module, name)}
                for module, names in found['syms'].items()}
        self.symbols = found | dict(syms=syms)      # private names and methods have no place on the site to link to

    def load(self): return self.symbols


def cell(value):
    "A type, a default or a comment as the text of a table cell"
    from inspect import Parameter, isclass
    if value in (None, Parameter.empty): return ''
    shown = value.__name__ if isclass(value) and not get_args(value) else str(value)
    return shown.replace('|', '\\|').replace('\n', ' ')


def argument_table(symbol):
    "The arguments of `symbol` with their comments, as a markdown table; empty where no argument has a comment"
    from fastcore.docments import docments
    from inspect import Parameter
    found = {name: d for name, d in docments(symbol, full=True).items() if name != 'self'}
    if not any(d.docment for d in found.values()): return ''
    default = lambda d: f'`{d.default!r}`' if d.default is not Parameter.empty else ''
    rows = [('', 'Type', 'Default', 'Details')]
    rows += [('**return**' if name == 'return' else name, cell(d.anno), default(d), cell(d.docment))
             for name, d in found.items() if name != 'return' or d.docment]
    filled = [i for i in range(4) if i == 0 or any(row[i] for row in rows[1:])]
    rows = [[row[i] for i in filled] for row in [rows[0], ('---',)*4, *rows[1:]]]
    return '\n'.join('| '+' | '.join(row)+' |' for row in rows)


def prepare():
    "Point nbdev at this project alone, and give `show_doc` its argument tables back"
    import nbdev.doclinks
    from nbdev.config import get_config
    from nbdev.showdoc import BasicMarkdownRenderer
    cfg, plain = get_config(), BasicMarkdownRenderer._repr_markdown_
    sys.path.insert(0, str(cfg.config_path))
    own = OwnSymbols(cfg.lib_path/'_modidx.py')
    nbdev.doclinks.entry_points = lambda group: [own]
    BasicMarkdownRenderer._repr_markdown_ = lambda self: f'{plain(self)}\n\n{argument_table(self.sym)}'.rstrip()
    return cfg


def write_readme(cfg):
    "Write README.md from `index.ipynb` alone; the other notebooks only lend their names to links"
    from nbdev.doclinks import _nbpath2html, nbglob
    from nbdev.processors import FilterDefaults
    from nbdev.serve_drv import main as process_notebook
    notebooks = [path.relative_to(cfg.nbs_path) for path in nbglob(as_path=True)]
    pages = {_nbpath2html(path).as_posix(): path.as_posix() for path in notebooks}
    with tempfile.TemporaryDirectory() as tmp:
        index = Path(tmp)/'index.ipynb'
        process_notebook((cfg.nbs_path/index.name, index, FilterDefaults))
        file_url = f'{cfg.git_url}/blob/{cfg.branch}/'
        text = readme(index, cfg.config_path, pages, cfg.doc_host+cfg.doc_baseurl, file_url)
    (cfg.config_path/'README.md').write_text(text, encoding='utf-8')


def build_site(cfg, quarto):
    "The site in `_docs`, from notebooks processed in this process, so that `prepare` holds for them"
    from nbdev.quarto import nbdev_docs, refresh_quarto_yml
    from nbdev.serve import proc_nbs
    if quarto:
        if not shutil.which('quarto'): sys.exit('quarto is missing: see https://quarto.org, or leave out --quarto')
        return nbdev_docs.__wrapped__(n_workers=0)
    refresh_quarto_yml()
    site(Path(proc_nbs(force=True, n_workers=0)), cfg.config_path/'_site_build', cfg.doc_path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--quarto', action='store_true', help='build the site with Quarto')
    parser.add_argument('--readme', action='store_true', help='write README.md only')
    args = parser.parse_args()
    cfg = prepare()
    if not args.readme: build_site(cfg, args.quarto)
    write_readme(cfg)       # after Quarto, which writes one of its own
    broken = broken_readme(cfg.config_path/'README.md')
    if not args.readme: broken += broken_site(cfg.doc_path, cfg.doc_host+cfg.doc_baseurl)
    for line in broken: print(f'broken link in {line}', file=sys.stderr)
    pages = '' if args.readme else f' and {len(list(cfg.doc_path.rglob("*.html")))} pages in {cfg.doc_path.name}/'
    print(f'README.md{pages}; {len(broken)} broken links')
    sys.exit(bool(broken))


if __name__ == '__main__': main()
