"""Opens pages in a headless Chromium, wide and narrow, and says what a reader would stumble over.

Usage: check.py CHROMIUM PAGE...
Talks to the browser by the DevTools protocol over a pipe (--remote-debugging-pipe): messages are
JSON, each ended by a zero byte. Needs Python's standard library alone. Exits with 1 upon a fault.
"""

import json
import os
import pathlib
import select
import subprocess
import sys
import tempfile
import time

WIDTHS = (1400, 390)  # a screen, a phone
SECONDS = 20  # for an answer or a page

# Runs in the page: what can be seen of it. A legend's samples are segments of paths outside of the
# plots, which end left of their label.
LOOK = r"""(() => {
  const box = e => e.getBoundingClientRect();
  const place = e => /translate\(([-\d.]+),([-\d.]+)\)/.exec(e.getAttribute('transform') ?? '')
      ?.slice(1).map(Number);
  const line = p => ({colour: p.getAttribute('stroke'),
                      dash: p.getAttribute('stroke-dasharray') ?? ''});
  const kind = u => (u.getAttribute('href') ?? u.getAttribute('xlink:href') ?? '').replace(/.*gpPt/, '');
  const look = f => {
    const svg = f.querySelector('svg'), frame = box(svg);
    const texts = [...svg.querySelectorAll('text')].filter(t => t.textContent);
    const turned = t => /rotate/.test(t.parentNode.getAttribute('transform') ?? '');
    const middle = t => t.parentNode.getAttribute('text-anchor') == 'middle';
    const plots = [...svg.querySelectorAll('g[id*=gnuplot_plot_]')];
    const outside = e => !plots.some(p => p.contains(e));
    const segments = [...svg.querySelectorAll('path[stroke]')].filter(outside).flatMap(p =>
        [...(p.getAttribute('d') ?? '').matchAll(/M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)/g)].map(
            m => ({...line(p), x0: +m[1], x: +m[3], y: +m[4]})));
    const marks = [...svg.querySelectorAll('use')].filter(u => outside(u) && place(u));
    const legend = label => {
      const text = texts.find(t => t.textContent == label && outside(t));
      const at = text && place(text.parentNode);
      const sample = at && segments.find(s => Math.abs(s.y - at[1] + 5) < 6 && at[0] - s.x > 2 &&
                                         at[0] - s.x < 20 && s.x - s.x0 > 20);
      const mark = sample && marks.find(u => Math.abs(place(u)[1] - sample.y) < 2 &&
                                        place(u)[0] > sample.x0 && place(u)[0] < sample.x);
      return sample && {colour: sample.colour, dash: sample.dash, marker: mark ? kind(mark) : ''};
    };
    return {
      title: f.querySelector('figcaption').textContent,
      xLabels: texts.filter(t => middle(t) && !turned(t) && isNaN(t.textContent)).length,
      yLabels: texts.filter(turned).length,
      cut: texts.filter(t => box(t).right > frame.right + 1 || box(t).left < frame.left - 1 ||
                        box(t).bottom > frame.bottom + 1).map(t => t.textContent),
      series: plots.map(g => ({label: g.querySelector('title').textContent, plot: g})).filter(
          s => !s.label.endsWith(': range')).map(({label, plot}) => {
        const path = plot.querySelector('path[stroke]'), mark = plot.querySelector('use');
        return {label, legend: legend(label) ?? null,
                look: {...(path ? line(path) : {colour: mark?.getAttribute('color'), dash: null}),
                       marker: mark ? kind(mark) : ''}};
      }),
    };
  };
  return {
    heading: document.querySelector('h1')?.textContent ?? '',
    width: document.documentElement.scrollWidth,
    window: window.innerWidth,
    scripts: document.scripts.length,
    curves: [...document.querySelectorAll('h2')].some(h => h.textContent == 'Curves'),
    figures: [...document.querySelectorAll('figure')].map(look),
  };
})()"""


