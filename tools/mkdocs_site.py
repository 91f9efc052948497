"""The site from the same processed notebooks as Quarto's, through mkdocs-material: same pages, same names."""
import os, re, shutil, subprocess, sys
from pathlib import Path

import yaml
from nbmd import nb2md

FEATURES = ['navigation.sections', 'navigation.top', 'content.code.copy', 'search.suggest', 'search.highlight']
EXTENSIONS = ['attr_list', 'md_in_html', 'admonition', 'tables', 'pymdownx.superfences', 'pymdownx.details',
              {'pymdownx.highlight': dict(pygments_lang_class=True)}, {'toc': dict(permalink=True)}]
# room for lines of 120 characters; what a cell prints looks different from the cell; commands are
# never cut off, and where other lines are, a bar shows it
STYLE = '''.md-grid { max-width: 75rem }
.md-typeset pre > code { font-size: .7rem }
.md-typeset .language-text pre { border-left: .15rem solid #8886 }
.md-typeset .language-text pre > code { background: none; padding-block: .2em }
.md-typeset pre > code { scrollbar-color: #8888 transparent }
.md-typeset .language-sh pre > code { white-space: pre-wrap; overflow-wrap: anywhere }
'''
PALETTE = [dict(media=f'(prefers-color-scheme: {name})', scheme=scheme, primary='blue',
                toggle=dict(icon='material/brightness-6', name=f'Switch to {other}'))
           for name, scheme, other in (('light', 'default', 'dark'), ('dark', 'slate', 'light'))]


def merge(a, b):
    "`b` over `a`, dict by dict"
    for k, v in b.items():
        a[k] = merge(a.get(k, {}), v) if isinstance(v, dict) and isinstance(a.get(k, {}), dict) else v
    return a


def load_config(src):
    "`_quarto.yml` with its metadata files"
    cfg = yaml.safe_load((src/'_quarto.yml').read_text(encoding='utf-8'))
    for name in cfg.get('metadata-files', []):
        if (src/name).exists(): merge(cfg, yaml.safe_load((src/name).read_text(encoding='utf-8')) or {})
    return cfg


def read_pages(src, docs):
    "Each notebook below `src` as `{its path: (front matter, markdown, path of its markdown page)}`"
    pages = {}
    for path in sorted(src.rglob('*.ipynb')):
        rel = path.relative_to(src)
        if any(part[0] in '._' for part in rel.parts): continue
        meta, md = nb2md(path, docs/rel.parent/f'{path.stem}_files')
        stem = Path(meta.get('output-file', path.stem+'.html')).stem
        pages[rel.as_posix()] = (meta, md, rel.with_name(stem+'.md').as_posix())
    return pages


def site_links(md, key, pages, url):
    "Links to the site and to notebooks, as links between the markdown pages"
    out = pages[key][2]
    relative = lambda to: os.path.relpath(to, Path(out).parent)
    def link(m):
        target, mark, anchor = m[1].partition('#')
        notebook = os.path.normpath(Path(key).parent/target)
        if url and target.startswith(url+'/'): target = relative(target.removeprefix(url+'/').replace('.html', '.md'))
        elif notebook in pages: target = relative(pages[notebook][2])
        return f']({target}{mark}{anchor})'
    return re.sub(r'\]\(([^)\s]+)\)', link, md)


def callouts(md):
    "Quarto's callouts as admonitions"
    def block(m): return f'!!! {m[1]}\n\n' + '\n'.join('    '+line for line in m[2].splitlines())
    return re.sub(r'^::: ?\{\.callout-(\w+)[^}]*\}\n(.*?)\n:::$', block, md, flags=re.M | re.S)


def nav(items, pages):
    "The sidebar of `_quarto.yml` as mkdocs navigation"
    for o in items:
        if isinstance(o, str) and o not in pages: sys.exit(f'_quarto.yml: the sidebar names {o}, which is not in nbs/')
        if isinstance(o, str): yield {pages[o][0].get('title', o): pages[o][2]}
        elif 'contents' in o: yield {o['section']: list(nav(o['contents'], pages))}
        else: yield {o.get('text') or pages[o['href']][0]['title']: pages[o['href']][2]}


def site(src, work, out):
    "Build the processed notebooks in `src` into the folder `out`, with `work` as scratch"
    shutil.rmtree(work, ignore_errors=True)
    docs, cfg = work/'docs', load_config(src)
    web, pages = cfg['website'], read_pages(src, docs)
    for key, (meta, md, name) in pages.items():
        md = site_links(callouts(md), key, pages, web['site-url'].rstrip('/'))
        head = f"# {meta.get('title', name)}\n\n" + (f"{meta['description']}\n\n" if meta.get('description') else '')
        (docs/name).parent.mkdir(parents=True, exist_ok=True)
        (docs/name).write_text(head+md, encoding='utf-8')
    (docs/'wide.css').write_text(STYLE, encoding='utf-8')
    shutil.copytree(src/'images', docs/'images')
    theme = dict(name='material', font=False, palette=PALETTE, features=FEATURES)
    config = dict(site_name=web['title'], site_url=web['site-url'], repo_url=web['repo-url'], theme=theme,
                  use_directory_urls=False, extra_css=['wide.css'], markdown_extensions=EXTENSIONS, plugins=['search'],
                  nav=list(nav(web['sidebar']['contents'], pages)))
    (work/'mkdocs.yml').write_text(yaml.safe_dump(config, sort_keys=False), encoding='utf-8')
    command = [sys.executable, '-m', 'mkdocs', 'build', '-q', '-f', str(work/'mkdocs.yml'), '-d', str(out.resolve())]
    subprocess.run(command, check=True, env=dict(os.environ, NO_MKDOCS_2_WARNING='1'))
    shutil.rmtree(work)
