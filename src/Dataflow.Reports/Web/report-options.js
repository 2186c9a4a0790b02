// What a report's charts look like, as functions of their rows: the page and the still figures draw the same.
// Each drawing is {option, width, height}; an item of its data has `row`, its row in the table.

const peakMetrics = {
  perGpu: { name: 'tok/s a GPU', value: r => r.tok_per_sec_per_gpu, worst: r => r.worst_tok_per_sec / r.gpus },
  tokens: { name: 'tok/s, all GPUs together', value: r => r.tok_per_sec, worst: r => r.worst_tok_per_sec },
  tflops: { name: 'model TFLOP/s a GPU', value: r => r.tflops_per_gpu },
  mfu: { name: 'MFU, % of the dense peak', value: r => (r.mfu === null ? null : 100 * r.mfu) },
};
const costMetrics = {
  nodeHours: { name: 'node-hours', value: r => r.node_hours },
  gpuHours: { name: 'GPU-hours', value: r => r.gpu_hours },
  hours: { name: 'hours', value: r => r.hours },
  price: { name: 'price, in the currency of --price', value: r => r.price },
};
const utilizationMetrics = {
  mfu: { name: 'MFU, % of the dense peak', unit: '% MFU', value: r => (r.mfu === null ? null : 100 * r.mfu), text: v => significant(v, 3) },
  tokens: {
    name: 'tok/s',
    unit: 'tok/s',
    value: r => r.tok_per_sec,
    text: v =>
      v >= 1e6
        ? shortNumber(v)
        : v >= 1e5
          ? `${Math.round(v / 1000)}k`
          : v >= 1000
            ? Math.round(v).toLocaleString('en')
            : significant(v, 3),
  },
};
const reportMetrics = {
  peaks: peakMetrics,
  scaling: { tokens: { name: 'tok/s, all GPUs together', value: r => r.tok_per_sec } },
  cost: costMetrics,
  utilization: utilizationMetrics,
};

// What some rows can be drawn by: first what all of them know, and then what some do.
const metricsFor = (kind, records) => {
  const ran = records.filter(r => r.state === undefined || r.state === 'ran');
  const known = id => ran.filter(r => reportMetrics[kind][id].value(r) !== null).length;
  const one = kind === 'peaks' && records.every(r => !(r.gpus > 1));
  const ids = Object.keys(reportMetrics[kind]).filter(id => known(id) > 0 && !(one && id === 'tokens'));
  return [...ids.filter(id => known(id) === ran.length), ...ids.filter(id => known(id) < ran.length)];
};

const metricOf = (figure, wanted) => {
  const ids = metricsFor(figure.kind, figure.records);
  return ids.includes(wanted) ? wanted : (ids[0] ?? null);
};

