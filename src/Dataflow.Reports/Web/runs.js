// The page of runs: choosers, charts with several runs over each other, what happened, settings. Live where a server sends lines.

const byId = id => document.getElementById(id);
const data = await unpack(byId('data').textContent);
let runs = [];
let charts = [];
const chosen = () => ({
  over: byId('over').value, smoothing: Number(byId('smoothing').value), logX: byId('logx').checked, logY: byId('logy').checked,
  group: byId('group').value,
});

const valueText = (chart, value) => (chart.tick === bytesTick ? formatBytes(value)
  : chart.most === 1 ? formatPercent(value)
  : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : Math.abs(value) < 1000 ? significant(value, 4) : shortNumber(value));
const axisText = (chart, value) => (chart.tick ? chart.tick(value)
  : value !== 0 && Math.abs(value) < 1e-3 ? Number(value.toPrecision(3)).toExponential() : tickNumber(value));

// A line of a run as series: where it is smoothed, faint as it is and bold as smoothed.
const seriesOf = (chart, run, line, colours, { over, smoothing, logX, logY }) => {
  const color = lineColourAt(colours, run.index);
  const points = pointsOf(run, line, over);
  const drawn = (value, axisIsLog) => (value !== null && axisIsLog && value <= 0 ? null : value);
  const shown = values => points.map((p, i) => [drawn(p[0], logX), drawn(values[i], logY && chart.log)]);
  const values = points.map(p => p[1]);
  const look = (width, opacity) => ({
    type: 'line', name: `${run.name} ${line.name}`, silent: true, color, lineStyle: { color, width, opacity, type: line.dashes ?? 'solid' },
    itemStyle: { color }, symbol: line.sparse ? line.symbol ?? 'diamond' : 'none', symbolSize: 7, showAllSymbol: true, clip: true,
  });
  const smooth = line.smooth && smoothing > 0 && points.length > 2;
  return [
    { ...look(smooth ? 1 : 2, smooth ? 0.35 : 1), data: shown(values), z: 1 },
    ...(smooth ? [{ ...look(2.2, 1), symbol: 'none', data: shown(smoothedValues(values, smoothing)), z: 2 }] : []),
  ];
};

// Where a run was gone on with, changed or went back: upright lines, whose words are in the table of events.
const marksOf = (run, colours, over) => run.marks.length === 0 || run.steps.length === 0 ? [] : [{
  type: 'line', data: [], silent: true,
  markLine: {
    silent: true, symbol: 'none', label: { show: false }, animation: false,
    lineStyle: { color: lineColourAt(colours, run.index), type: 'dotted', width: 1.5 },
    data: [...new Set(run.marks.map(m => m.step))].map(step => ({
      xAxis: across[over].of(run.steps.find(s => s.step >= step) ?? run.steps.at(-1)),
    })),
  },
}];

// Ticks of bytes stand at whole sizes: powers of two apart, at most six of them.
const bytesBetweenTicks = (chart, visible, over) => {
  const values = visible.flatMap(run => chart.lines.flatMap(line => pointsOf(run, line, over).map(p => p[1] ?? 0)));
  return 2 ** Math.ceil(Math.log2(Math.max(6, values.reduce((a, b) => Math.max(a, b), 0)) / 6));
};

const optionOf = (item, colours, width) => {
  const now = chosen();
  const { chart } = item;
  const visible = runs.filter(r => r.shown);
  const cursor = item.at === null ? [] : [{
    type: 'line', data: [], silent: true,
    markLine: {
      silent: true, symbol: 'none', label: { show: false }, animation: false, lineStyle: { color: colours.quiet, type: 'solid', width: 1 },
      data: [{ xAxis: item.at }],
    },
  }];
  return {
    ...chartBase(colours, width, null),
    grid: { left: chart.tick === bytesTick ? 84 : 66, right: 14, top: 14, bottom: 46 },
    xAxis: axisOf(colours, across[now.over].name, 28, {
      type: now.logX ? 'log' : 'value', min: now.logX ? undefined : 'dataMin', max: 'dataMax',
      axisLabel: { ...plainText(colours), hideOverlap: true, formatter: v => axisText({}, v) },
    }),
    yAxis: axisOf(colours, chart.unit, 48, {
      type: now.logY && chart.log ? 'log' : 'value', scale: chart.id !== 'memory' && chart.most === undefined, max: chart.most,
      interval: chart.tick === bytesTick ? bytesBetweenTicks(chart, visible, now.over) : undefined,
      axisLabel: { ...plainText(colours), hideOverlap: true, formatter: v => axisText(chart, v) },
    }),
    series: [
      ...visible.flatMap(run => chart.lines.flatMap(line => seriesOf(chart, run, line, colours, now))),
      ...visible.flatMap(run => marksOf(run, colours, now.over)),
      ...cursor,
    ],
  };
};

