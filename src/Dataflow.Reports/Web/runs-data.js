// Lines of metrics.jsonl as what charts are of: runs with their steps, marks and ends.

const newRun = (name, index) => ({ name, index, shown: true, heads: [], steps: [], marks: [], end: null, hours: 0 });

const markText = {
  changed: line => `${line.setting}: ${line.from ?? 'none'} → ${line.to ?? 'none'}`,
  rollback: line => `back from step ${line.from_step}, whose loss was ${shortNumber(line.loss)}, to step ${line.step}`,
  interrupted: line => `interrupted after step ${line.step}`,
  failed: line => line.message,
  save_failed: line => `step ${line.step} was not saved: ${line.message}`,
};

// Adds a line, as the file has it.
const addLine = (run, line) => {
  if (line.event === 'step') {
    // Of a long run a page has some steps; those between took as long as the one that is there.
    run.hours += ((line.seconds ?? 0) * (line.step - (run.steps.at(-1)?.step ?? line.step - 1))) / 3600;
    run.steps.push({ ...line, hours: run.hours });
    run.end = null;
  } else if (line.event === 'run') {
    if (run.heads.length > 0) run.marks.push({ step: line.step, kind: 'gone on with', text: `gone on with after step ${line.step}` });
    run.heads.push(line);
    run.end = null;
  } else if (line.event === 'summary') {
    run.end ??= 'finished';
  } else if (markText[line.event]) {
    run.marks.push({ step: line.step, kind: line.event.replace('_', ' '), text: markText[line.event](line) });
    if (line.event === 'interrupted' || line.event === 'failed') run.end = line.event;
  }
};

const headOf = run => run.heads.at(-1) ?? {};

const across = {
  step: { name: 'step', of: step => step.step },
  tokens: { name: 'tokens', of: step => step.all_tokens },
  hours: { name: 'hours of training', of: step => step.hours },
};

// An exponential average without the pull of its beginning; gaps stay gaps.
const smoothedValues = (values, weight) => {
  let [sum, total] = [0, 0];
  return values.map(value => {
    if (value === null || value === undefined) return null;
    [sum, total] = [sum * weight + value * (1 - weight), total * weight + (1 - weight)];
    return Number((sum / total).toPrecision(9)); // what stays the same is drawn as such
  });
};

const groupOf = (step, name) => step.groups?.find(g => g.group === name);
const groupNames = runs => [...new Set(runs.flatMap(r => r.steps.find(s => s.groups)?.groups.map(g => g.group) ?? []))];
const most = (list, of) => (list?.length > 0 ? Math.max(...list.map(of)) : undefined);

const bytesTick = value => formatBytes(value);
const shareTick = value => `${Math.round(100 * value)}%`;
const streamNames = { compute: 'compute', h2d: 'to device', d2h: 'to host' };

// The charts: what their lines are of a step (or, where it stays the same, of a run's head), and how they look.
const runCharts = group => [
  {
    id: 'loss', title: 'Loss', unit: 'nats', log: true,
    lines: [
      { name: 'training', of: s => s.loss, smooth: true },
      { name: 'validation', of: s => s.validation_loss, sparse: true },
    ],
  },
  { id: 'rate', title: 'Learning rate', unit: '', log: true, lines: [{ name: 'learning rate', of: s => s.lr }] },
  {
    id: 'norm', title: group === '' ? 'Gradient norm' : `Gradient norm of ${group}`, unit: '', log: true,
    lines: [{
      name: 'gradient norm', smooth: true, sparse: group !== '',
      of: s => (group === '' ? s.gradient_norm : groupOf(s, group)?.gradient_norm),
    }],
  },
  {
    id: 'update', title: `Update over weight of ${group}`, unit: '', log: true,
    lines: group === '' ? [] : [{ name: 'update over weight', of: s => groupOf(s, group)?.update_ratio, sparse: true }],
  },
  {
    id: 'speed', title: 'Tokens a second, against the prediction', unit: '', tick: tickNumber,
    lines: [
      { name: 'measured', of: s => s.tok_per_sec, smooth: true },
      { name: 'predicted', of: s => s.predicted_tok_per_sec, dashes: 'dashed' },
    ],
  },
  {
    id: 'memory', title: 'Memory', unit: '', tick: bytesTick, wide: true,
    lines: [
      { name: 'device arena, by the plan', ofHead: h => h.device_bytes, dashes: 'dashed' },
      { name: 'host arena, by the plan', ofHead: h => h.host_bytes, dashes: 'dotted' },
      { name: 'process', of: s => s.process_bytes, sparse: true },
      { name: 'GPU, by the driver', of: s => s.device_taken_bytes, sparse: true },
    ],
  },
  {
    id: 'busy', title: 'How busy streams are', unit: '', tick: shareTick, most: 1,
    lines: ['compute', 'h2d', 'd2h'].flatMap((stream, i) => [
      { name: `${streamNames[stream]}`, of: s => s.busy?.[stream], sparse: true, symbol: ['circle', 'rect', 'triangle'][i] },
    ]),
  },
  {
    id: 'experts', title: 'Load of experts over the mean', unit: '',
    lines: [
      { name: 'most loaded of all layers', of: s => most(s.experts, e => e.most), sparse: true },
      { name: 'most loaded of the evenest layer', of: s => (s.experts ? -most(s.experts, e => -e.most) : undefined), sparse: true,
        symbol: 'rect' },
    ],
  },
  {
    id: 'margin', title: 'Preferences: margin of rewards', unit: 'nats',
    lines: [
      { name: 'training', of: s => s.preferences?.margin, smooth: true },
      { name: 'validation', of: s => s.validation_preferences?.margin, sparse: true },
    ],
  },
  {
    id: 'accuracy', title: 'Preferences: accuracy', unit: '', tick: shareTick, most: 1,
    lines: [
      { name: 'training', of: s => s.preferences?.accuracy, smooth: true },
      { name: 'validation', of: s => s.validation_preferences?.accuracy, sparse: true },
    ],
  },
];

// A line's points over an axis: [x, y], without the steps that have none.
const pointsOf = (run, line, over) => {
  if (line.ofHead) {
    const value = line.ofHead(headOf(run));
    return value === undefined || run.steps.length === 0 ? []
      : [run.steps[0], run.steps.at(-1)].map(s => [across[over].of(s), value]);
  }
  return run.steps.map(s => [across[over].of(s), line.of(s) ?? null, s]).filter(([x, y]) => y !== null || !line.sparse);
};

const hasValues = (chart, runs) => chart.lines.some(line => runs.some(r => pointsOf(r, line, 'step').some(p => p[1] !== null)));

// What a run's head says, by words; those that differ between runs are marked.
const settingNames = {
  model: 'model', data: 'data', device: 'device', dtype: 'type', optimizer: 'optimizer', seqlen: 'sequence length', steps: 'steps',
  global_batch: 'tokens a step', device_budget_bytes: 'device budget', host_budget_bytes: 'host budget',
  predicted_tok_per_sec: 'predicted tokens a second', plan_hash: 'plan',
};
const settingText = (name, value) => value === undefined || value === null ? ''
  : name.endsWith('_bytes') ? formatBytes(value)
  : name === 'plan_hash' ? value.slice(0, 12)
  : typeof value === 'number' ? Math.round(value).toLocaleString('en') : `${value}`;
