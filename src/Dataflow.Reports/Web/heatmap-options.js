// What a heatmap looks like, as a function of its data: the page and the still figures draw the same.

const metrics = {
  tokens: { name: 'Throughput', unit: 'tok/s', format: v => v >= 1000 ? Math.round(v).toLocaleString('en') : significant(v, 4) },
  teraflops: { name: 'Compute rate', unit: 'TFLOP/s', format: v => significant(v, 4) },
  mfu: { name: 'Model FLOPs utilization', unit: '% MFU', scale: 100, format: v => significant(v, 3) },
  hfu: { name: 'Hardware FLOPs utilization', unit: '% HFU', scale: 100, format: v => significant(v, 3) },
};

// Luminance rises along both, so that they read in greyscale; the second has zero in its middle.
const ramp = ['#434a94', '#33728f', '#2c9d85', '#83c95d', '#f4e650'];
const differenceRamp = ['#59256f', '#98568c', '#bdb2bb', '#dcd59c', '#fff6a8'];

const channels = colour => [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
const rampAt = (stops, share) => {
  const at = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2);
  const [a, b] = [channels(stops[low]), channels(stops[low + 1])];
  return a.map((v, i) => v + (b[i] - v) * (at - low));
};
const inkAt = (stops, share) => {
  const [r, g, b] = rampAt(stops, share);
  return 0.299 * r + 0.587 * g + 0.114 * b > 128 ? '#10151a' : '#ffffff';
};

const distinct = values => [...new Set(values)].sort((a, b) => a - b);
const valueOf = (cell, metric) =>
  cell?.[metric] === undefined || cell[metric] === null ? null : cell[metric] * (metrics[metric].scale ?? 1);
const cellAt = (set, host, device) => set.cells.find(c => c.host === host && c.device === device);
const titleOf = set => `${set.model} on ${set.machine}, sequences of ${set.seqlen.toLocaleString('en')} tokens`;
const subtitleOf = (set, against) => against ? `${set.name}, against ${against.name}` : set.name;

// What is drawn: axes, and cells {host, device, value, text, cell, other, state: 'value' | 'infeasible' | 'failed' | 'apart'}.
const heatmapCells = (set, metric, against) => {
  const cells = set.cells.map(cell => {
    const base = { host: cell.host, device: cell.device, cell, value: null };
    const mine = valueOf(cell, metric);
    if (!against) {
      if (cell.infeasible) return { ...base, state: 'infeasible', text: 'no fit' };
      if (cell.failed) return { ...base, state: 'failed', text: 'failed' };
      return mine === null ? null : { ...base, state: 'value', value: mine, text: metrics[metric].format(mine) };
    }
    const other = cellAt(against, cell.host, cell.device);
    if (!other) return null;
    const theirs = valueOf(other, metric);
    if (cell.infeasible && other.infeasible) return { ...base, other, state: 'infeasible', text: 'no fit' };
    if (cell.infeasible || other.infeasible) return { ...base, other, state: 'apart', text: cell.infeasible ? 'no fit here' : 'fits here' };
    if (mine === null || theirs === null || theirs === 0) return null;
    const value = 100 * (mine / theirs - 1);
    return { ...base, other, state: 'value', value, text: `${value >= 0 ? '+' : '−'}${Math.abs(value).toFixed(1)}` };
  }).filter(c => c !== null);
  return { hosts: distinct(set.cells.map(c => c.host)), devices: distinct(set.cells.map(c => c.device)), cells };
};

const heatmapSize = (set, available) => {
  const { hosts, devices, cells } = heatmapCells(set, 'tokens', null);
  const columns = Math.max(hosts.length, 4);
  const least = Math.max(40, 8 + 6.5 * Math.max(...cells.map(c => c.text.length))); // no annotation is cut
  return { width: Math.max(Math.min(available, 84 + columns * 120), 84 + columns * least), height: 118 + Math.max(devices.length, 4) * 34 };
};

// An ECharts option. colours: {page, text, quiet, line}; heading: whether the picture names its metric in itself.
const heatmapOption = (set, metric, against, colours, heading) => {
  const { hosts, devices, cells } = heatmapCells(set, metric, against);
  const values = cells.filter(c => c.value !== null).map(c => c.value);
  let [low, high] = values.length > 0 ? [Math.min(...values), Math.max(...values)] : [0, 1];
  if (against) [low, high] = [-1, 1].map(s => s * Math.max(0.1, ...values.map(Math.abs)));
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) * 0.01, high + (Math.abs(high) || 1) * 0.01];
  const stops = against ? differenceRamp : ramp;
  const { name, unit } = metrics[metric];
  const legend = v => against ? `${v > 0 ? '+' : v < 0 ? '−' : ''}${significant(Math.abs(v), 3)}%` : metrics[metric].format(v);
  const text = { color: colours.text, fontSize: 12 };
  const axis = (title, labels, gap) => ({
    type: 'category',
    data: labels.map(String),
    name: title,
    nameLocation: 'middle',
    nameGap: gap,
    nameTextStyle: text,
    axisLabel: { ...text, interval: 0 },
    axisLine: { lineStyle: { color: colours.line } },
    axisTick: { show: false },
    splitArea: { show: false },
  });
  return {
    animation: false,
    backgroundColor: colours.page,
    textStyle: { fontFamily: 'system-ui, DejaVu Sans, sans-serif' },
    title: heading
      ? { text: `${name}, ${against ? 'difference in %' : unit}`, left: 8, top: 6, textStyle: { ...text, fontSize: 13 } }
      : undefined,
    grid: { left: 62, right: 14, top: heading ? 32 : 10, bottom: 100 },
    xAxis: axis('host memory, GiB', hosts, 26),
    yAxis: axis('device memory, GiB', devices, 42),
    visualMap: {
      type: 'continuous',
      orient: 'horizontal',
      left: 8,
      bottom: 4,
      itemWidth: 14,
      itemHeight: 150,
      min: low,
      max: high,
      inRange: { color: stops },
      text: [`${legend(high)} ${against ? '' : unit}`, legend(low)],
      textStyle: text,
      hoverLink: false,
      show: values.length > 0,
    },
    series: [
      {
        type: 'heatmap',
        itemStyle: { borderColor: colours.page, borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: colours.text, borderWidth: 2 } },
        data: cells.map(c => {
          const at = [hosts.indexOf(c.host), devices.indexOf(c.device)];
          const label = { show: true, fontSize: 11, formatter: c.text };
          if (c.state === 'value')
            return { value: [...at, c.value], label: { ...label, color: inkAt(stops, (c.value - low) / (high - low)) } };
          const fill = c.state === 'infeasible' ? '#000000' : colours.page;
          return {
            value: [...at, low],
            visualMap: false,
            itemStyle: { color: fill, borderColor: colours.line },
            label: { ...label, fontSize: 10, color: c.state === 'infeasible' ? '#ffffff' : colours.text },
          };
        }),
      },
    ],
  };
};

// All known metrics of a map, or of its difference from another, as one figure for paper.
const heatmapStill = ({ sets: [set, against = null] }) => {
  const known = Object.keys(metrics).filter(m => heatmapCells(set, m, against).cells.some(c => c.value !== null));
  const { width, height } = heatmapSize(set, 560);
  return drawSheet(titleOf(set), subtitleOf(set, against), (known.length > 0 ? known : ['tokens']).map(metric => (
    { option: heatmapOption(set, metric, against, paperColours, true), width, height: height + 22 })));
};
const heatmapStills = ({ figures }) => figures.map(figure => ({ name: figure.name, svg: heatmapStill(figure) }));
