"""Every link in a built site leads to a page and an anchor in it, and nothing is loaded from a network.

Usage: links.py FOLDER
"""
import html.parser
import pathlib
import re
import sys
import urllib.parse

LOADED = {('link', 'href'), ('script', 'src'), ('img', 'src'), ('source', 'src'), ('iframe', 'src'), ('image', 'href')}
NETWORK = re.compile(r'(https?:)?//')


class Page(html.parser.HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors, self.styles = [], [], set(), []
        self.in_style = False
        self.feed(path.read_text(encoding='utf-8'))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.in_style = tag == 'style'
        self.anchors.update(values[name] for name in ('id', 'name') if values.get(name))
        self.styles.append(values.get('style') or '')
        if tag == 'a' and values.get('href') is not None:
            self.links.append(values['href'])
        for name, value in attributes:
            if (tag, name) in LOADED and value and values.get('rel') not in ('canonical', 'prev', 'next'):
                self.loaded.append(value)

    def handle_data(self, data):
        if self.in_style:
            self.styles.append(data)


def loads(css):
    return [url for url in re.findall(r'(?:url\(|@import\s+)["\']?([^"\')\s]+)', css) if NETWORK.match(url)]


def main(folder):
    pages = {path: Page(path) for path in sorted(folder.rglob('*.html'))}
    faults = []
    for path, page in pages.items():
        name = path.relative_to(folder)
        faults += [f'{name}: loads {url}' for url in page.loaded if NETWORK.match(url)]
        faults += [f'{name}: a style loads {url}' for css in page.styles for url in loads(css)]
        if path.name == '404.html':  # its links begin at the root of a server
            continue
        for link in page.links + page.loaded:
            if re.match(r'[a-z]+:|//', link):
                continue
            parts = urllib.parse.urlsplit(link)
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            anchor = urllib.parse.unquote(parts.fragment)
            if target.is_dir():
                target /= 'index.html'
            if not target.is_file():
                faults.append(f'{name}: {link} leads nowhere')
            elif anchor and target in pages and anchor not in pages[target].anchors and not anchor.startswith('__'):
                faults.append(f'{name}: {link}: no such anchor')
    for css in sorted(folder.rglob('*.css')):
        faults += [f'{css.relative_to(folder)}: loads {url}' for url in loads(css.read_text(encoding='utf-8'))]
    print('\n'.join(faults[:50]), file=sys.stderr, end='\n' if faults else '')
    count = sum(len(page.links) for page in pages.values())
    print(f'{len(pages)} pages with {count} links' + (f': {len(faults)} faults' if faults else ' are whole'))
    return 1 if faults or not count else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve()))
