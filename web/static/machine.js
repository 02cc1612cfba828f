// The worker of the time machine: steps the wasm module, keeps copies of its memory to go back to, and keeps the branches
// of a run. What a step, a choice or a breakpoint is, the module knows; what is drawn of it, the page.

// Steps from one copy of the memory to the next, at first; each time all copies become too large, twice as many.
const KEYFRAME_STEPS = 2_000;

// Bytes of all copies together.
const KEYFRAME_BYTES_MAX = 256 << 20;

// Steps made in one call: some milliseconds, after which messages that have arrived have their turn.
const BATCH_STEPS = 2_000;

// Milliseconds of steps in a row before the page is told how far they are.
const SLICE_MS = 12;

// Milliseconds between two looks while it plays.
const LOOK_EVERY_MS = 150;

// Memory of an instance that grew again after every step back is given up beyond this.
const MEMORY_BYTES_MAX = 512 << 20;

// Steps explored between two looks at the clock, and milliseconds of them before the page is told.
const EXPLORED_STEPS = 5_000;
const EXPLORED_MS = 80;

// Longest text of a link after unpacking: as much as the module reads.
const LINK_BYTES_MAX = 16 << 20;

// Milliseconds after which what a reload is to find is told: as long as an arrow key's repeats are apart, some times over.
const KEPT_AFTER_MS = 150;

// Longest packed text of it: browsers keep some five million characters for all of a page's.
const KEPT_CHARS_MAX = 500_000;

const code = new URL("engine_bg.wasm", import.meta.url);
let compiled;
let instances = 0;
let glue; // the module's exports as JavaScript
let wasm; // as they are, with the memory

// A new instance of the module, with a memory of its own.
async function fresh() {
  // The bindings keep one instance; another address gives other bindings.
  glue = await import(instances === 0 ? "./engine.js" : `./engine.js?${instances}`);
  instances += 1;
  compiled ??= await WebAssembly.compileStreaming(fetch(code));
  wasm = await glue.default({ module_or_path: compiled });
}

function copyMemory() {
  return { bytes: new Uint8Array(wasm.memory.buffer).slice(), pointer: machine?.__wbg_ptr ?? 0 };
}

function putBack(copy) {
  const missing = copy.bytes.length - wasm.memory.buffer.byteLength;
  if (missing > 0) wasm.memory.grow(missing / 65_536);
  new Uint8Array(wasm.memory.buffer).set(copy.bytes);
  machine = copy.pointer === 0 ? undefined : handle(copy.pointer);
}

// The machine that lies at `pointer` of the memory.
function handle(pointer) {
  const machine = Object.create(glue.Machine.prototype);
  machine.__wbg_ptr = pointer;
  return machine;
}

// A new machine of which the garbage collector knows nothing. What the bindings make is freed when nobody refers to it any
// more; but after a copy was put back it is another object that refers to the same machine.
function made(recipe) {
  return handle(new glue.Machine(recipe).__destroy_into_raw());
}

// The run that is open. `machine` stands at `at`; the branch goes on to `head`.
let machine;
let at = 0;
let head = 0;
let choices; // of the whole branch
let times = [0]; // after each step
let keyframes = new Map(); // by step
let keyframeSteps = KEYFRAME_STEPS;
let sent = []; // { from, to, bytes }: the trace of the branch, as the page has it
let breakpoints = "[]";

// Branches besides the one that is shown: { label, partedAt, recipe, at, head }; the one shown has no recipe here.
let branches = [];
let branch = 0;

let playing; // steps a second; 0: as fast as they go
let timer;
let lookedAt = 0;

function keep() {
  if (keyframes.has(at) || at % keyframeSteps !== 0) return;
  keyframes.set(at, copyMemory());
  let bytes = 0;
  for (const copy of keyframes.values()) bytes += copy.bytes.length;
  if (bytes > KEYFRAME_BYTES_MAX && keyframes.size > 2) {
    keyframeSteps *= 2;
    for (const step of keyframes.keys()) if (step % keyframeSteps !== 0) keyframes.delete(step);
  }
}

// Sends what was recorded on the way from `from` to where the machine stands.
function sendTrace(from, reset = false) {
  const bytes = machine.take_trace();
  if (bytes.length > 0) {
    sent.push({ from, to: at, bytes });
    postMessage({ trace: bytes, reset });
  }
}

