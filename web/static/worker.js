// The worker in which the server of "this tab" lives: it moves bytes and time into the wasm module, and bytes and
// trace out of it. It knows nothing of what they mean.
import init, { Tab } from "./tab.js";

// Without news from the server the page's clock still goes on, so a turn is never further away than this.
const TURN_EVERY_MS = 50;

let tab;
let timer;
const open = new Set();
const ready = init({ module_or_path: new URL("tab_bg.wasm", import.meta.url) });

// A panic in the module is a trap: what is left of it cannot be trusted, so it is thrown away.
function guarded(work) {
  try {
    work();
  } catch (error) {
    clearTimeout(timer);
    tab = undefined;
    postMessage({ failed: String(error?.message ?? error) });
  }
}

function turn() {
  clearTimeout(timer);
  if (!tab) return;
  guarded(() => {
    const waitMs = tab.turn(performance.now());
    for (const number of open) {
      const bytes = tab.take_output(number);
      if (bytes.length > 0) postMessage({ output: number, bytes }, [bytes.buffer]);
      if (tab.is_closed(number)) {
        open.delete(number);
        tab.close(number);
        postMessage({ closed: number });
      }
    }
    const trace = tab.take_trace();
    if (trace.length > 0) postMessage({ trace }, [trace.buffer]);
    if (waitMs === 0) {
      // Messages that have arrived in the meantime go first.
      timer = setTimeout(turn, 0);
    } else {
      timer = setTimeout(turn, Math.min(Math.max(waitMs, 1), TURN_EVERY_MS));
    }
  });
}

onmessage = async ({ data }) => {
  try {
    await ready;
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
    return;
  }
  guarded(() => {
    if (data.start) {
      const { sharing, holdMs, scene, seed } = data.start;
      tab = new Tab(sharing, holdMs, scene, seed, Date.now());
      postMessage({ started: true });
    } else if (!tab) {
      return;
    } else if (data.open !== undefined) {
      tab.open(data.open);
      open.add(data.open);
    } else if (data.send !== undefined) {
      tab.send(data.send, data.bytes);
    } else if (data.close !== undefined) {
      open.delete(data.close);
      tab.close(data.close);
    } else if (data.running !== undefined) {
      tab.running(data.running);
    }
  });
  turn();
};
