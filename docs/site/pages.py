#!/usr/bin/env python3
"""Makes MkDocs pages of the repository's documents: pages.py SITE writes SITE/pages and SITE/mkdocs.yml.

README.md becomes the first page, the other documents keep their paths. A file that a document links to
becomes a page that shows it, so that no link leaves the site.
"""
import json
import os
import pathlib
import re
import shutil
import sys

import api

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r'(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)')
LANGUAGES = {'.h': 'cpp', '.cpp': 'cpp', '.cu': 'cuda', '.py': 'python', '.sh': 'bash', '.cmake': 'cmake', '.json': 'json',
             '.txt': 'text', '.yml': 'yaml'}


def documents():
    top = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md')]
    return top + sorted((ROOT / 'docs').rglob('*.md'))


def place(path):
    """Where a document lies on the site."""
    return 'index.md' if path == 'README.md' else path


class Pages:
    def __init__(self, folder):
        self.folder = folder
        self.sources = set()
        self.documents = {str(p.relative_to(ROOT)) for p in documents()}

    def write(self, path, text):
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding='utf-8')

    def link(self, document, match):
        picture, text, target = match.groups()
        if re.match(r'[a-z]+:|#', target):
            return match[0]
        file, hash_sign, anchor = target.partition('#')
        file = os.path.normpath(os.path.join(os.path.dirname(document), file))
        if not (ROOT / file).exists():
            sys.exit(f'{document}: the link to {target} leads nowhere')
        if (ROOT / file).is_dir():
            if f'{file}/README.md' not in self.documents:
                return text
            file += '/README.md'
        if picture or file.endswith(('.svg', '.png')):
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, self.folder / file)
            to = file
        elif file in self.documents:
            to = place(file)
        else:
            self.sources.add(file)
            to, hash_sign, anchor = f'source/{file}.md', '', ''
        return f'{picture}[{text}]({os.path.relpath(to, os.path.dirname(place(document)) or ".")}{hash_sign}{anchor})'

    def add(self, path):
        """A document of the repository, with its links turned and its excerpts named."""
        document = str(path.relative_to(ROOT))
        out, fence, title = [], None, ''
        for line in path.read_text(encoding='utf-8').split('\n'):
            begin = re.match(r'(\s*)(`{3,})(\w*)\s*$', line)
            excerpt = re.match(r'\s*<!-- (?:excerpt (\S+).*|.*) -->\s*$', line)
            if begin and fence in (None, begin[2]):
                if fence is None and title:
                    line = f'{begin[1]}{begin[2]}{begin[3] or "text"} title="{title}"'
                fence, title = (None if fence else begin[2]), ''
            elif fence is None and excerpt:
                title = excerpt[1] or ''
                continue
            elif fence is None and not line.startswith('    '):
                listed = re.match(r'([-*]|\d+\.) ', line)
                if listed and out and out[-1].strip() and not re.match(r'\s|([-*]|\d+\.) ', out[-1]):
                    out.append('')  # Python-Markdown begins a list after an empty line only
                line = LINK.sub(lambda m: self.link(document, m), line)
            out.append(line)
        if path.name == 'exercise.md':
            out += self.exercise_links(path.parent)
        self.write(place(document), '\n'.join(out))

    def exercise_links(self, folder):
        files = [f for f in ('student.cpp', 'answers.txt', 'check.cpp') if (folder / f).is_file()]
        self.sources.update(str((folder / f).relative_to(ROOT)) for f in files)
        links = [f'[{f}](../../../../source/{folder.relative_to(ROOT)}/{f}.md)' for f in files]
        return ['', '[Hint](hint.md) · ' + ' · '.join(links), '']

    def add_sources(self):
        for file in sorted(self.sources):
            text = (ROOT / file).read_text(encoding='utf-8', errors='replace')
            language = LANGUAGES.get(pathlib.Path(file).suffix, 'bash' if text.startswith('#!') else 'text')
            self.write(f'source/{file}.md', f'---\nsearch:\n  exclude: true\ntitle: {file}\n---\n# {file}\n\n'
                                            f'``````{language}\n{text.rstrip()}\n``````\n')


def title_of(path):
    return path.read_text(encoding='utf-8').split('\n', 1)[0].lstrip('# ').replace('`', '')


def navigation(api_pages):
    course = ROOT / 'docs/course'
    chapters = sorted(course.glob('[1-9]_*.md'))
    others = [p for p in sorted(course.glob('*.md')) if p not in chapters and p.name != 'README.md']
    entry = lambda p: {title_of(p): place(str(p.relative_to(ROOT)))}
    exercises = [{f'{int(p.parent.name[:2])}. {title_of(p)}': str(p.relative_to(ROOT))}
                 for p in sorted(course.glob('exercises/*/exercise.md'))]
    reference = {}
    for folder, header, path in api_pages:
        reference.setdefault(folder, []).append({header.rpartition('/')[2]: path})
    home = [{'cograd': 'index.md'}, *[entry(ROOT / 'docs' / f'{n}.md') for n in ('architecture', 'results', 'performance', 'trust')]]
    known = {'architecture', 'results', 'performance', 'trust'}
    home += [entry(p) for p in sorted((ROOT / 'docs').glob('*.md')) if p.stem not in known]
    home += [{'Contributing': 'CONTRIBUTING.md'}, {'Changelog': 'CHANGELOG.md'}]
    return [{'Guide': home},
            {'Course': ['docs/course/README.md', *map(entry, chapters), *map(entry, others), {'Exercises': exercises}]},
            {'API reference': ['api/index.md', *[{folder: pages} for folder, pages in reference.items()]]}]


def main(site):
    pages = Pages(site / 'pages')
    for path in documents():
        pages.add(path)
    api_pages = api.write(site / 'doxygen/xml', pages.folder, ROOT)
    pages.sources.update(header for _, header, _ in api_pages)
    pages.add_sources()
    for asset in ('site.css', 'iframe-worker.js'):
        shutil.copyfile(ROOT / 'docs/site' / asset, pages.folder / asset)
    config = (ROOT / 'docs/site/mkdocs.yml').read_text(encoding='utf-8')
    # JSON is YAML.
    (site / 'mkdocs.yml').write_text(f'{config}docs_dir: pages\nsite_dir: html\n'
                                     f'nav: {json.dumps(navigation(api_pages), ensure_ascii=False)}\n', encoding='utf-8')


if __name__ == '__main__':
    main(pathlib.Path(sys.argv[1]).resolve())
