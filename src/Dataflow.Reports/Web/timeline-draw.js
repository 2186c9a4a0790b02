// Draws what is in view, and no more: each lane's ops are found by binary search, and ops narrower than a pixel share it.

const palette = {
  Embed: '#2aa198',
  EmbedBackward: '#a8452c',
  Forward: '#3b78cf',
  Project: '#2b5fa8',
  Attend: '#5d9df0',
  Combine: '#4a8ade',
  Head: '#7a5ad0',
  HeadLoss: '#9273e6',
  HeadBackward: '#a64ac4',
  Recompute: '#d9b02c',
  Backward: '#d9662b',
  CombineBackward: '#e5823f',
  AttendBackward: '#f29a5c',
  ProjectBackward: '#c25418',
  Norm: '#8593a1',
  Update: '#3f9c53',
  Fetch: '#6fb3c2',
  Save: '#c98aab',
  Zero: '#a5abb2',
};
const colourOf = kind => palette[kind] ?? '#8593a1';
const inkOn = colour => {
  const [r, g, b] = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? '#10151a' : '#ffffff';
};

const ruler = 22;
const heading = 24;
const laneHeight = 30;
const barHeight = 22;
const memoryHeight = 58;
const arrowsShown = 200;

const styleOf = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Drawing {
  constructor(canvas, model) {
    [this.canvas, this.model] = [canvas, model];
    this.context = canvas.getContext('2d');
    this.height = ruler + model.steps.length * this.stepHeight;
    this.readColours();
    this.resize();
  }

  get stepHeight() {
    return heading + this.model.streams.length * laneHeight + this.model.arenas.length * memoryHeight;
  }

  readColours() {
    this.colours = Object.fromEntries(
      ['page', 'panel', 'line', 'text', 'quiet', 'accent', 'stall', 'lane', 'memory', 'memory-line'].map(n => [n, styleOf(`--${n}`)]),
    );
    this.hatch = this.makeHatch();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.style.height = `${this.height + 2}px`;
    this.width = this.canvas.clientWidth;
    this.gutter = this.width < 600 ? 66 : 84;
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    this.ratio = ratio;
  }

  makeHatch() {
    const tile = document.createElement('canvas');
    tile.width = tile.height = 6;
    const c = tile.getContext('2d');
    c.strokeStyle = this.colours.stall;
    c.lineWidth = 1.2;
    c.beginPath();
    for (const x of [-6, 0, 6]) {
      c.moveTo(x, 6);
      c.lineTo(x + 6, 0);
    }
    c.stroke();
    return this.context.createPattern(tile, 'repeat');
  }

  x(time) { return this.gutter + (time - this.offset - this.from) * this.scale; }
  time(x) { return this.from + (x - this.gutter) / this.scale; }
  // How far a timeline is moved so that the selected op begins where it does in the first.
  offsetOf(step, state) {
    return state.aligned && state.selected !== null ? step.start[state.selected] - this.model.steps[0].start[state.selected] : 0;
  }

  stepTop(step) { return ruler + step * this.stepHeight; }
  laneTop(step, lane) { return this.stepTop(step) + heading + lane * laneHeight; }
  memoryTop(step, arena) { return this.laneTop(step, this.model.streams.length) + arena * memoryHeight; }

  // What is under a point: {step, lane}, {step, arena}, or null.
  partAt(x, y) {
    const step = Math.floor((y - ruler) / this.stepHeight);
    if (step < 0 || step >= this.model.steps.length || x < this.gutter) return null;
    const inside = y - this.laneTop(step, 0);
    if (inside < 0) return null;
    const lane = Math.floor(inside / laneHeight);
    if (lane < this.model.streams.length) return { step, lane };
    const arena = Math.floor((y - this.memoryTop(step, 0)) / memoryHeight);
    return arena < this.model.arenas.length ? { step, arena } : null;
  }

  // state: {from, to, selected, hovered, matching (or null), waiters, allWaits, aligned}
  draw(state) {
    const { context: c, colours } = this;
    this.from = state.from;
    this.scale = (this.width - this.gutter) / (state.to - state.from);
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    c.fillStyle = colours.page;
    c.fillRect(0, 0, this.width, this.height);
    c.font = '12px system-ui, "DejaVu Sans", sans-serif';
    c.textBaseline = 'middle';
    this.offset = 0;
    this.ticks(state);
    this.model.steps.forEach((step, at) => {
      this.offset = this.offsetOf(step, state);
      this.title(step, at);
      c.save();
      c.beginPath();
      c.rect(this.gutter, 0, this.width - this.gutter, this.height);
      c.clip();
      const visible = this.model.streams.flatMap((_, lane) => this.lane(step, at, lane, state));
      this.model.arenas.forEach((_, arena) => this.memory(step, at, arena, state));
      this.waits(step, at, visible, state);
      c.restore();
      this.labels(step, at);
    });
  }

  ticks(state) {
    const { context: c, colours } = this;
    const wanted = Math.max(2, (this.width - this.gutter) / 110);
    const rough = (state.to - state.from) / wanted;
    const power = 10 ** Math.floor(Math.log10(rough));
    const gap = power * [1, 2, 5, 10].find(m => m * power >= rough);
    for (let t = Math.ceil(state.from / gap) * gap; t <= state.to; t += gap) {
      const x = Math.round(this.x(t)) + 0.5;
      c.fillStyle = colours.line;
      c.fillRect(x, ruler - 6, 1, this.height);
      c.fillStyle = colours.quiet;
      const label = formatTime(Math.round(t));
      const inside = x + 3 + c.measureText(label).width <= this.width; // the last one stands on its line's other side where it would be cut
      c.textAlign = inside ? 'left' : 'right';
      c.fillText(label, inside ? x + 3 : x - 3, ruler / 2);
    }
  }

  title(step, at) {
    const { context: c, colours } = this;
    const top = this.stepTop(at);
    c.fillStyle = colours.panel;
    c.fillRect(0, top, this.width, heading - 2);
    c.fillStyle = colours.text;
    c.textAlign = 'left';
    const first = this.model.steps[0];
    const apart = at > 0 ? ` (${step.length >= first.length ? '+' : ''}${significant(100 * (step.length / first.length - 1), 3)}%)` : '';
    c.fillText(
      this.cut(`${step.source}: ${step.name} · step ${formatTime(step.length)}${apart}`, this.width - 16),
      8,
      top + heading / 2 - 1,
    );
  }

  labels(step, at) {
    const { context: c, colours } = this;
    c.textAlign = 'left';
    this.model.streams.forEach((name, lane) => {
      c.fillStyle = colours.text;
      c.fillText(this.cut(name, this.gutter - 10), 6, this.laneTop(at, lane) + laneHeight / 2);
    });
    this.model.arenas.forEach((name, arena) => {
      c.fillStyle = colours.text;
      c.fillText(this.cut(name, this.gutter - 10), 6, this.memoryTop(at, arena) + memoryHeight / 2);
    });
  }

  // Draws a lane and returns its ops in view that are wide enough to have arrows.
  lane(step, at, lane, state) {
    const { context: c, colours } = this;
    const top = this.laneTop(at, lane) + (laneHeight - barHeight) / 2;
    const shown = [];
    c.fillStyle = colours.lane;
    c.fillRect(this.gutter, top, this.width - this.gutter, barHeight);
    let run = null; // ops that begin in one pixel: the longest gives its colour, the share that they fill its strength
    const flush = () => {
      if (run)
        this.bar(run.op, run.pixel, Math.max(Math.floor(run.right), run.pixel + 1), top, state, Math.max(0.2, Math.min(1, run.busy)));
      run = null;
    };
    visitOps(step, lane, state.from + this.offset, state.to + this.offset, op => {
      const [left, right] = [this.x(step.start[op]), this.x(step.end[op])];
      if (step.stall[op] > 0) this.stall(step, op, left, top);
      if (right - left >= 2) {
        flush();
        this.bar(op, left, right, top, state, 1);
        if (right - left >= 6) shown.push(op);
        return;
      }
      const pixel = Math.floor(left);
      if (run?.pixel !== pixel) {
        flush();
        run = { op, pixel, right, busy: right - left };
        return;
      }
      run.right = right;
      run.busy += right - left;
      const better = state.matching ? state.matching[op] - state.matching[run.op] : 0;
      if (better > 0 || (better === 0 && step.end[op] - step.start[op] > step.end[run.op] - step.start[run.op])) run.op = op;
    });
    flush();
    return shown;
  }

  bar(op, left, right, top, state, strength) {
    const { context: c, colours, model } = this;
    const colour = colourOf(model.kinds[model.kind[op]]);
    [left, right] = [Math.max(left, this.gutter - 4), Math.min(right, this.width + 4)];
    const width = right - left > 3 ? right - left - 0.5 : right - left;
    const faded = state.matching && !state.matching[op];
    c.globalAlpha = faded ? 0.22 : state.matching ? 1 : strength;
    c.fillStyle = colour;
    c.fillRect(left, top, width, barHeight);
    if (width > 34 && !faded) {
      c.fillStyle = inkOn(colour);
      c.textAlign = 'left';
      c.fillText(this.cut(model.names[op], width - 8, model.kinds[model.kind[op]]), Math.max(left, this.gutter) + 4, top + barHeight / 2);
    }
    c.globalAlpha = 1;
    if (op === state.selected || op === state.hovered) {
      c.strokeStyle = colours.text;
      c.lineWidth = op === state.selected ? 2.5 : 1;
      c.strokeRect(left, top, Math.max(width, 2), barHeight);
    }
  }

  stall(step, op, right, top) {
    const { context: c, colours, model } = this;
    const left = Math.max(this.x(step.start[op] - step.stall[op]), this.gutter - 4);
    const width = Math.min(right, this.width + 4) - left;
    if (width < 1) return;
    c.fillStyle = this.hatch;
    c.fillRect(left, top + 3, width, barHeight - 6);
    const awaited = awaitedBy(op, step.awaited[op]);
    if (width > 110 && awaited) {
      const text = this.cut(`waits for ${model.names[awaited.op]}${awaited.before ? ' (step before)' : ''}`, width - 14);
      c.fillStyle = colours.page;
      c.fillRect(left + 4, top + 4, c.measureText(text).width + 6, barHeight - 8);
      c.fillStyle = colours.stall;
      c.textAlign = 'left';
      c.fillText(text, left + 7, top + barHeight / 2);
    }
  }

  memory(step, at, arena, state) {
    const { context: c, colours } = this;
    const { time, bytes } = step.memory[arena];
    const [top, height] = [this.memoryTop(at, arena) + 4, memoryHeight - 10];
    const limit = this.model.lengths[arena] || 1;
    const y = b => top + height - (b / limit) * height;
    c.fillStyle = colours.lane;
    c.fillRect(this.gutter, top, this.width - this.gutter, height);
    let k = lowerBound(time.length, i => time[i] < state.from + this.offset);
    let level = k > 0 ? bytes[k - 1] : 0;
    c.beginPath();
    const begin = Math.max(this.gutter, this.x(Math.min(step.first, time[0] ?? 0)));
    c.moveTo(begin, top + height);
    c.lineTo(begin, y(level));
    while (k < time.length && time[k] <= state.to + this.offset) {
      // Changes that share a pixel: the most of them is what counts.
      const x = this.x(time[k]);
      let most = Math.max(level, bytes[k]);
      c.lineTo(x, y(level));
      for (level = bytes[k++]; k < time.length && this.x(time[k]) < x + 1; level = bytes[k++]) most = Math.max(most, bytes[k]);
      c.lineTo(x, y(Math.max(most, level)));
      c.lineTo(x, y(level));
    }
    const right = Math.min(this.width, k < time.length ? this.width : this.x(step.last));
    c.lineTo(right, y(level));
    c.lineTo(right, top + height);
    c.fillStyle = colours.memory;
    c.fill();
    c.strokeStyle = colours['memory-line'];
    c.lineWidth = 1;
    c.stroke();
    const text = `in use at most ${formatBytes(step.memory[arena].peak)} of ${formatBytes(limit)}`;
    const wide = c.measureText(text).width;
    c.fillStyle = colours.page;
    c.fillRect(this.width - wide - 10, top + height - 18, wide + 8, 16);
    c.fillStyle = colours.text;
    c.textAlign = 'right';
    c.fillText(text, this.width - 6, top + height - 10);
  }

  // Arrows from what was awaited to what waited: of the selected op all, of others those that held them up, or all if that is asked.
  waits(step, at, visible, state) {
    const { model } = this;
    const selected = state.selected;
    if (visible.length <= arrowsShown) {
      for (const op of visible) {
        const awaited = awaitedBy(op, step.awaited[op]);
        if (state.allWaits) model.waits[op].forEach(w => this.arrow(step, at, awaitedBy(op, w), op, this.colours.quiet, 0.6));
        if (awaited && step.stall[op] > 0) this.arrow(step, at, awaited, op, this.colours.stall, 1);
      }
    }
    if (selected === null) return;
    for (const w of model.waits[selected]) this.arrow(step, at, awaitedBy(selected, w), selected, this.colours.accent, 1.8);
    for (const waiter of state.waiters[selected]) {
      if (!waiter.after) this.arrow(step, at, { op: selected, before: false }, waiter.op, this.colours.quiet, 1.4);
    }
  }

  arrow(step, at, awaited, op, colour, width) {
    const { context: c, model } = this;
    const x1 = this.x(step.end[awaited.op] - (awaited.before ? step.length : 0));
    const x2 = this.x(step.start[op]);
    if ((x1 < this.gutter - 2000 && x2 < this.gutter) || x1 > this.width + 2000) return;
    const y1 = this.laneTop(at, model.stream[awaited.op]) + laneHeight / 2;
    const y2 = this.laneTop(at, model.stream[op]) + laneHeight / 2;
    const from = Math.max(x1, this.gutter - 40);
    const tip = y2 > y1 ? y2 - barHeight / 2 : y2 + barHeight / 2;
    const bend = Math.max(10, Math.min(60, Math.abs(x2 - from) / 2));
    c.strokeStyle = c.fillStyle = colour;
    c.lineWidth = width;
    c.beginPath();
    c.moveTo(from, y1);
    c.bezierCurveTo(from + bend, y1, x2, y1 + (tip - y1) / 2, x2, tip);
    c.stroke();
    const back = Math.sign(y1 - tip) * 6;
    c.beginPath();
    c.moveTo(x2, tip);
    c.lineTo(x2 - 3.5, tip + back);
    c.lineTo(x2 + 3.5, tip + back);
    c.fill();
  }

  // The text; where it is too wide, without its kind, which the colour says, and then shortened.
  cut(text, width, kind) {
    const { context: c } = this;
    if (c.measureText(text).width <= width) return text;
    const short = kind ? text.slice(kind.length + 1) || text : text;
    if (c.measureText(short).width <= width) return short;
    const fits = lowerBound(short.length, i => c.measureText(`${short.slice(0, i + 1)}…`).width <= width);
    return fits > 1 ? `${short.slice(0, fits)}…` : '';
  }
}
