"""Opens pages of a built site in a headless Chromium, as files: nothing is wider than the window, nothing
comes from elsewhere, no script fails, and the search finds things in all parts of the site.

Usage: browse.py CHROMIUM FOLDER
"""
import pathlib
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'pages'))
from check import WIDTHS, Browser  # noqa: E402

SEARCHES = {'per-example gradients': 'docs/course/4_groups', 'MedianOfMeans': 'api/engine/aggregation/aggregator',
            'Winograd': 'docs/architecture'}
# Types a text and gives the addresses that are found.
SEARCH = """(async text => {
  const query = document.querySelector('[data-md-component=search-query]');
  document.querySelector('#__search').click();
  query.focus();
  query.value = text;
  query.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true}));
  query.dispatchEvent(new Event('input', {bubbles: true}));
  for (let i = 0; i < 80; ++i) {
    await new Promise(done => setTimeout(done, 100));
    const found = [...document.querySelectorAll('.md-search-result__link')].map(a => a.href);
    if (found.length) return found;
  }
  return [];
})"""


def faults_of(browser, page, folder):
    for width in WIDTHS:
        look = browser.open(page.as_uri(), width)
        if look['width'] > look['window']:
            yield f'at {width} pixels it is {look["width"]} wide'
        for event in browser.events:
            values = event.get('params', {})
            if event['method'] == 'Network.requestWillBeSent':
                url = values['request']['url']
                if not url.startswith(('data:', folder.as_uri(), 'about:')):
                    yield f'asks for {url}'
            elif event['method'] == 'Runtime.exceptionThrown':
                details = values['exceptionDetails']
                yield f'throws {details.get("exception", {}).get("description", details.get("text"))}'


def main(program, folder):
    shown = ['index.html', *(str(p.relative_to(folder)) for p in sorted((folder / 'docs').rglob('*.html'))),
             'api/index.html', *(str(p.relative_to(folder)) for p in sorted((folder / 'api').rglob('*.html'))[::8])]
    faults = []
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            target = browser.ask('Target.createTarget', url='about:blank')['targetId']
            browser.session = browser.ask('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
            for domain in ('Page', 'Network', 'Runtime'):
                browser.ask(f'{domain}.enable')
            start = time.monotonic()
            for name in shown:
                faults += [f'{name}: {fault}' for fault in faults_of(browser, folder / name, folder)]
            for text, wanted in SEARCHES.items():
                browser.open((folder / 'index.html').as_uri(), WIDTHS[0])
                found = browser.ask('Runtime.evaluate', expression=f'{SEARCH}({text!r})', awaitPromise=True,
                                    returnByValue=True)['result'].get('value') or []
                if not any(wanted in url for url in found):
                    faults.append(f'the search for "{text}" does not find {wanted}: {found[:5]}')
        finally:
            browser.process.kill()
            browser.process.wait()
    print('\n'.join(faults[:40]), file=sys.stderr, end='\n' if faults else '')
    print(f'{len(shown)} pages at {len(WIDTHS)} widths and {len(SEARCHES)} searches'
          f'{f": {len(faults)} faults" if faults else " are as they should be"} ({time.monotonic() - start:.0f} s)')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2]).resolve()))
