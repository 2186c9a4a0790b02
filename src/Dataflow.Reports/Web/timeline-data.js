// A page's data, unpacked: what TimelinePage.cs writes, as typed arrays that are searched by time.

// The first index whose value is not below the one sought; all before it are.
const lowerBound = (count, below) => {
  let [from, to] = [0, count];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (below(middle)) from = middle + 1;
    else to = middle;
  }
  return from;
};

// An op that is waited for: {op, before}, where before says that it is the step before's.
const awaitedBy = (op, relative) =>
  relative === 0 ? null : relative > 0 ? { op: op - relative, before: false } : { op: -1 - relative, before: true };

const readStep = (step, count, lanes) => {
  const start = new Float64Array(count);
  const end = new Float64Array(count);
  let [first, last, sum] = [0, step.length, 0];
  for (let i = 0; i < count; i++) {
    sum += step.start[i];
    start[i] = sum;
    end[i] = sum + step.duration[i];
    first = Math.min(first, sum);
    last = Math.max(last, end[i]);
  }
  const memory = step.memory.map(pairs => {
    const time = new Float64Array(pairs.length / 2);
    const bytes = new Float64Array(pairs.length / 2);
    let [t, b, peak] = [0, 0, 0];
    for (let i = 0; i < time.length; i++) {
      time[i] = t += pairs[2 * i];
      bytes[i] = b += pairs[2 * i + 1];
      peak = Math.max(peak, b);
    }
    return { time, bytes, peak };
  });
  // A stream takes its ops in order; where times say otherwise (clocks differ), lanes are searched all the same.
  const ordered = lanes.map(lane => Int32Array.from(lane).sort((a, b) => start[a] - start[b] || a - b));
  const ends = ordered.map(lane => {
    let latest = -Infinity;
    return Float64Array.from(lane, i => latest = Math.max(latest, end[i]));
  });
  return {
    name: step.name,
    source: step.source,
    length: step.length,
    start,
    end,
    first,
    last,
    stall: step.stall,
    awaited: step.awaited,
    memory,
    lanes: ordered,
    ends,
  };
};

const readTimeline = data => {
  const count = data.kind.length;
  const rest = count === 0 ? [] : data.names.split('\n');
  const names = rest.map((name, i) => name ? `${data.kinds[data.kind[i]]} ${name}` : data.kinds[data.kind[i]]);
  const lanes = data.streams.map(() => []);
  for (let i = 0; i < count; i++) lanes[data.stream[i]].push(i);
  return {
    title: data.title,
    facts: data.facts,
    said: data.awaited,
    streams: data.streams,
    kinds: data.kinds,
    arenas: data.arenas,
    lengths: data.lengths,
    count,
    names,
    kind: data.kind,
    stream: data.stream,
    bytes: data.bytes,
    waits: data.waits,
    steps: data.steps.map(step => readStep(step, count, lanes)),
  };
};

// Calls back for each op of a lane that is in [from, to], its stall included, in order of time.
const visitOps = (step, lane, from, to, visit) => {
  const ops = step.lanes[lane];
  const ends = step.ends[lane];
  for (let k = lowerBound(ops.length, i => ends[i] < from); k < ops.length; k++) {
    const op = ops[k];
    if (step.start[op] - step.stall[op] > to) return;
    visit(op);
  }
};

// The op at a time, or that before which the lane is idle then: {op, stalled}; null where nothing is to be said.
const opAt = (step, lane, time, slack) => {
  let [found, distance] = [null, slack];
  visitOps(step, lane, time - slack, time + slack, op => {
    const away = Math.max(0, step.start[op] - time, time - step.end[op]);
    if (away <= distance && !(found && away === distance)) [found, distance] = [{ op, stalled: false }, away];
    else if (!found && step.stall[op] > 0 && time >= step.start[op] - step.stall[op] && time < step.start[op])
      found = { op, stalled: true };
  });
  return found;
};

// Ops whose name has, for each term, a word that begins with it; words end at spaces, slashes and equal signs.
const searchOps = (model, text) => {
  const terms = text.trim().split(/\s+/).filter(t => t).map(t => new RegExp(`(^|[ /=])${t.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`, 'i'));
  const found = [];
  if (terms.length === 0) return found;
  for (let i = 0; i < model.count; i++) {
    if (terms.every(t => t.test(model.names[i]))) found.push(i);
  }
  return found;
};

// Who waits for an op, made once: lists of {op, after}, where after says that it is the step after's.
const readWaiters = model => {
  const waiters = Array.from({ length: model.count }, () => []);
  model.waits.forEach((waits, op) => waits.forEach(w => {
    const awaited = awaitedBy(op, w);
    waiters[awaited.op].push({ op, after: awaited.before });
  }));
  return waiters;
};

// Stalls by stream and by what they waited for, the computing stream's first, then the longest first: {stream, what, time, times, longest}.
const sumStalls = (model, step) => {
  const sums = new Map();
  for (let op = 0; op < model.count; op++) {
    if (step.stall[op] <= 0) continue;
    const awaited = awaitedBy(op, step.awaited[op]);
    const name = awaited === null ? 'no other op' : model.names[awaited.op].replace(/\/.*| [A-Z]\d.*/, '');
    const what = model.said[name] ?? name;
    const key = `${model.stream[op]} ${what}`;
    const sum = sums.get(key) ?? { stream: model.stream[op], what, time: 0, times: 0, longest: op };
    sum.time += step.stall[op];
    sum.times++;
    if (step.stall[op] > step.stall[sum.longest]) sum.longest = op;
    sums.set(key, sum);
  }
  return [...sums.values()].sort((a, b) => (a.stream > 0) - (b.stream > 0) || b.time - a.time);
};