class Browser:
    def __init__(self, program, profile):
        down, up = os.pipe(), os.pipe()
        def connect():  # the browser reads file 3 and writes file 4
            os.dup2(os.dup(down[0]), 3)
            os.dup2(os.dup(up[1]), 4)
        for end in (down[0], up[1]):
            os.set_inheritable(end, True)
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             f"--user-data-dir={profile}", "about:blank"],
            close_fds=False, preexec_fn=connect, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(down[0])
        os.close(up[1])
        self.requests, self.answers, self.rest = down[1], up[0], b""
        self.session, self.number, self.events = None, 0, []

    def receive(self, until):
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.answers], [], [], left)[0]:
                raise TimeoutError(f"the browser did not answer within {SECONDS} s")
            piece = os.read(self.answers, 1 << 20)
            if not piece:
                raise EOFError("the browser ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        self.number += 1
        request = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.requests, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + SECONDS
        while True:
            message = self.receive(until)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def open(self, url, width):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, mobile=False,
                 deviceScaleFactor=1)
        self.events = []
        self.ask("Page.navigate", url=url)
        until = time.monotonic() + SECONDS
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            self.events.append(self.receive(until))
        return self.ask("Runtime.evaluate", expression=LOOK, returnByValue=True)["result"]["value"]


def event_faults(events, url):
    for event in events:
        method, values = event.get("method", ""), event.get("params", {})
        if method == "Network.requestWillBeSent":
            asked = values["request"]["url"]
            if asked != url and not asked.startswith("data:"):
                yield f"asks for {asked}"
        elif method == "Runtime.exceptionThrown":
            yield f"throws {values['exceptionDetails'].get('text')}"
        elif method == "Runtime.consoleAPICalled" or method == "Log.entryAdded":
            yield f"writes to the console: {json.dumps(values)[:200]}"


def figure_faults(figure):
    if not figure["xLabels"] or not figure["yLabels"]:
        yield "has an axis without a label"
    for text in figure["cut"]:
        yield f"cuts '{text}'"
    seen = {}
    for series in figure["series"]:
        look = series["look"]
        if seen.setdefault(tuple(look.values()), series["label"]) != series["label"]:
            yield f"shows '{series['label']}' like '{seen[tuple(look.values())]}': {look}"
        shown = series["legend"]
        if shown is None:
            yield f"has no legend for '{series['label']}'"
        elif look["dash"] is None:  # a single point
            shown["dash"] = None
        if shown is not None and shown != look:
            yield f"draws '{series['label']}' as {look}, but its legend as {shown}"


def page_faults(browser, url, width):
    seen = browser.open(url, width)
    if not seen["heading"]:
        yield "has no heading"
    if seen["curves"] != bool(seen["figures"]):
        yield f"has {len(seen['figures'])} figures under Curves"
    if seen["scripts"]:
        yield "has scripts"
    if seen["window"] != width or seen["width"] > width:
        yield f"is {seen['width']} pixels wide in a window of {seen['window']}"
    yield from event_faults(browser.events, url)
    for figure in seen["figures"]:
        for fault in figure_faults(figure):
            yield f"{figure['title']}: {fault}"


def main():
    program, pages = sys.argv[1], sys.argv[2:]
    faults = 0
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        try:
            target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
            browser.session = browser.ask("Target.attachToTarget", targetId=target,
                                          flatten=True)["sessionId"]
            for domain in ("Page", "Network", "Runtime", "Log"):
                browser.ask(f"{domain}.enable")
            for page in pages:
                for width in WIDTHS:
                    url = pathlib.Path(page).resolve().as_uri()
                    for fault in page_faults(browser, url, width):
                        print(f"{page} at {width} pixels: {fault}")
                        faults += 1
        finally:
            browser.process.terminate()
            browser.process.wait()
    print(f"{len(pages)} pages at {len(WIDTHS)} widths: {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