// What is read off at a place of the axis: of each run the step that is nearest.
const readOff = (item, x) => {
  const { over } = chosen();
  item.at = x;
  item.read.textContent = runs.filter(r => r.shown && r.steps.length > 0).map(run => {
    const of = across[over].of;
    const step = run.steps.reduce((best, s) => Math.abs(of(s) - x) < Math.abs(of(best) - x) ? s : best);
    const known = item.chart.lines
      .map(line => [line.name, line.ofHead ? line.ofHead(headOf(run)) : line.of(step)])
      .filter(([, value]) => value !== undefined && value !== null);
    return `${run.name}, step ${step.step.toLocaleString('en')}: `
      + (known.map(([name, value]) => `${name} ${valueText(item.chart, value)}`).join(', ') || 'nothing of it');
  }).join('\n');
  drawOne(item);
};

const stepsOfAll = () =>
  [...new Set(runs.filter(r => r.shown).flatMap(r => r.steps.map(across[chosen().over].of)))].sort((a, b) => a - b);

const onKey = item => event => {
  const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
  const places = stepsOfAll();
  if (move === undefined || places.length === 0) return;
  event.preventDefault();
  const from = item.at === null ? 0 : places.reduce((b, x, i) => Math.abs(x - item.at) < Math.abs(places[b] - item.at) ? i : b, 0);
  readOff(item, places[Math.max(0, Math.min(places.length - 1, item.at === null && move < 2 ? 0 : from + move))]);
};

const drawOne = item => {
  const width = Math.max(260, item.host.clientWidth);
  item.drawn.resize({ width, height: item.height });
  item.drawn.setOption(optionOf(item, coloursNow(), width), true);
};

const newChart = chart => {
  const host = element('div', { class: 'chart', role: 'img', tabindex: '0', id: `chart-${chart.id}` });
  const read = element('p', { class: 'quiet read', role: 'status' });
  const caption = chart.lines.length < 2 ? null : element('p', { class: 'quiet' }, captionOf(chart));
  const made = element('section', {}, element('h2', {}, chart.title), caption, host, read);
  const item = { chart, host, read, made, at: null, height: chart.id === 'loss' ? 320 : 240, drawn: null };
  host.setAttribute('aria-label', `${chart.title} over ${across[chosen().over].name}; arrow keys read off its values.`);
  host.addEventListener('keydown', onKey(item));
  host.addEventListener('pointermove', event => {
    const [x] = item.drawn.convertFromPixel({ gridIndex: 0 }, [event.clientX - host.getBoundingClientRect().left, 20]);
    if (Number.isFinite(x)) readOff(item, x);
  });
  return item;
};

const symbolWords = { circle: 'circles', rect: 'squares', triangle: 'triangles', diamond: 'diamonds' };
const captionOf = chart => chart.lines
  .filter(line => runs.some(r => pointsOf(r, line, 'step').some(p => p[1] !== null)))
  .map(line => `${line.name}: ${line.dashes ?? (line.sparse ? symbolWords[line.symbol ?? 'diamond'] : 'line')}`)
  .join('; ');

const drawAll = () => {
  const { group, smoothing } = chosen();
  byId('smoothed').textContent = smoothing.toFixed(2);
  const wanted = runCharts(group).filter(c => hasValues(c, runs));
  const key = wanted.map(c => c.title).join();
  if (key !== drawAll.key) {
    drawAll.key = key;
    charts.forEach(c => c.drawn.dispose());
    charts = wanted.map(newChart);
    byId('charts').replaceChildren(...charts.map(c => c.made));
    for (const c of charts) c.drawn = echarts.init(c.host, null, { renderer: 'svg', width: 300, height: c.height });
  }
  charts.forEach(drawOne);
};

