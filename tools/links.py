"""Do the internal links of README.md and of a built site resolve?"""
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FENCED = re.compile(r'^(`{3,})[^\n]*\n.*?^\1`*\s*$', re.M | re.S)


class Page(HTMLParser):
    "The links of a page and the places one can link to"
    def __init__(self, html):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids |= {attrs[k] for k in ('id', 'name') if attrs.get(k)}
        self.links += [attrs[k] for k in ('href', 'src') if attrs.get(k)]


def broken_site(site, url=''):
    "Broken internal links of the pages below `site`, which is published at `url`, as lines `page: link`"
    site = Path(site).resolve()
    pages = {path: Page(path.read_text(encoding='utf-8')) for path in sorted(site.rglob('*.html'))}
    def bad(path, link):
        if url and link.startswith(url): link = '/' + link.removeprefix(url).lstrip('/')
        parts = urlsplit(link)
        if parts.scheme or parts.netloc: return False
        base = site if parts.path.startswith('/') else path.parent
        target = (base/unquote(parts.path).lstrip('/')).resolve() if parts.path else path
        if target.is_dir(): target = target/'index.html'
        if not target.exists(): return True
        if not parts.fragment or target not in pages: return False
        return unquote(parts.fragment) not in pages[target].ids | {'top', '__top'}
    # 404.html is served from any address, so its links are absolute
    return [f'{path.relative_to(site)}: {link}' for path, page in pages.items() if path.name != '404.html'
            for link in page.links if bad(path, link)]


def slug(heading):
    "GitHub's anchor of a heading"
    plain = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading).replace('`', '')
    return re.sub(r'[^\w\- ]', '', plain.lower()).strip().replace(' ', '-')


def broken_readme(path):
    "Broken links of a markdown file in a repository, as lines `file: link`"
    path = Path(path)
    md = FENCED.sub('', path.read_text(encoding='utf-8'))
    slugs = {slug(m) for m in re.findall(r'^#+ (.+)$', md, re.M)}
    links = re.findall(r'\]\(<?([^)\s>]+)>?\)', md) + re.findall(r'(?:href|src)="([^"]+)"', md)
    def bad(link):
        parts = urlsplit(link)
        if parts.scheme: return False
        return not (path.parent/unquote(parts.path)).exists() if parts.path else parts.fragment not in slugs
    return [f'{path.name}: {link}' for link in links if bad(link)]
