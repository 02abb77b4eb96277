// Search runs in a worker, which browsers refuse to pages that are files. There an iframe does its work.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      this.receive = (event) => {
        if (event.source !== this.frame.contentWindow || !event.data || event.data.worker === undefined) return;
        const message = new MessageEvent("message", { data: event.data.worker });
        this.dispatchEvent(message);
        if (this.onmessage) this.onmessage(message);
      };
      window.addEventListener("message", this.receive);
      const scope = this.frame.contentWindow, page = this.frame.contentDocument;
      page.open();
      page.write("<!doctype html><html><body></body></html>");
      page.close();
      scope.postMessage_ = scope.postMessage.bind(scope);
      scope.importScripts = (...urls) =>
        urls.reduce((before, url) => before.then(() => new Promise((done, failed) => {
          const script = page.createElement("script");
          script.src = new URL(url, this.url);
          script.onload = done;
          script.onerror = failed;
          page.body.append(script);
        })), Promise.resolve());
      this.url = String(url);
      const top = window;
      scope.postMessage = (data) => top.dispatchEvent(new MessageEvent("message", { data: { worker: data }, source: scope }));
      this.ready = new Promise((done) => {
        const script = page.createElement("script");
        script.src = this.url;
        script.onload = done;
        page.body.append(script);
      });
    }
    postMessage(data) {
      const scope = this.frame.contentWindow;
      this.ready.then(() => scope.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      window.removeEventListener("message", this.receive);
      this.frame.remove();
    }
  };
}