// A bar a machine and program: solid up to its slowest configuration that ran, light from there to its best.
const peaksDrawing = (figure, metric, colours, width, heading) => {
  const { name, value, worst } = peakMetrics[metric];
  const bars = runsOf(figure.records)
    .map(some => {
      const best = some.reduce((a, b) => (b.tok_per_sec > a.tok_per_sec ? b : a));
      const slowest = some.reduce((a, b) => (b.worst_tok_per_sec < a.worst_tok_per_sec ? b : a));
      return { best, high: value(best), low: worst ? worst(slowest) : value(best) };
    })
    .filter(b => b.high !== null)
    .sort((a, b) => b.high - a.high);
  const sources = ['measured', 'simulated', 'published'].filter(s => bars.some(b => b.best.source === s));
  const room = Math.floor((width - 24) / characterWidth);
  // Names stand above their bars, so that long ones find room on narrow pages.
  const labels = bars.map(b =>
    wrapped(
      `${runName(b.best, figure.withModel)}: ${b.low < b.high ? `${shortNumber(b.low)}\u00a0to\u00a0` : ''}${shortNumber(b.high)}`,
      room,
    ).map(l => l.replaceAll('\u00a0', ' ')),
  );
  const lines = Math.max(...labels.map(l => l.length));
  const pitch = 32 + 14 * lines;
  const { legend, legendHeight } = legendsOf(colours, width, sources);
  const top = heading ? headingHeight : 4,
    bottom = legendHeight + 48;
  const part = (source, light) => ({
    type: 'bar',
    name: source,
    stack: 'all',
    barWidth: 16,
    cursor: 'default',
    itemStyle: { color: sourceColours[shadeOf(colours)][source], opacity: light ? 0.45 : 1 },
    emphasis: { disabled: true },
    label: { show: !light, lineHeight: 14, ...plainText(colours), formatter: hit => labels[hit.dataIndex].join('\n') },
    data: bars.map((b, i) =>
      b.best.source !== source
        ? null
        : { value: light ? b.high - b.low : b.low, row: b.best.row, label: { position: [0, -14 * labels[i].length - 1] } },
    ),
  });
  return {
    width,
    height: top + bottom + bars.length * pitch,
    option: {
      ...chartBase(
        colours,
        width,
        heading && {
          title: `Peaks: ${figure.label}`,
          subtitle:
            `${name}; ` +
            `${worst ? 'solid up to the slowest configuration that ran, light up to the best' : 'of the fastest configuration'}`,
        },
      ),
      grid: { left: 10, right: 26, top: top + 7 * (lines - 1), bottom, outerBoundsMode: 'none' },
      legend,
      xAxis: axisOf(colours, name, 26, {
        type: 'value',
        min: 0,
        splitNumber: width < 500 ? 3 : 6,
        axisLabel: { ...plainText(colours), hideOverlap: true, formatter: tickNumber },
      }),
      yAxis: axisOf(colours, '', 0, {
        type: 'category',
        inverse: true,
        data: bars.map((_, i) => i),
        splitLine: { show: false },
        axisLabel: { show: false },
      }),
      series: sources.flatMap(s => [part(s, false), ...(worst ? [part(s, true)] : [])]),
    },
  };
};

// Lines over nodes from one peak: the linear bound dashed, projections with a band between them.
const scalingDrawing = (figure, metric, colours, width, heading) => {
  const [base] = figure.records;
  const nodes = distinct([base.from_nodes, ...figure.records.map(r => r.nodes)]);
  const origin = [base.from_nodes, base.from_tok_per_sec];
  const line = (kind, i) => ({ kind, i, points: figure.records.filter(r => r.kind === kind) });
  const [bound, ...projections] = [...new Set(figure.records.map(r => r.kind))].map(line);
  const sourceName = `${base.source} on ${formatCount(base.from_nodes, 'node')}`;
  const { legend, legendHeight } = legendsOf(colours, width, [sourceName, ...[bound, ...projections].map(l => l.kind)]);
  const top = heading ? headingHeight : 10,
    bottom = legendHeight + 48;
  const data = l => [{ value: origin, symbol: 'none' }, ...l.points.map(r => ({ value: [r.nodes, r.tok_per_sec], row: r.row }))];
  // A band is two stacked lines that are not drawn: the lowest projection, and what is between it and the highest.
  const [highest, lowest] = [projections[0], projections.at(-1)];
  const edge = (name, value, shown) => ({
    type: 'line',
    name,
    stack: 'band',
    symbol: 'none',
    silent: true,
    lineStyle: { opacity: 0 },
    areaStyle: { color: lineColourAt(colours, 0), opacity: shown ? 0.14 : 0 },
    tooltip: { show: false },
    data: [[origin[0], shown ? 0 : origin[1]], ...lowest.points.map((r, i) => [r.nodes, value(i)])],
  });
  return {
    width,
    height: top + bottom + 300,
    option: {
      ...chartBase(
        colours,
        width,
        heading && {
          title: `Projection to more nodes: ${figure.label}`,
          subtitle: `from ${shortNumber(origin[1])} tok/s, ${sourceName}; a projection, not a measurement`,
        },
      ),
      grid: { left: 88, right: 22, top, bottom, outerBoundsMode: 'none' },
      legend,
      xAxis: axisOf(colours, 'nodes', 26, {
        type: 'value',
        min: 0,
        max: nodes.at(-1),
        splitLine: { show: false },
        axisLabel: { ...plainText(colours), hideOverlap: true, customValues: nodes, formatter: tickNumber },
      }),
      yAxis: axisOf(colours, 'tok/s, all GPUs together', 70, {
        type: 'value',
        min: 0,
        axisLabel: { ...plainText(colours), formatter: tickNumber },
      }),
      series: [
        ...(projections.length > 1
          ? [
              edge('below', i => lowest.points[i].tok_per_sec, false),
              edge('band', i => highest.points[i].tok_per_sec - lowest.points[i].tok_per_sec, true),
            ]
          : []),
        ...[bound, ...projections].map(l => ({
          type: 'line',
          name: l.kind,
          data: data(l),
          ...(l === bound
            ? {
                color: colours.text,
                symbol: 'circle',
                symbolSize: 8,
                lineStyle: { color: colours.text, width: 2, type: 'dashed' },
                itemStyle: { color: colours.page, borderColor: colours.text, borderWidth: 2 },
              }
            : lineLook(colours, l.i - 1, 'dotted')),
        })),
        {
          type: 'scatter',
          name: sourceName,
          symbol: 'diamond',
          symbolSize: 16,
          color: sourceColours[shadeOf(colours)][base.source],
          itemStyle: { opacity: 1 },
          data: [{ value: origin, row: base.row }],
          z: 5,
        },
      ],
    },
  };
};

