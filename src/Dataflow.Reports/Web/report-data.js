// What a report's charts are of: rows of its tables as records, in groups whose names say where their numbers come from.

// Lines and bars that one chart takes before it is cut by model, and then by machine.
const mostLines = 8;

// Of how many GPUs and nodes a row's speed is: each table has its own columns for it.
const sizeColumns = {
  peaks: ['gpus', 'nodes'],
  scaling: ['from_gpus', 'from_nodes'],
  cost: ['row_gpus', 'row_nodes'],
  utilization: ['gpus', 'nodes'],
};

const recordsOf = (kind, table) => table.rows.map((row, at) => {
  const record = Object.fromEntries(table.columns.map((c, i) => [c.name, row[i]]));
  const [gpus, nodes] = sizeColumns[kind].map(name => record[name]);
  return { ...record, model: record.model ?? 'model not stated', onGpus: gpus, onNodes: nodes, row: at };
});

const groupedBy = (records, ...names) => {
  const groups = new Map();
  for (const record of records) {
    const key = JSON.stringify(names.map(n => record[n]));
    groups.set(key, [...(groups.get(key) ?? []), record]);
  }
  return [...groups.values()];
};

// What one bar, one line or one panel is of.
const runsOf = records => groupedBy(records, 'model', 'machine', 'system', 'source', 'onGpus', 'onNodes');

const sizeOf = ({ onGpus, onNodes }) => onGpus > 1 || onNodes > 1
  ? `${formatCount(onGpus ?? 1, 'GPU')}${onNodes > 1 ? ` on ${formatCount(onNodes, 'node')}` : ''}` : null;

// Program, source, and size where it is more than one GPU.
const runParts = record =>
  [record.system === 'not stated' || record.system === record.source ? null : record.system, record.source, sizeOf(record)].filter(
    part => part !== null,
  );

// "H100 · dataflow auto · simulated".
const runName = (record, withModel) =>
  [withModel ? `${record.model} on ${record.machine}` : record.machine, ...runParts(record)].join(' · ');

const joined = words => words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
const sourcesOf = records => joined(['measured', 'simulated', 'published'].filter(s => records.some(r => r.source === s)));

// A part of a file's name: nothing but letters, digits, dots, hyphens and underscores, and never a hidden file.
const slug = text => text.normalize('NFKD').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '').slice(0, 60) || 'unnamed';

// All models together where that can be read, each model, and each of its machines where the model alone has more than that many lines.
const cutByModel = (kind, records, most) => {
  const models = groupedBy(records, 'model');
  const part = (label, names, some, withModel) => ({
    label,
    figures: [{ kind, name: [kind, ...names].map(slug).join('-'), label, withModel, records: some }],
  });
  return [
    ...(models.length > 1 && runsOf(records).length <= mostLines ? [part('all models', [], records, true)] : []),
    ...models.flatMap(some => [
      part(some[0].model, [some[0].model], some, false),
      ...(runsOf(some).length > most
        ? groupedBy(some, 'machine').map(m => part(`${m[0].model} on ${m[0].machine}`, [m[0].machine, m[0].model], m, false)) : []),
    ]),
  ];
};

const cutPeaks = records => {
  const choices = cutByModel('peaks', records, Infinity);
  // Speeds of models of other sizes cannot be read on one scale: the model with most machines comes first.
  return choices.sort(
    (a, b) => a.figures[0].withModel - b.figures[0].withModel || runsOf(b.figures[0].records).length - runsOf(a.figures[0].records).length,
  );
};

const cutScaling = records =>
  runsOf(records).map(some => ({
    label: runName(some[0], true),
    figures: [
      {
        kind: 'scaling',
        name: ['scaling', some[0].machine, some[0].model].map(slug).join('-'),
        label: runName(some[0], true),
        records: some,
      },
    ],
  }));

const cutUtilization = records =>
  groupedBy(records, 'model')
    .sort((a, b) => runsOf(b).length - runsOf(a).length)
    .flatMap(some => {
      const figures = runsOf(some).map(panel => ({
        kind: 'utilization',
        name: ['utilization', panel[0].machine, panel[0].model].map(slug).join('-'),
        label: runName(panel[0], true),
        records: panel,
        beside: some,
      }));
      const all = figures.length > 1 ? [{ label: `${some[0].model}: all machines`, figures }] : [];
      const each = figures.map(f => ({ label: f.label, figures: [f] }));
      return figures.length > mostLines ? [...each, ...all] : [...all, ...each];
    });

// The sections with charts: {kind, heading, table, choices, empty}; a choice is {label, figures}, and no choice is left where nothing can
// be drawn.
const reportSections = tables => {
  const sections = [
    ['peaks', 'Peaks', cutPeaks, () => true, ''],
    ['scaling', 'Scaling: projections, not measurements', cutScaling, () => true, ''],
    [
      'cost',
      'Cost over sequence length',
      records => cutByModel('cost', records, mostLines),
      r => r.seq_len > 0,
      'These rows do not say their length (seq_len), so that there is nothing to draw over it.',
    ],
    ['utilization', 'Utilization and latency over batch size', cutUtilization, () => true, ''],
  ];
  return sections.map(([kind, heading, cut, drawn, missing]) => {
    const records = recordsOf(kind, tables[kind]);
    const choices = cut(records.filter(drawn));
    for (const figure of choices.flatMap(c => c.figures)) figure.of = tables[kind].title;
    return {
      kind,
      heading,
      table: tables[kind],
      choices,
      empty: records.length === 0 ? tables[kind].empty : choices.length === 0 ? missing : null,
    };
  });
};

// Each figure once, under a name of its own: machine and model, the program and its source where that is not enough, and then a number.
const figuresOf = sections => {
  const figures = [...new Set(sections.flatMap(s => s.choices.flatMap(c => c.figures)))];
  const taken = new Set();
  return figures.map(figure => {
    const alone = figures.filter(f => f.name === figure.name).length === 1;
    const base = alone ? figure.name : [figure.name, ...runParts(figure.records[0]).map(slug)].join('-');
    let name = base;
    for (let number = 2; taken.has(name.toLowerCase()); number++) name = `${base}-${number}`;
    taken.add(name.toLowerCase());
    return { ...figure, name };
  });
};
