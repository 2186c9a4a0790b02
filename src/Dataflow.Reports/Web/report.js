// The report's page: a section a table, with its charts where it has any, what they show to choose from, and the table itself to open.

const { files, tables } = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

const captions = {
  peaks:
    'Speeds: solid up to the slowest configuration that ran, light up to the best; other figures are of the fastest. Colours say where ' +
      'numbers come from.',
  scaling:
    'Dashed: the linear bound, which no run exceeds. Lines and the band between them: projections at these efficiencies, not ' +
      'measurements. The diamond is what they are projected from.',
  cost: 'Each length at its fastest configuration, and at its own batch unless one was asked for: steps of other batches are other work. ' +
    'Solid lines: measured; dashed: simulated; dotted: published.',
  utilization:
    'By colour and figure; one scale for all machines of a model. Black: did not fit (no fit); blank: no result. Below: seconds of a ' +
      'step, a line a seqlen. Solid lines: measured; dashed: simulated; dotted: published.',
};
// What a tooltip says of a row.
const tips = {
  peaks: [
    'model',
    'source',
    'seq_len',
    'host_mem_gb',
    'dev_mem_gb',
    'gpus',
    'nodes',
    'tok_per_sec',
    'tok_per_sec_per_gpu',
    'tflops_per_gpu',
    'mfu',
  ],
  scaling: ['model', 'source', 'from_nodes', 'from_tok_per_sec', 'kind', 'nodes', 'gpus', 'tok_per_sec'],
  cost: ['model', 'source', 'seq_len', 'global_batch', 'steps', 'gpus', 'nodes', 'hours', 'gpu_hours', 'node_hours', 'price'],
  utilization: ['source', 'seq_len', 'seqs_per_step', 'state', 'mfu', 'tok_per_sec', 'latency_s', 'reason'],
};

const tipOf = (kind, row) => {
  const { columns, shown } = tables[kind];
  const known = columns.map((c, i) => [c, shown[row][i]]).filter(([c, text]) => tips[kind].includes(c.name) && text !== '');
  return element('div', { style: 'max-width:320px;white-space:normal;font-size:13px' }, element('strong', {}, shown[row][0]),
    element('dl', {}, ...known.flatMap(([c, text]) => [element('dt', {}, c.title), element('dd', {}, text)])));
};

const tableElement = (columns, rows) =>
  element(
    'table',
    {},
    element('tr', {}, ...columns.map(c => element('th', { class: c.text ? null : 'number' }, c.title))),
    ...rows.map(row =>
      element(
        'tr',
        {},
        ...row.map((text, i) => element('td', { class: columns[i].text ? (text.length > 40 ? 'long' : null) : 'number' }, text)),
      ),
    ),
  );

// A table is built when it is opened: most never are. Those that no chart stands above are open from the start.
const tableDetails = (name, table, open) => {
  const details = element(
    'details',
    { id: `${name}-table`, open },
    element('summary', {}, `Table: ${table.title} (${formatCount(table.rows.length, 'row')})`),
  );
  details.addEventListener(
    'toggle',
    () =>
      details.append(
        element('p', { class: 'quiet' }, table.note),
        element('div', { class: 'scroll', tabindex: '0' }, tableElement(table.columns, table.shown)),
      ),
    { once: true },
  );
  return details;
};