// Whether all lines of a chart are of the same work at each length: a number of steps is not, where each row has a batch of its own.
const sameWork = records =>
  groupedBy(records, 'seq_len').every(some => some.every(r => Math.abs(r.tokens - some[0].tokens) <= 0.01 * some[0].tokens));

// A line a machine, model and program, over the length of a sequence.
const costDrawing = (figure, metric, colours, width, heading) => {
  const { name, value } = costMetrics[metric];
  const lines = runsOf(figure.records.filter(r => value(r) !== null)).map(some => ({
    name: runName(some[0], figure.withModel),
    source: some[0].source,
    points: [...some].sort((a, b) => a.seq_len - b.seq_len),
  }));
  const { legend, legendHeight } = legendsOf(
    colours,
    width,
    lines.map(l => l.name),
  );
  const top = heading ? headingHeight : 10,
    bottom = legendHeight + 48;
  const lengths = lines.flatMap(l => l.points.map(r => r.seq_len));
  return {
    width,
    height: top + bottom + 300,
    option: {
      ...chartBase(
        colours,
        width,
        heading && {
          title: `${figure.of}: ${figure.label}`,
          subtitle: `${name} over sequence length, each at its fastest configuration` +
            `${sameWork(figure.records) ? '' : ' and its own batch'}; ${sourcesOf(figure.records)}`,
        },
      ),
      grid: { left: 88, right: 26, top, bottom, outerBoundsMode: 'none' },
      legend,
      xAxis: axisOf(colours, 'seqlen, tokens (K: 1,024)', 26, {
        ...scaleOf(lengths, 2, 8),
        min: Math.min(...lengths),
        max: Math.max(...lengths),
        splitLine: { show: false },
        axisLabel: { ...plainText(colours), customValues: thinned(distinct(lengths), width - 114, 38), formatter: shortLength },
      }),
      yAxis: axisOf(colours, name, 70, {
        ...scaleOf(
          lines.flatMap(l => l.points.map(value)),
          10,
          20,
        ),
        axisLabel: { ...plainText(colours), formatter: tickNumber },
      }),
      series: lines.map((l, i) => ({
        type: 'line',
        name: l.name,
        ...lineLook(colours, i, sourceDashes[l.source]),
        data: l.points.map(r => ({ value: [r.seq_len, value(r)], row: r.row })),
      })),
    },
  };
};

const reportDrawings = { peaks: peaksDrawing, scaling: scalingDrawing, cost: costDrawing, utilization: utilizationDrawing };

// heading: whether the picture has its title in itself.
const reportDrawing = (figure, metric, colours, width, heading) =>
  reportDrawings[figure.kind](figure, metricOf(figure, metric), colours, width, heading);

// The figures for paper: [{name, svg}], for still.js.
const reportStills = data =>
  figuresOf(reportSections(data.tables)).map(figure => ({
    name: figure.name,
    svg: drawStill(reportDrawing(figure, null, paperColours, 720, true)),
  }));
