// The heatmap page: which length, results and quantity, against what, and the plan of the cell that was clicked.

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

// What is shown, and kept in the address: a length, one of its sets, a metric, and the set that it is held against or null. Sets go by
// their names, which are the same at all lengths that have them.
const state = { length: data.lengths[0], set: data.lengths[0].sets[0], metric: 'tokens', against: null };
const seqlenOf = length => length.sets[0].seqlen;
const metricsOf = set => Object.keys(metrics).filter(m => set.cells.some(c => valueOf(c, m) !== null));
const chart = echarts.init(byId('chart'), null, { renderer: 'svg', ...heatmapSize(state.set, byId('chart').clientWidth) });

const placeOf = cell => `host ${cell.host} GiB, device ${cell.device} GiB`;

// All that is known of a cell, as rows of a list; the panel has the digits that annotations leave out.
const exact = value => Number(value.toPrecision(10)).toLocaleString('en', { maximumFractionDigits: 9 });
const rowsOf = (cell, source, digits = m => metrics[m].format) =>
  cell.infeasible
    ? [[source, `does not fit: ${cell.infeasible}`]]
    : cell.failed
      ? [[source, cell.failed]]
      : Object.keys(metrics)
          .filter(m => valueOf(cell, m) !== null)
          .map(m => [metrics[m].unit, `${digits(m)(valueOf(cell, m))} (${source})`]);
const listOfRows = rows => element('dl', {}, ...rows.flatMap(([name, value]) => [element('dt', {}, name), element('dd', {}, value)]));

const tooltipOf = ({ cell, other }) =>
  element(
    'div',
    { style: 'max-width:320px;white-space:normal;font-size:13px' },
    element('strong', {}, placeOf(cell)),
    listOfRows([...rowsOf(cell, cell.source), ...(other ? rowsOf(other, `${state.against.name}, ${other.source}`) : [])]),
    cell.plan ? element('div', { style: 'white-space:pre-line;margin-top:4px' }, cell.plan) : null,
  );

const openCell = ({ cell, other }) => {
  byId('plan').hidden = false;
  const timeline = cell.page
    ? [
        element('p', {}, element('a', { href: cell.page, id: 'timeline' }, 'Open its timeline')),
        element('iframe', { src: cell.page, title: `Timeline: ${placeOf(cell)}` }),
      ]
    : [];
  byId('plan').replaceChildren(
    element('h2', {}, placeOf(cell)),
    listOfRows([
      ...rowsOf(cell, cell.source, () => exact),
      ...(other ? rowsOf(other, `${state.against.name}, ${other.source}`, () => exact) : []),
    ]),
    ...(cell.plan ? [element('pre', {}, cell.plan)] : []),
    ...timeline,
  );
};

const fillTable = () => {
  const { hosts, devices, cells } = heatmapCells(state.set, state.metric, state.against);
  byId('values').replaceChildren(
    element(
      'table',
      {},
      element('tr', {}, element('th', {}, 'device \\ host, GiB'), ...hosts.map(h => element('th', { class: 'number' }, String(h)))),
      ...[...devices].reverse().map(d =>
        element(
          'tr',
          {},
          element('th', { class: 'number' }, String(d)),
          ...hosts.map(h => {
            const drawn = cells.find(c => c.host === h && c.device === d);
            return element(
              'td',
              { class: drawn?.state === 'infeasible' ? 'number infeasible' : 'number' },
              drawn
                ? element(
                    'button',
                    { class: 'link', style: drawn.state === 'infeasible' ? 'color:#fff' : null, click: () => openCell(drawn) },
                    drawn.text,
                  )
                : '',
            );
          }),
        ),
      ),
    ),
  );
};

