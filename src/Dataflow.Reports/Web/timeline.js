// The timeline page: what the user does, and the panels of text around the drawing.

const byId = id => document.getElementById(id);
const model = readTimeline(await unpack(byId('data').textContent));
const whole = {
  from: Math.min(...model.steps.map(s => s.first)),
  to: Math.max(...model.steps.map(s => s.last), 1),
};
const state = {
  from: whole.from,
  to: whole.to,
  selected: null,
  hovered: null,
  matching: null,
  allWaits: false,
  aligned: false,
  waiters: readWaiters(model),
};
const canvas = byId('view');
const drawing = new Drawing(canvas, model);
let matches = [];
let match = -1;
let pending = false;

const redraw = () => {
  if (pending) return;
  pending = true;
  requestAnimationFrame(() => {
    pending = false;
    drawing.draw(state);
  });
};

// The range in view, held within the steps and a margin, and never below 20 ns.
const show = (from, to) => {
  const length = Math.min(Math.max(to - from, 20), (whole.to - whole.from) * 1.04);
  const centre = (from + to) / 2;
  const margin = (whole.to - whole.from) * 0.02;
  state.from = Math.max(whole.from - margin, Math.min(centre - length / 2, whole.to + margin - length));
  state.to = state.from + length;
  redraw();
};
const zoom = (factor, at = (state.from + state.to) / 2) => show(at - (at - state.from) * factor, at + (state.to - at) * factor);
const pan = share => show(state.from + share * (state.to - state.from), state.to + share * (state.to - state.from));
const fit = () => show(whole.from, whole.to);

const reveal = (op, at = 0) => {
  select(op);
  const step = model.steps[at];
  const offset = drawing.offsetOf(step, state);
  const [from, to] = [step.start[op] - step.stall[op] - offset, step.end[op] - offset];
  const length = Math.max(to - from, 100);
  show(from - 4 * length, to + 4 * length);
};

const opLink = (op, suffix = '') => element('button', { class: 'link', click: () => reveal(op) }, `${model.names[op]}${suffix}`);
const listOf = items => items.flatMap((item, i) => (i > 0 ? [', ', item] : [item]));
const shortened = (items, make) => [
  ...listOf(items.slice(0, 12).map(make)),
  ...(items.length > 12 ? [` and ${items.length - 12} more`] : []),
];

const select = op => {
  state.selected = op;
  const panel = byId('selected');
  if (op === null) {
    panel.hidden = true;
    redraw();
    return;
  }
  panel.hidden = false;
  const rows = [['stream', model.streams[model.stream[op]]]];
  for (const step of model.steps) {
    const duration = step.end[op] - step.start[op];
    const rate =
      model.bytes[op] > 0 && duration > 0 ? `, ${formatBytes(model.bytes[op])} at ${significant(model.bytes[op] / duration, 3)} GB/s` : '';
    rows.push([
      step.source.toLowerCase(),
      `${formatTime(duration)} from ${formatTime(step.start[op])} to ${formatTime(step.end[op])}${rate}`,
    ]);
    const awaited = awaitedBy(op, step.awaited[op]);
    if (step.stall[op] > 0) {
      rows.push([
        'stalled',
        [
          `${formatTime(step.stall[op])}, `,
          ...(awaited ? ['waiting for ', opLink(awaited.op, awaited.before ? ' (step before)' : '')] : ['not held up by a wait']),
        ],
      ]);
    }
  }
  if (model.steps.length > 1) {
    const [a, b] = model.steps.map(s => s.end[op] - s.start[op]);
    if (a > 0) rows.push(['difference', `${b >= a ? '+' : ''}${significant(100 * (b / a - 1), 3)}%`]);
  }
  const waits = model.waits[op].map(w => awaitedBy(op, w));
  if (waits.length > 0) rows.push(['waits for', shortened(waits, w => opLink(w.op, w.before ? ' (step before)' : ''))]);
  const waiters = state.waiters[op];
  if (waiters.length > 0) rows.push(['awaited by', shortened(waiters, w => opLink(w.op, w.after ? ' (step after)' : ''))]);
  panel.replaceChildren(
    element('h2', {}, model.names[op]),
    element('dl', {}, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, ...[value].flat())])),
  );
  redraw();
};

const search = text => {
  matches = searchOps(model, text);
  match = -1;
  state.matching = null;
  if (text.trim() !== '') {
    state.matching = new Uint8Array(model.count);
    let time = 0;
    for (const op of matches) {
      state.matching[op] = 1;
      time += model.steps[0].end[op] - model.steps[0].start[op];
    }
    byId('matches').textContent =
      matches.length === 0 ? 'no op has such words in its name' : `${formatCount(matches.length, 'op')}, ${formatTime(time)}`;
  } else {
    byId('matches').textContent = '';
  }
  redraw();
};
const step = by => {
  if (matches.length === 0) return;
  match = match < 0 ? (by > 0 ? 0 : matches.length - 1) : (match + by + matches.length) % matches.length;
  byId('matches').textContent = `${match + 1} of ${formatCount(matches.length, 'op')}`;
  reveal(matches[match]);
};

