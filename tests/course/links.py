#!/usr/bin/env python3
"""Every relative link of the documents leads to a file, and to a heading that it has.

A link to code names what the reader should look for, [`batch_norm`](../../engine/ops/batch_norm.cpp), and the file
holds that name. Line numbers (#L12) are refused: they go stale silently.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LINK = re.compile(r'!?\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)')
CODE = {'.h', '.cpp', '.cu', '.py', '.txt', '.cmake', ''}


def prose(text):
    """The text without fenced blocks, line by line with its number."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        begin = re.match(r'\s*(`{3,})', line)
        if begin and fence in (None, begin[1]):
            fence = None if fence else begin[1]
        elif fence is None:
            yield number, line


def anchors(path):
    """The anchors that GitHub and the site give the headings."""
    seen, all_of = {}, set()
    for _, line in prose(path.read_text(encoding='utf-8')):
        heading = re.match(r'#+ (.*)', line)
        if heading:
            text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', heading[1])
            slug = re.sub(r'[^\w\- ]', '', text.strip().lower()).replace(' ', '-')
            count = seen[slug] = seen.get(slug, -1) + 1
            all_of.add(f'{slug}-{count}' if count else slug)
    return all_of


def name_in(text):
    """What a link's text in code quotes promises to be in its file; None for other texts."""
    quoted = re.fullmatch(r'`([^`]+)`', text)
    if not quoted:
        return None
    return re.split(r'::|\.(?=\w+\()', quoted[1].split('(')[0].rstrip('.'))[-1]


def fault(document, text, target):
    if re.match(r'[a-z]+:', target):
        return None
    path, _, anchor = target.partition('#')
    file = (document.parent / path).resolve() if path else document
    if ROOT != file and ROOT not in file.parents:
        return 'leads out of the repository'
    if not file.exists():
        return 'there is no such file'
    if re.fullmatch(r'L\d+.*', anchor):
        return 'line numbers go stale: link to the file and name the function'
    if anchor and file.suffix == '.md' and anchor not in anchors(file):
        return f'{path or document.name} has no heading #{anchor}'
    name = name_in(text)
    if name and file.is_file() and file.suffix in CODE and name != file.name and '/' not in name and \
            not re.search(rf'(?<!\w){re.escape(name)}(?!\w)', file.read_text(encoding='utf-8', errors='replace')):
        return f'the file does not hold {name}'
    return None


def main():
    count, faults = 0, []
    for document in [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', ROOT / 'CHANGELOG.md', *sorted((ROOT / 'docs').rglob('*.md'))]:
        for number, line in prose(document.read_text(encoding='utf-8')):
            quoted = [code.span() for code in re.finditer(r'`[^`]*`', line)]
            for link in LINK.finditer(line):
                if any(begin < link.start() and link.end() < end for begin, end in quoted):
                    continue  # shown, not meant
                count += 1
                text, target = link.groups()
                wrong = fault(document, text, target)
                if wrong:
                    faults.append(f'{document.relative_to(ROOT)}:{number}: ({target}): {wrong}')
    print('\n'.join(faults), file=sys.stderr, end='\n' if faults else '')
    print(f'{count} links' + (f', {len(faults)} of them wrong' if faults else ' lead somewhere'))
    return 1 if faults or not count else 0


if __name__ == '__main__':
    sys.exit(main())