// Makes up to `count` steps, and gives the number of the breakpoint that ended them, if one did.
function advance(count) {
  let made = 0;
  while (made < count) {
    const known = at < head;
    // To the end of what is known, to the next keyframe, or as far as one call goes.
    let room = Math.min(count - made, BATCH_STEPS, keyframeSteps - (at % keyframeSteps));
    if (known) room = Math.min(room, head - at);
    const from = at;
    const passed = machine.steps(room);
    at += passed.length;
    made += passed.length;
    if (known) {
      machine.take_trace(); // The page has it.
    } else {
      for (const time of passed) times.push(time);
      head = at;
      sendTrace(from);
      choices = undefined;
    }
    keep();
    const hit = machine.hit();
    if (hit !== undefined) return hit;
    if (passed.length < room) break;
  }
  return undefined;
}

// Goes to a step of the branch that was made before.
function goTo(step) {
  step = Math.max(0, Math.min(step, head));
  let nearest = -1;
  for (const key of keyframes.keys()) if (key <= step && key > nearest) nearest = key;
  if (step < at || nearest > at) {
    choices ??= choicesOfBranch();
    putBack(keyframes.get(nearest));
    at = nearest;
    machine.follow(choices);
  }
  machine.stop_at("[]");
  advance(step - at);
  machine.stop_at(breakpoints);
}

// Only the machine that stands at the head knows all choices.
function choicesOfBranch() {
  return machine.choices();
}

// Forgets what comes after `at`, and has the page forget it too.
function truncate() {
  head = at;
  choices = undefined;
  times.length = at + 1;
  for (const step of keyframes.keys()) if (step > at) keyframes.delete(step);
  const before = sent.filter(({ to }) => to <= at);
  const cut = sent.find(({ from, to }) => from < at && to > at);
  sent = before;
  before.forEach(({ bytes }, index) => postMessage({ trace: bytes, reset: index === 0 }));
  if (cut) {
    // The part of it that is still so is made again.
    const step = at;
    goTo(cut.from);
    machine.stop_at("[]");
    while (at < step) at += machine.steps(step - at).length;
    machine.stop_at(breakpoints);
    sendTrace(cut.from, before.length === 0);
  }
}

// Keeps the branch that is shown, to come back to, and begins another that parts from it here.
function part(label) {
  const stood = at;
  goTo(head);
  branches[branch] = { ...branches[branch], recipe: machine.recipe(), at: stood, head };
  goTo(stood);
  branch = branches.length;
  branches.push({ label, partedAt: stood });
}

// Opens a recipe in place of the run that is open. If it cannot be opened everything is as it was.
function open(recipe) {
  const before = {
    copy: copyMemory(), at, head, choices, times, keyframes, keyframeSteps, sent, branches, branch,
  };
  try {
    machine?.free();
    machine = undefined;
    machine = made(recipe);
    [at, head, choices, times, keyframes, sent] = [0, 0, undefined, [machine.now_ns()], new Map(), []];
    keyframeSteps = KEYFRAME_STEPS;
    const wanted = JSON.parse(recipe).step ?? 0;
    const posts = [];
    const opening = machine.take_trace();
    sent.push({ from: 0, to: 0, bytes: opening });
    posts.push(opening);
    keep();
    while (at < wanted) {
      const from = at;
      const passed = machine.steps(Math.min(wanted - at, BATCH_STEPS, keyframeSteps - (at % keyframeSteps)));
      at = head = at + passed.length;
      for (const time of passed) times.push(time);
      const bytes = machine.take_trace();
      sent.push({ from, to: at, bytes });
      posts.push(bytes);
      keep();
      if (passed.length === 0) break;
    }
    machine.stands_at(wanted);
    choices = machine.choices();
    machine.stop_at(breakpoints);
    posts.forEach((bytes, index) => postMessage({ trace: bytes, reset: index === 0 }));
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) throw error;
    putBack(before.copy);
    ({ at, head, choices, times, keyframes, keyframeSteps, sent, branches, branch } = before);
    throw error;
  }
}

// Runs `work` with the module to itself: there is one engine at a time.
function aside(work) {
  const copy = copyMemory();
  try {
    machine?.free();
    machine = undefined;
    return work();
  } finally {
    putBack(copy);
  }
}

function tellAt() {
  const names = branches.map(({ label, partedAt, head: steps }, index) => ({
    label, parted_at: partedAt, steps: index === branch ? head : steps,
  }));
  keepSoon();
  postMessage({
    at: {
      step: at, head, now_ns: machine ? machine.now_ns() : 0, playing: playing !== undefined, branch,
      branches: names, ended: machine ? machine.is_over() : false,
    },
  });
}

function tellLook() {
  lookedAt = performance.now();
  if (machine) postMessage({ look: machine.look() });
}

function tellAll() {
  tellAt();
  tellLook();
}

function stopPlaying() {
  clearTimeout(timer);
  playing = undefined;
}

function hitAt(hit) {
  const breakpoint = JSON.parse(breakpoints)[hit];
  if (breakpoint) postMessage({ hit: { ...breakpoint, step: at } });
}