// What the ops do, in the words of a newcomer; shown where a pointer rests, and those of the copies below the lanes.
const meanings = {
  Embed: 'looks tokens up in the embedding',
  EmbedBackward: "adds up the gradients of the embedding's rows",
  Forward: "a layer's forward pass of a chunk",
  Head: 'the loss of a chunk, and its gradient',
  Recompute: 'computes again what the forward did not save',
  Backward: "a layer's backward pass of a chunk",
  Norm: 'the global norm of the gradients',
  Update: "the optimizer's update",
  Fetch: 'a copy from host to device memory',
  Save: 'a copy from device to host memory',
  Zero: 'clears memory',
  Project: 'keys, values and queries of a chunk',
  Attend: 'attention of a chunk to one segment of its context',
  Combine: 'what follows attention in a layer',
  HeadLoss: 'the loss over a part of the vocabulary',
  HeadBackward: 'gradients of a part of the vocabulary',
  ProjectBackward: 'backward of the projections',
  AttendBackward: 'backward of attention to one segment',
  CombineBackward: 'backward of what follows attention',
};

const fillLegend = () => {
  const times = new Map();
  for (let op = 0; op < model.count; op++) {
    times.set(model.kind[op], (times.get(model.kind[op]) ?? 0) + model.steps[0].end[op] - model.steps[0].start[op]);
  }
  byId('legend').append(
    ...[...times]
      .sort((a, b) => b[1] - a[1])
      .map(([kind, time]) =>
        element(
          'button',
          {
            title: `${meanings[model.kinds[kind]] ?? ''}; click to search for these`,
            click: () => {
              byId('search').value = model.kinds[kind].toLowerCase();
              search(byId('search').value);
            },
          },
          element('span', { class: 'swatch', style: `background:${colourOf(model.kinds[kind])}` }),
          `${model.kinds[kind]} ${formatTime(time)}`,
        ),
      ),
    element('span', { class: 'row quiet', style: 'margin:0' }, element('span', { class: 'swatch stalled' }), 'stalled'),
  );
  byId('key').textContent = `${[...times.keys()]
    .map(k => model.kinds[k])
    .filter(k => k === 'Fetch' || k === 'Save')
    .map(k => `${k}: ${meanings[k]}. `)
    .join('')}Click an op to see what it waited for; drag to move; wheel, pinch or + and − to zoom; 0 shows the whole step.`;
};

const fillStalls = () => {
  byId('stalls').replaceChildren(
    element('h2', {}, 'What streams waited for'),
    ...model.steps.map((step, at) => {
      const sums = sumStalls(model, step).slice(0, 12);
      if (sums.length === 0) return element('p', { class: 'quiet' }, `${step.name}: nothing stalled.`);
      return element(
        'div',
        { class: 'scroll' },
        model.steps.length > 1 ? element('p', { class: 'quiet' }, step.name) : null,
        element(
          'table',
          {},
          element(
            'tr',
            {},
            ...['stream', 'waited for', 'time', 'of step', 'times'].map((t, i) => element('th', { class: i > 1 && 'number' }, t)),
          ),
          ...sums.map(s =>
            element(
              'tr',
              {},
              element('td', {}, model.streams[s.stream]),
              element(
                'td',
                {},
                element('button', { class: 'link', title: 'Show the longest', click: () => reveal(s.longest, at) }, s.what),
              ),
              element('td', { class: 'number' }, formatTime(s.time)),
              element('td', { class: 'number' }, formatPercent(s.time / step.length)),
              element('td', { class: 'number' }, s.times.toLocaleString('en')),
            ),
          ),
        ),
      );
    }),
  );
};

// Stalls of the first stream, longest first, one after the other.
let worst = -1;
let stalled = null;
const nextStall = () => {
  const { stall } = model.steps[0];
  stalled ??= model.steps[0].lanes[0] ? [...model.steps[0].lanes[0]].filter(op => stall[op] > 0).sort((a, b) => stall[b] - stall[a]) : [];
  if (stalled.length > 0) reveal(stalled[(worst = (worst + 1) % stalled.length)]);
};

