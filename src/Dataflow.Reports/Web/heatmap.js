// The heatmap page: which quantity, against what, and the plan of the cell that was clicked.

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);
const [main, ...others] = data.sets;
const state = { metric: 'tokens', against: null };
const chart = echarts.init(byId('chart'), null, { renderer: 'svg', ...heatmapSize(main, byId('chart').clientWidth) });

const coloursNow = () => Object.fromEntries(['page', 'text', 'quiet', 'line'].map(n => [n, getComputedStyle(document.documentElement).getPropertyValue(`--${n}`).trim()]));
const placeOf = cell => `host ${cell.host} GiB, device ${cell.device} GiB`;
const shown = Object.keys(metrics).filter(m => main.cells.some(c => valueOf(c, m) !== null));

// All that is known of a cell, as rows of a list; the panel has the digits that annotations leave out.
const exact = value => String(Number(value.toPrecision(10)));
const rowsOf = (cell, source, digits = m => metrics[m].format) => cell.infeasible
  ? [[source, `does not fit: ${cell.infeasible}`]]
  : shown.filter(m => valueOf(cell, m) !== null).map(m => [metrics[m].unit, `${digits(m)(valueOf(cell, m))} (${source})`]);
const listOfRows = rows => element('dl', {}, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));

const tooltipOf = ({ cell, other }) => element('div', { style: 'max-width:320px;white-space:normal;font-size:13px' },
  element('strong', {}, placeOf(cell)),
  listOfRows([...rowsOf(cell, cell.source), ...(other ? rowsOf(other, `${state.against.name}, ${other.source}`) : [])]),
  cell.plan ? element('div', { style: 'white-space:pre-line;margin-top:4px' }, cell.plan) : null);

const openCell = ({ cell, other }) => {
  const timeline = cell.page ? [
    element('p', {}, element('a', { href: cell.page, id: 'timeline' }, 'Open its timeline')),
    element('iframe', { src: cell.page, title: `Timeline: ${placeOf(cell)}` })] : [];
  byId('plan').replaceChildren(
    element('h2', {}, placeOf(cell)),
    listOfRows([...rowsOf(cell, cell.source, () => exact), ...(other ? rowsOf(other, `${state.against.name}, ${other.source}`, () => exact) : [])]),
    ...(cell.plan ? [element('pre', {}, cell.plan)] : []), ...timeline);
};

const fillTable = () => {
  const { hosts, devices, cells } = heatmapCells(main, state.metric, state.against);
  byId('values').replaceChildren(element('table', {},
    element('tr', {}, element('th', {}, 'device \\ host, GiB'), ...hosts.map(h => element('th', { class: 'number' }, String(h)))),
    ...[...devices].reverse().map(d => element('tr', {}, element('th', { class: 'number' }, String(d)), ...hosts.map(h => {
      const drawn = cells.find(c => c.host === h && c.device === d);
      return element('td', { class: drawn?.state === 'infeasible' ? 'number infeasible' : 'number' },
        drawn ? element('button', { class: 'link', style: drawn.state === 'infeasible' ? 'color:#fff' : null, click: () => openCell(drawn) }, drawn.text) : '');
    })))));
};

const draw = () => {
  const colours = coloursNow();
  const { hosts, devices, cells } = heatmapCells(main, state.metric, state.against);
  const option = heatmapOption(main, state.metric, state.against, colours, false);
  option.tooltip = {
    trigger: 'item', confine: true, backgroundColor: colours.page, borderColor: colours.line, textStyle: { color: colours.text },
    formatter: hit => cells[hit.dataIndex] ? tooltipOf(cells[hit.dataIndex]) : '',
  };
  chart.resize(heatmapSize(main, byId('chart').parentElement.clientWidth));
  chart.setOption(option, true);
  chart.off('click');
  chart.on('click', hit => openCell(cells[hit.dataIndex]));
  byId('chart').setAttribute('aria-label', `Heatmap of ${metrics[state.metric].name}: ${hosts.length} host by ${devices.length} device memories; the table below has the same values.`);
  byId('subtitle').textContent = `${subtitleOf(main, state.against)} · ${metrics[state.metric].name}, ${state.against ? 'difference in %' : metrics[state.metric].unit}`;
  byId('key').textContent = state.against
    ? `Difference in ${metrics[state.metric].unit}, in % of ${state.against.name}. Black: fits in neither; uncoloured: fits in one of them alone; blank: no result.`
    : `${metrics[state.metric].unit}, by colour and figure. Black: does not fit in these memories; blank: no result. Hover for the plan's summary, click for the plan.`;
  fillTable();
};

byId('title').textContent = titleOf(main);
byId('metric').append(...shown.map(m => element('option', { value: m }, metrics[m].unit)));
byId('metric').addEventListener('change', event => {
  state.metric = event.target.value;
  draw();
});
byId('against').append(element('option', { value: '' }, 'nothing'), ...others.map((set, i) => element('option', { value: i }, set.name)));
byId('comparison').hidden = others.length === 0;
byId('comparison').style.display = others.length === 0 ? 'none' : '';
byId('against').addEventListener('change', event => {
  state.against = event.target.value === '' ? null : others[Number(event.target.value)];
  draw();
});
byId('plan').append(element('h2', {}, 'No cell chosen'), element('p', { class: 'quiet' }, 'Click a cell, or a value of the table below, for its plan.'));
if (shown.length > 0) state.metric = shown[0];
draw();
window.addEventListener('resize', draw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