const draw = () => {
  const colours = coloursNow();
  const { hosts, devices, cells } = heatmapCells(state.set, state.metric, state.against);
  const option = heatmapOption(state.set, state.metric, state.against, colours, false);
  option.tooltip = {
    trigger: 'item',
    confine: true,
    backgroundColor: colours.page,
    borderColor: colours.line,
    textStyle: { color: colours.text },
    formatter: hit => (cells[hit.dataIndex] ? tooltipOf(cells[hit.dataIndex]) : ''),
  };
  chart.resize(heatmapSize(state.set, byId('chart').parentElement.clientWidth));
  chart.setOption(option, true);
  chart.off('click');
  chart.on('click', hit => openCell(cells[hit.dataIndex]));
  byId('chart').setAttribute(
    'aria-label',
    `Heatmap of ${metrics[state.metric].name}: ${hosts.length} host by ${devices.length} device memories; the table below has the same ` +
      `values.`,
  );
  byId('subtitle').textContent =
    `${subtitleOf(state.set, state.against)} · ${metrics[state.metric].name}, ` +
      `${state.against ? 'difference in %' : metrics[state.metric].unit}`;
  byId('key').textContent = state.against
    ? `Difference in ${metrics[state.metric].unit}, in % of ${state.against.name}. Black: fits in neither; uncoloured: fits in one of ` +
      `them alone; blank: no result.`
    : `${metrics[state.metric].unit}, by colour and figure. Black: does not fit in these memories; ` +
      `${state.set.cells.some(c => c.failed) ? 'failed: fits, and its run did not end well; ' : ''}blank: no result. Hover for the ` +
      `plan's summary; click a cell, or a value of the table below, for the plan.`;
  fillTable();
};

const fill = (select, names, chosen) => {
  select.replaceChildren(
    ...names.map(name =>
      element('option', { value: name, selected: name === chosen }, name === '' ? 'nothing' : (metrics[name]?.unit ?? name)),
    ),
  );
  select.value = chosen;
};

// Choices as far as there are such, else the first; then everything that depends on them.
const choose = ({
  seqlen = String(seqlenOf(state.length)),
  metric = state.metric,
  set = state.set.name,
  against = state.against?.name ?? '',
}) => {
  const before = state.set;
  state.length = data.lengths.find(l => String(seqlenOf(l)) === seqlen) ?? data.lengths[0];
  const { sets } = state.length;
  state.set = sets.find(s => s.name === set) ?? sets[0];
  const known = metricsOf(state.set);
  state.metric = known.includes(metric) ? metric : (known[0] ?? 'tokens');
  state.against = sets.find(s => s.name === against && s !== state.set) ?? null;
  byId('seqlen').value = String(seqlenOf(state.length));
  fill(byId('metric'), known, state.metric);
  fill(
    byId('set'),
    sets.map(s => s.name),
    state.set.name,
  );
  fill(byId('against'), ['', ...sets.filter(s => s !== state.set).map(s => s.name)], state.against?.name ?? '');
  byId('of').style.display = byId('comparison').style.display = sets.length === 1 ? 'none' : '';
  byId('title').textContent = titleOf(state.set);
  const simulated = data.lengths.every(l => l.sets.every(s => s.cells.every(c => c.source === 'simulated')));
  byId('badge').hidden = !simulated;
  byId('badge').textContent = 'Prediction: nothing on this page was measured or published.';
  if (state.set !== before) byId('plan').hidden = true;
  draw();
};
const chosen = changes => {
  choose(changes);
  const address = {
    seqlen: seqlenOf(state.length),
    metric: state.metric,
    of: state.set.name,
    ...(state.against ? { against: state.against.name } : {}),
  };
  history.replaceState(null, '', `#${new URLSearchParams(address)}`);
};
const fromAddress = () => {
  const { of: set, against = '', seqlen, metric } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  choose({ seqlen, metric, set, against });
};

byId('seqlen').append(...data.lengths.map(l => element('option', { value: seqlenOf(l) }, `${seqlenOf(l).toLocaleString('en')} tokens`)));
byId('length').style.display = data.lengths.length === 1 ? 'none' : '';
for (const name of ['seqlen', 'metric', 'set', 'against'])
  byId(name).addEventListener('change', event => chosen({ [name]: event.target.value }));
if (data.index) byId('up').append(element('a', { href: data.index }, 'All maps'));
fromAddress();
window.addEventListener('hashchange', fromAddress);
window.addEventListener('resize', draw);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
document.documentElement.dataset.ready = '';