// Plays on; called again and again.
function play() {
  clearTimeout(timer);
  if (playing === undefined || !machine) return;
  const began = performance.now();
  let hit;
  const stands = at;
  if (playing > 0) {
    hit = advance(Math.max(1, Math.round(playing / 60)));
  } else {
    do {
      const from = at;
      hit = advance(BATCH_STEPS);
      if (at === from) break;
    } while (hit === undefined && performance.now() - began < SLICE_MS);
  }
  if (hit !== undefined) hitAt(hit);
  if (hit !== undefined || at === stands || (at === head && machine.is_over())) {
    stopPlaying();
    tellAll();
    return;
  }
  tellAt();
  if (performance.now() - lookedAt > LOOK_EVERY_MS) tellLook();
  const pause = playing > 0 ? 1_000 / Math.min(playing, 60) : 0;
  timer = setTimeout(() => guarded(play), Math.max(0, pause - (performance.now() - began)));
}

async function packed(text, direction) {
  const stream = new Blob([text]).stream().pipeThrough(
    direction === "in" ? new DecompressionStream("deflate-raw") : new CompressionStream("deflate-raw"),
  );
  const parts = [];
  let bytes = 0;
  for (const reader = stream.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > LINK_BYTES_MAX) throw new Error(`expected a link of at most ${LINK_BYTES_MAX} bytes unpacked, found more`);
    parts.push(value);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function toLink(recipe) {
  const bytes = await packed(recipe, "out");
  let text = "";
  for (let from = 0; from < bytes.length; from += 8_192) {
    text += String.fromCharCode(...bytes.subarray(from, from + 8_192));
  }
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

async function fromLink(link) {
  try {
    const text = atob(link.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true }).decode(await packed(bytes, "in"));
  } catch (error) {
    if (String(error.message).startsWith("expected")) throw error;
    throw new Error("expected the link of a run, found one that is cut or changed: copy all of it");
  }
}

// What a reload is to find: every branch with where it was left, in the form of a link. It is told a moment after the run
// has moved on, because a page that is left has no time to ask.
let keeping;

function keepSoon() {
  keeping ??= setTimeout(() => {
    keeping = undefined;
    turn = turn.then(() => guarded(tellKept));
  }, KEPT_AFTER_MS);
}

async function tellKept() {
  if (!machine) return;
  const shown = { ...branches[branch], recipe: machine.recipe_at(head), at, head };
  const all = branches.map((other, index) => (index === branch ? shown : other));
  let kept = await toLink(JSON.stringify({ branches: all, branch }));
  if (kept.length > KEPT_CHARS_MAX) kept = await toLink(JSON.stringify({ branches: [shown], branch: 0 }));
  postMessage({ kept: kept.length <= KEPT_CHARS_MAX ? kept : "" });
}

// Opens a branch to where it was left; nothing has changed if it cannot be opened.
function openBranch(list, index) {
  open(list[index].recipe);
  [branches, branch] = [list, index];
  goTo(list[index].at);
}

// Kept when it is done, to be asked what lies ahead.
let exploration;
let exploring = false;
let exploredMs;

function explore() {
  if (!exploration) return;
  const began = performance.now();
  let more;
  do {
    more = exploration.go(EXPLORED_STEPS);
  } while (more && performance.now() - began < EXPLORED_MS);
  exploredMs += performance.now() - began;
  postMessage({ explored: exploration.report(exploredMs) });
  exploring = more;
  // Messages that have arrived in the meantime go first: one of them may say to stop.
  if (more) timer = setTimeout(() => guarded(explore), 0);
}

const deeds = {
  check({ id, source }) {
    postMessage({ checked: id, report: glue.check(source) });
  },
  async open({ recipe, link, file }) {
    stopPlaying();
    try {
      open(recipe ?? file ?? (await fromLink(link)));
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw error;
      postMessage({ refused: String(error.message ?? error) });
      return;
    }
    branches = [{ label: "the run", partedAt: 0 }];
    branch = 0;
    postMessage({ opened: machine.recipe() });
    tellAll();
  },
  // Opens what was kept, or `recipe` where that is of another version or damaged.
  async restore({ kept, recipe }) {
    stopPlaying();
    try {
      const { branches: list, branch: index } = JSON.parse(await fromLink(kept));
      openBranch(list, index);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw error;
      await deeds.open({ recipe });
      return;
    }
    postMessage({ opened: machine.recipe() });
    tellAll();
  },
  step({ count }) {
    stopPlaying();
    if (count < 0) {
      goTo(at + count);
    } else {
      const hit = advance(count);
      if (hit !== undefined && count !== 1) hitAt(hit);
    }
    tellAll();
  },
  stepTask({ task }) {
    stopPlaying();
    const from = at;
    do {
      const stood = at;
      advance(1);
      if (at === stood) break;
    } while (machine.polled() !== task && at - from < 100_000);
    tellAll();
  },
  play({ perSecond }) {
    stopPlaying();
    playing = perSecond;
    play();
  },
  pause() {
    stopPlaying();
    tellAll();
  },
  breakpoints({ list }) {
    breakpoints = JSON.stringify(list);
    machine?.stop_at(breakpoints);
  },
  seek({ step }) {
    stopPlaying();
    goTo(step);
    tellAll();
  },
  seekTime({ ns }) {
    stopPlaying();
    let [low, high] = [0, head];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= ns) low = middle;
      else high = middle - 1;
    }
    goTo(low);
    tellAll();
  },
  choose({ option }) {
    stopPlaying();
    if (at < head && machine.recorded() === option) {
      advance(1);
    } else {
      if (at < head) {
        part(`another choice at step ${at}`);
        truncate();
      }
      const from = at;
      if (machine.choose(option)) {
        at = head = from + 1;
        times.push(machine.now_ns());
        choices = undefined;
        sendTrace(from);
        keep();
      }
    }
    tellAll();
  },
  takeOver() {
    stopPlaying();
    const recipe = machine.recipe();
    const taken = aside(() => glue.take_over(recipe));
    part(`you from step ${at} on`);
    open(taken);
    postMessage({ opened: machine.recipe() });
    tellAll();
  },
  branch({ index }) {
    stopPlaying();
    const wanted = branches[index];
    if (index === branch || !wanted?.recipe) return;
    const stood = at;
    goTo(head);
    branches[branch] = { ...branches[branch], recipe: machine.recipe(), at: stood, head };
    openBranch(branches, index);
    postMessage({ opened: machine.recipe() });
    tellAll();
  },
  async recipe({ id }) {
    const recipe = machine.recipe();
    postMessage({ recipe, link: await toLink(recipe), id });
  },
  compare({ recipes: [a, b] }) {
    aside(() => {
      const comparison = new glue.Comparison(a, b);
      const trace = comparison.trace();
      postMessage({ compared: comparison.report() });
      postMessage({ trace, reset: true });
      // By hand: when the garbage collector would, the memory is long another.
      comparison.free();
    });
  },
  trace() {
    sent.forEach(({ bytes }, index) => postMessage({ trace: bytes, reset: index === 0 }));
    tellAll();
  },
  explore({ recipe, limits }) {
    if (machine) throw new Error("expected a worker of its own to explore in, found one with a run");
    exploration?.free();
    exploration = new glue.Exploration(recipe, limits?.states ?? 0);
    exploredMs = 0;
    explore();
  },
  ahead({ id, recipe }) {
    const ahead = exploration && !exploring ? exploration.ahead(recipe) : "null";
    postMessage({ ahead, id });
  },
  stop() {
    if (!exploring) return;
    clearTimeout(timer);
    exploration.stop();
    explore();
  },
  fail() {
    glue.fail();
  },
};