// Shows some figures in a grid, and again when width, colours or what is shown change.
const gallery = (place, caption) => {
  let [figures, metric, charts] = [[], null, []];
  const draw = () => {
    const colours = coloursNow();
    for (const { figure, host, chart } of charts) {
      const { option, width, height } = reportDrawing(figure, metric, colours, Math.max(280, host.parentElement.clientWidth), null);
      option.tooltip = {
        trigger: 'item', confine: true, appendTo: document.body, // in its chart's own scrolling box it would be cut
        backgroundColor: colours.page, borderColor: colours.line, textStyle: { color: colours.text },
        formatter: hit => hit.data?.row === undefined ? '' : tipOf(figure.kind, hit.data.row),
      };
      chart.resize({ width, height });
      chart.setOption(option, true);
    }
  };
  const show = (some, wanted) => {
    if (some !== figures) {
      for (const { chart } of charts) chart.dispose();
      figures = some;
      charts = figures.map(figure => {
        const host = element('div', {
          role: 'img',
          class: 'chart',
          'aria-label': `${figure.kind}: ${figure.label}; the table below has the same values.`,
        });
        return {
          figure,
          host,
          made: element('figure', {}, element('figcaption', {}, caption(figure)), element('div', { class: 'scroll' }, host)),
        };
      });
      place.replaceChildren(...charts.map(c => c.made));
      for (const c of charts) c.chart = echarts.init(c.host, null, { renderer: 'svg', width: 300, height: 200 });
    }
    metric = wanted;
    draw();
  };
  window.addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  return show;
};

const chooser = (id, label, options, chosen, change) =>
  element(
    'label',
    { style: options.length < 2 ? 'display:none' : null },
    `${label} `,
    element(
      'select',
      { id, change: event => change(Number(event.target.value)) },
      ...options.map((text, i) => element('option', { value: i, selected: i === chosen }, text)),
    ),
  );

const chartCaption = figure => figure.kind === 'scaling' ? `Projection: ${figure.label}` : figure.label;

const chartSection = section => {
  const { kind, heading, table, choices, empty } = section;
  const made = element('section', { id: kind }, element('h2', {}, heading));
  byId('sections').append(made);
  if (empty !== null) {
    made.append(element('p', { class: 'quiet' }, empty), ...(table.rows.length > 0 ? [tableDetails(kind, table)] : []));
    return;
  }
  const place = element('div', { class: choices.some(c => c.figures.length > 1) ? 'figures' : null });
  const show = gallery(place, chartCaption);
  const all = metricsFor(kind, choices.flatMap(c => c.figures.flatMap(f => f.records)));
  const state = { choice: 0, metric: all[0] ?? null };
  const draw = () => show(choices[state.choice].figures, state.metric);
  made.append(
    ...(kind === 'cost' ? [element('p', {}, table.title)] : []),
    element('div', { class: 'row' },
      chooser(`${kind}-choice`, 'Show', choices.map(c => c.label), 0, i => { state.choice = i; draw(); }),
      chooser(`${kind}-metric`, 'Figure', all.map(id => reportMetrics[kind][id].name), 0, i => { state.metric = all[i]; draw(); })),
    place, element('p', { class: 'quiet caption' }, captions[kind]), tableDetails(kind, table));
  draw();
};

const fileTable = element(
  'table',
  {},
  element(
    'tr',
    {},
    element('th', {}, 'file'),
    element('th', {}, 'source'),
    element('th', { class: 'number' }, 'rows'),
    element('th', { class: 'number' }, 'did not run'),
  ),
  ...files.map(f =>
    element(
      'tr',
      {},
      element('td', {}, f.name),
      element('td', {}, f.source),
      element('td', { class: 'number' }, f.rows.toLocaleString('en')),
      element('td', { class: 'number' }, f.didNotRun.toLocaleString('en')),
    ),
  ),
);
byId('files').append(fileTable);
byId('notes').append(
  ...files
    .filter(f => f.superseded.length > 0)
    .map(f =>
      element(
        'p',
        { class: 'quiet' },
        `${f.name} has ${formatCount(f.superseded.length, 'cell')} twice, run again; the later run counts (lines ` +
          `${f.superseded.join(', ')} do not).`,
      ),
    ),
);

const sections = reportSections(tables);
for (const section of sections) chartSection(section);
for (const [name, table] of Object.entries(tables).filter(([name]) => !sections.some(s => s.kind === name))) {
  byId('sections').append(element('section', { id: name }, element('h2', {}, table.title),
    table.rows.length > 0 ? tableDetails(name, table, true) : element('p', { class: 'quiet' }, table.empty)));
}
document.documentElement.dataset.ready = '';
