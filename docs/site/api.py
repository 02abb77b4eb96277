"""The API reference: a page for each public header, from Doxygen's XML and the header's own comments.

Doxygen says what is declared where. The comments are copied from the header, whose line breaks and
examples Doxygen would lose.
"""
import collections
import re
import xml.etree.ElementTree as ElementTree

Entry = collections.namedtuple('Entry', 'line name kind declaration comment')


def comment_above(lines, line):
    """The /// lines above declaration `line`, counted from 1, or the ///< behind it."""
    behind = re.search(r'///< ?(.*)', lines[line - 1])
    if behind:
        text = [behind[1]]
        for more in lines[line:]:
            if not re.match(r'\s*///<', more):
                break
            text.append(re.sub(r'\s*///< ?', '', more))
        return text
    i = line - 2
    while i >= 0 and not re.match(r'\s*///', lines[i]) and not re.search(r'^\s*$|[;{}]\s*(//.*)?$|:$', lines[i]):
        i -= 1
    end = i
    while i >= 0 and re.match(r'\s*///(?!<)', lines[i]):
        i -= 1
    return [re.sub(r'\s*/// ?', '', text) for text in lines[i + 1:end + 1]]


def markdown(comment):
    """A comment as Markdown: code where a line is indented, and nothing taken for markup."""
    out, code = [], False
    for line in comment:
        indented = line.startswith('  ') and line.strip() != ''
        if indented and not code:
            out.append('')
        if not indented and code:
            out.append('')
        code = indented
        out.append('    ' + line if indented else escaped(line))
    return '\n'.join(out)


def escaped(line):
    parts = re.split(r'(`[^`]*`)', line)
    return ''.join(p if p.startswith('`') else re.sub(r'([*_<>\\|])', r'\\\1', p) for p in parts)


def declaration(member):
    kind, name = member.get('kind'), member.findtext('name')
    if kind == 'enum':
        values = [v.findtext('name') + (' ' + v.findtext('initializer') if v.find('initializer') is not None else '')
                  for v in member.findall('enumvalue')]
        text = f'enum {"class " if member.get("strong") == "yes" else ""}{name} {{ {", ".join(values)} }}'
    else:
        text = member.findtext('definition') or name
        if kind == 'function':
            template = [' '.join(''.join(p.find('type').itertext()).split()) +
                        (' ' + p.findtext('declname') if p.find('declname') is not None else '')
                        for p in member.findall('templateparamlist/param')]
            text = (f'template <{", ".join(template)}>\n' if template else '') + text + (member.findtext('argsstring') or '')
        elif kind == 'variable':
            text += member.findtext('argsstring') or ''
            text += ' ' + member.findtext('initializer') if member.find('initializer') is not None else ''
    text = re.sub(r'\b(?:cograd::)(?:\w+::)*(?=~?\w+\b)', '', text)  # names as one writes them
    text = re.sub(r'\s*=\s*default$|\s*=\s*0$', '', re.sub(r' +', ' ', text))
    return re.sub(r' ([&*]) ?', r'\1 ', text).replace('< ', '<').replace(' >', '>') + ';'


def members(compound, lines, header):
    for member in compound.iter('memberdef'):
        where = member.find('location')
        if where is None or where.get('file') != header or member.get('prot') == 'private' or \
                member.get('kind') in ('friend', 'define') or member.findtext('name').startswith('~') or '=delete' in (member.findtext('argsstring') or ''):
            continue
        line = int(where.get('line'))
        yield Entry(line, member.findtext('name'), member.get('kind'), declaration(member),
                    tuple(comment_above(lines, line)))


def blocks(entries):
    """Consecutive entries of which the first alone has a comment belong together."""
    together = []
    for entry in sorted(entries):
        if together and not entry.comment and entry.kind == together[-1][-1].kind:
            together[-1].append(entry)
        else:
            together.append([entry])
    return together


def written(entries, level):
    out = []
    for block in blocks(entries):
        names = list(dict.fromkeys(e.name for e in block))
        shown = ', '.join(f'`{name}`' for name in names[:4]) + (', ...' if len(names) > 4 else '')
        out += [f'{"#" * level} {shown}', '', '```cpp', *(e.declaration for e in block), '```', '']
        if block[0].comment:
            out += [markdown(block[0].comment), '']
    return out


def heading_comment(lines):
    """The // lines at the top of a header."""
    text = []
    for line in lines:
        if not line.startswith('//'):
            break
        text.append(re.sub('^// ?', '', line))
    return text


def page(header, compounds, root):
    lines = (root / header).read_text(encoding='utf-8').split('\n')
    intro = heading_comment(lines)
    out = [f'# {header}', '', markdown(intro), '', f'    #include <cograd/{header}>', '']
    classes, free = [], []
    for compound in compounds:
        where = compound.find('location')
        if compound.get('kind') in ('class', 'struct'):
            if where.get('file') == header and compound.get('prot') != 'private' and \
                    '<' not in compound.findtext('compoundname'):
                classes.append((int(where.get('line')), compound))
        else:
            free += members(compound, lines, header)
    for line, compound in sorted(classes, key=lambda c: c[0]):
        name = compound.findtext('compoundname').removeprefix('cograd::')
        bases = [b.text.removeprefix('cograd::') for b in compound.findall('basecompoundref')]
        out += [f'## {compound.get("kind")} `{name}`', '']
        if bases:
            out += ['Derived from ' + ', '.join(f'`{b}`' for b in bases) + '.', '']
        out += [markdown(comment_above(lines, line)), '', *written(members(compound, lines, header), 3)]
    free = list(dict.fromkeys(free))
    if free:
        out += ['## Functions and types' if classes else '## Functions', '', *written(free, 3)]
    if not classes and not free:
        return None
    out += [f'[The header](../{"../" * header.count("/")}source/{header}.md)', '']
    first = re.match(r'.*?\.(?=\s|$)|.*', ' '.join(intro[:intro.index('')] if '' in intro else intro))[0]
    return '\n'.join(out), first


def write(xml, pages, root):
    """Writes api/*.md below `pages`; yields (folder, header, path)."""
    compounds = [ElementTree.parse(path).getroot().find('compounddef')
                 for path in sorted(xml.glob('*.xml')) if path.name not in ('index.xml', 'Doxyfile.xml')]
    compounds = [c for c in compounds if c is not None and c.get('kind') in ('class', 'struct', 'namespace')]
    headers = sorted({where.get('file') for c in compounds for where in c.iter('location')
                      if where.get('file', '').endswith('.h')})
    index, written_pages = ['# API reference', '', 'All public headers, by folder. `cograd::cograd` links what they declare.', ''], []
    folder_before = None
    for header in sorted(headers, key=lambda h: (h.rpartition('/')[0], h)):
        made = page(header, compounds, root)
        if made is None:
            continue
        folder = header.rpartition('/')[0]
        if folder != folder_before:
            index += ['', f'## {folder}', '']
            folder_before = folder
        path = f'api/{header.removesuffix(".h")}.md'
        index.append(f'- [{header.rpartition("/")[2]}]({path.removeprefix("api/")}): {escaped(made[1])}')
        (pages / path).parent.mkdir(parents=True, exist_ok=True)
        (pages / path).write_text(made[0], encoding='utf-8')
        written_pages.append((folder, header, path))
    (pages / 'api/index.md').write_text('\n'.join(index) + '\n', encoding='utf-8')
    return written_pages