// A panic in the module is a trap: what is left of it cannot be trusted. It is thrown away, and a new one stands at the
// step before.
async function recover(error) {
  stopPlaying();
  exploration = undefined;
  let message = String(error.message ?? error);
  try {
    message = glue.last_panic() || message;
  } catch {
    // What is left cannot even say why.
  }
  const wanted = at;
  await fresh();
  machine = undefined;
  if (keyframes.size > 0) {
    let nearest = 0;
    for (const key of keyframes.keys()) if (key <= wanted && key > nearest) nearest = key;
    putBack(keyframes.get(nearest));
    at = nearest;
    if (choices) machine.follow(choices);
    advance(wanted - at);
  }
  postMessage({ failed: message, step: at });
  if (machine) tellAll();
}

async function guarded(work) {
  try {
    await work();
    if (wasm.memory.buffer.byteLength > MEMORY_BYTES_MAX && machine) {
      // A copy of what is in use, in an instance that never grew so far.
      const copy = keyframes.get(0);
      const wanted = at;
      await fresh();
      putBack(copy);
      at = 0;
      if (choices) machine.follow(choices);
      goTo(wanted);
    }
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) {
      postMessage({ refused: String(error?.message ?? error) });
      return;
    }
    try {
      await recover(error);
    } catch (again) {
      machine = undefined;
      postMessage({ failed: `${error.message}; and it cannot be opened again: ${again.message}`, step: at });
    }
  }
}

// One message after the other, also where one waits.
let turn = fresh().catch((error) => postMessage({ failed: String(error?.message ?? error), step: 0 }));
onmessage = ({ data }) => {
  turn = turn.then(() => guarded(() => deeds[data.do]?.(data)));
};