const tip = element('div', { class: 'tip', hidden: true });
document.body.append(tip);
const hover = (x, y, pageX, pageY) => {
  const part = drawing.partAt(x, y);
  let text = '';
  state.hovered = null;
  if (part) {
    const step = model.steps[part.step];
    const time = drawing.time(x) + drawing.offsetOf(step, state);
    if (part.lane !== undefined) {
      const hit = opAt(step, part.lane, time, 2 / drawing.scale);
      if (hit && !hit.stalled) {
        state.hovered = hit.op;
        text = `${model.names[hit.op]}\n${formatTime(step.end[hit.op] - step.start[hit.op])}`;
      } else if (hit) {
        const awaited = awaitedBy(hit.op, step.awaited[hit.op]);
        text = `stalled ${formatTime(step.stall[hit.op])}\n${awaited ? `waits for ${model.names[awaited.op]}` : 'no wait held it up'}`;
      }
    } else {
      const { time: times, bytes } = step.memory[part.arena];
      const k = lowerBound(times.length, i => times[i] <= time);
      text = `${model.arenas[part.arena]}: ${formatBytes(k > 0 ? bytes[k - 1] : 0)} in use of ${formatBytes(model.lengths[part.arena])}`;
    }
  }
  tip.hidden = text === '';
  tip.textContent = text;
  if (text) {
    tip.style.left = `${Math.max(4, Math.min(pageX + 12, window.innerWidth - tip.offsetWidth - 8))}px`;
    tip.style.top = `${pageY + 16 + tip.offsetHeight > window.innerHeight ? pageY - tip.offsetHeight - 8 : pageY + 16}px`;
  }
  redraw();
};

// One pointer drags, two pinch, none that moved is a click.
const pointers = new Map();
let travelled = 0;
const inside = event => {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left - 1, event.clientY - box.top - 1];
};
canvas.addEventListener('pointerdown', event => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, inside(event)[0]);
  if (pointers.size === 1) travelled = 0;
});
canvas.addEventListener('pointermove', event => {
  const [x, y] = inside(event);
  if (!pointers.has(event.pointerId)) {
    hover(x, y, event.clientX, event.clientY);
    return;
  }
  const before = [...pointers.values()];
  const old = pointers.get(event.pointerId);
  pointers.set(event.pointerId, x);
  travelled += Math.abs(x - old);
  if (pointers.size === 1 && travelled > 4) {
    show(state.from - (x - old) / drawing.scale, state.to - (x - old) / drawing.scale);
  } else if (pointers.size === 2) {
    const after = [...pointers.values()];
    const [wide, now] = [before, after].map(p => Math.max(10, Math.abs(p[0] - p[1])));
    zoom(wide / now, drawing.time((after[0] + after[1]) / 2));
  }
});
canvas.addEventListener('pointerup', event => {
  pointers.delete(event.pointerId);
  const [x, y] = inside(event);
  const part = drawing.partAt(x, y);
  if (travelled > 4 || pointers.size > 0) return;
  const time = part && drawing.time(x) + drawing.offsetOf(model.steps[part.step], state);
  select(part?.lane === undefined ? null : (opAt(model.steps[part.step], part.lane, time, 3 / drawing.scale)?.op ?? null));
});
canvas.addEventListener('pointercancel', event => pointers.delete(event.pointerId));
canvas.addEventListener('pointerleave', () => {
  tip.hidden = true;
  state.hovered = null;
  redraw();
});
canvas.addEventListener(
  'wheel',
  event => {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan((event.deltaX || event.deltaY) / 1000);
    else zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) / 250), drawing.time(inside(event)[0]));
  },
  { passive: false },
);
const keys = {
  ArrowLeft: () => pan(-0.2),
  ArrowRight: () => pan(0.2),
  a: () => pan(-0.2),
  d: () => pan(0.2),
  '+': () => zoom(0.6),
  '=': () => zoom(0.6),
  w: () => zoom(0.6),
  '-': () => zoom(1 / 0.6),
  s: () => zoom(1 / 0.6),
  0: fit,
  Escape: () => select(null),
  n: () => step(1),
  N: () => step(-1),
};
canvas.addEventListener('keydown', event => {
  if (keys[event.key] && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    keys[event.key]();
  }
});
document.addEventListener('keydown', event => {
  if (event.key === '/' && document.activeElement !== byId('search')) {
    event.preventDefault();
    byId('search').focus();
  }
});
byId('search').addEventListener('input', event => search(event.target.value));
byId('search').addEventListener('keydown', event => {
  if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
});
const clicks = { previous: () => step(-1), next: () => step(1), in: () => zoom(0.5), out: () => zoom(2), fit, worst: nextStall };
for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener('click', act);
byId('waits').addEventListener('change', event => {
  state.allWaits = event.target.checked;
  redraw();
});
byId('alignment').style.display = model.steps.length > 1 ? '' : 'none';
byId('align').addEventListener('change', event => {
  state.aligned = event.target.checked;
  redraw();
});
new ResizeObserver(() => {
  drawing.resize();
  redraw();
}).observe(canvas);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  drawing.readColours();
  redraw();
});

byId('title').textContent = model.title;
byId('facts').textContent = [formatCount(model.count, 'op'), ...model.facts].join(' · ');
fillLegend();
fillStalls();
select(null);
fit();

// For the console and for tests: a module's names are its own.
window.timeline = { model, state, drawing, zoom };
document.documentElement.dataset.ready = '';