const tableOf = (head, rows) => element('table', {},
  element('tr', {}, ...head.map(t => element('th', { scope: 'col' }, t))), ...rows);

// Of one run all that its run file says, of several what differs.
const writeRunFiles = () => {
  const names = [...new Set(runs.flatMap(r => Object.keys(r.settings)))];
  const rows = names.map(name => [name, runs.map(r => r.settings[name] ?? '')])
    .filter(([, texts]) => runs.length === 1 || new Set(texts).size > 1);
  byId('files').hidden = names.length === 0;
  byId('files').lastElementChild.replaceChildren(rows.length === 0 ? 'They say the same.'
    : tableOf(['option', ...runs.map(r => r.name)], rows.map(([name, texts]) => element('tr', {},
      element('th', { scope: 'row' }, name), ...texts.map(t => element('td', {}, t))))));
};

const writeTables = () => {
  const events = runs.flatMap(r => r.marks.map(m => [r.name, m]));
  byId('events').hidden = events.length === 0;
  byId('events').lastElementChild.replaceChildren(tableOf(['run', 'step', 'what'], events.map(([name, m]) => element('tr', {},
    element('td', {}, name), element('td', { class: 'number' }, `${m.step}`), element('td', {}, m.text)))));
  const known = Object.entries(settingNames).filter(([name]) => runs.some(r => headOf(r)[name] !== undefined));
  const settings = known.map(([name, title]) => {
    const texts = runs.map(r => settingText(name, headOf(r)[name]));
    const differs = new Set(texts).size > 1;
    return element('tr', {}, element('th', { scope: 'row' }, differs ? `${title} (differs)` : title),
      ...texts.map(t => element('td', { class: differs ? 'differs' : null }, t)));
  });
  byId('settings').lastElementChild.replaceChildren(tableOf(['setting', ...runs.map(r => r.name)], settings));
  writeRunFiles();
};

const writeChoosers = () => {
  const colours = coloursNow();
  byId('runs').replaceChildren(...runs.map(run => {
    const box = element('input', { type: 'checkbox', change: event => { run.shown = event.target.checked; drawAll(); } });
    box.checked = run.shown;
    const swatch = element('span', { class: 'swatch' });
    swatch.style.background = lineColourAt(colours, run.index);
    const last = run.steps.at(-1);
    const of = step => (headOf(run).steps ?? step).toLocaleString('en');
    const state = last ? `step ${last.step.toLocaleString('en')} of ${of(last.step)}` : 'no step yet';
    return element('label', {}, box, swatch, `${run.name} (${state}${run.end ? `, ${run.end}` : ''})`);
  }));
  const [names, before] = [groupNames(runs), byId('group').value];
  byId('groups').hidden = names.length === 0;
  byId('group').replaceChildren(element('option', { value: '' }, 'all'), ...names.map(n => element('option', { value: n }, n)));
  byId('group').value = names.includes(before) ? before : '';
};

const showAll = () => {
  writeChoosers();
  writeTables();
  drawAll();
};

const takeRuns = given => {
  const hidden = new Set(runs.filter(r => !r.shown).map(r => r.name));
  runs = given.map(({ name, settings, lines }, i) => {
    const run = { ...newRun(name, i), settings };
    run.shown = !hidden.has(name);
    lines.forEach(line => addLine(run, line));
    return run;
  });
};

byId('title').textContent = data.title;
for (const id of ['over', 'smoothing', 'logx', 'logy', 'group']) byId(id).addEventListener('input', drawAll);
window.addEventListener('resize', drawAll);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', showAll);
takeRuns(data.runs);
showAll();

// Lines come as they are written; what is drawn follows twice a second at most.
if (data.live) {
  const source = new EventSource(`events${location.search}`);
  const say = text => { byId('state').textContent = text; };
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; showAll(); }, 500);
  };
  say('Live: waiting for the first figures.');
  source.addEventListener('runs', event => { takeRuns(JSON.parse(event.data)); say('Live.'); soon(); });
  source.addEventListener('lines', event => {
    const { run, lines } = JSON.parse(event.data);
    lines.forEach(line => addLine(runs[run], line));
    soon();
  });
  source.addEventListener('error', () => say('The server does not answer: what is shown is as it was. Trying again.'));
  source.addEventListener('open', () => say('Live.'));
} else {
  byId('state').textContent = data.made;
}
document.documentElement.dataset.ready = '';
