"""README.md from the processed `index` notebook, through Pandoc, as Quarto's `gfm` format writes it."""
import re
from pathlib import Path

from nbmd import nb2md

PANDOC = 'markdown-implicit_figures'            # a picture needs no caption that says its description again
GFM = 'gfm-tex_math_gfm+tex_math_dollars'       # GitHub's markdown, formulas between dollar signs


def repo_links(md, pages, site_url, file_url):
    "Links to pages of the site, to notebooks, pictures and the published repository, as links within the repository"
    def link(m):
        target, mark, anchor = m[1].partition('#')
        if target.startswith(file_url): return f']({target.removeprefix(file_url)}{mark}{anchor})'
        if target.startswith(site_url+'/'): return f"](nbs/{pages[target.removeprefix(site_url+'/')]})"
        if target in pages.values() or target.startswith('images/'): return f'](nbs/{target}{mark}{anchor})'
        return m[0]
    return re.sub(r'\]\(([^)\s]+)\)', link, md)


def readme(notebook, root, pages, site_url, file_url):
    "Text of README.md; pictures of the notebook go to `root/index_files`"
    import pypandoc
    folder = Path(root)/'index_files'/'figure-commonmark'
    meta, md = nb2md(notebook, folder, warning=True, raw_html=False)
    md = md.replace(f'({folder.name}/', f'({folder.parent.name}/{folder.name}/')
    md = repo_links(md, pages, site_url, file_url)
    md = pypandoc.convert_text(md, GFM, format=PANDOC, extra_args=['--wrap=preserve'])
    return f"# {meta['title']}\n\n> {meta['description']}\n\n{md}"
