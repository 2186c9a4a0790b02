// The index of heatmaps: what is best on each machine at each length, and how it compares; a cell leads to its map.

const data = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

const medianOf = ratios => (ratios[ratios.length >> 1] + ratios[(ratios.length - 1) >> 1]) / 2;
const formatRatio = ratio => `${ratio >= 1 ? '+' : '−'}${Math.abs(100 * (ratio - 1)).toFixed(1)}%`;
const formatSpeed = tokens => (tokens >= 100 ? Math.round(tokens).toLocaleString('en') : significant(tokens, 3));

const cellOf = (page, length, compared) => {
  const against =
    length.ratios?.length > 0
      ? `; median of ${formatCount(length.ratios.length, 'cell')} against ${length.against}: ${formatRatio(medianOf(length.ratios))}`
      : '';
  const place = `${page.model} on ${page.machine}, sequences of ${length.seqlen.toLocaleString('en')}`;
  const title =
    length.tokens === undefined
      ? `${place}: fits in none of ${formatCount(length.cells, 'pair')} of budgets`
      : `${place}: best with host ${length.host} GiB and device ${length.device} GiB (${length.name}); ${length.feasible} of ` +
        `${formatCount(length.cells, 'cell')} fit${against}`;
  return element(
    'td',
    {},
    element(
      'a',
      { href: `${page.file}#seqlen=${length.seqlen}`, title, class: length.tokens === undefined && 'infeasible' },
      ...(length.tokens === undefined
        ? ['no fit', element('small', {}, '\u00a0')]
        : [formatSpeed(length.tokens), element('small', {}, length.mfu === undefined ? '\u00a0' : `${formatPercent(length.mfu)} MFU`)]),
      compared
        ? element('small', {}, length.ratios?.length > 0 ? formatRatio(medianOf(length.ratios)) : length.against ? 'no common' : '\u00a0')
        : null,
    ),
  );
};

const tableOf = (pages, cell) => {
  const seqlens = [...new Set(pages.flatMap(p => p.lengths.map(l => l.seqlen)))].sort((a, b) => a - b);
  return element(
    'div',
    { class: 'scroll', tabindex: '0' },
    element(
      'table',
      { class: 'maps' },
      element(
        'thead',
        {},
        element('tr', {}, element('th', {}), ...seqlens.map(s => element('th', { title: `sequences of ${s} tokens` }, shortLength(s)))),
      ),
      element(
        'tbody',
        {},
        ...pages.map(page =>
          element(
            'tr',
            {},
            element('th', {}, element('a', { href: page.file }, `${page.machine} · ${page.model}`)),
            ...seqlens.map(s => {
              const length = page.lengths.find(l => l.seqlen === s);
              return length ? cell(page, length) : element('td', {});
            }),
          ),
        ),
      ),
    ),
  );
};

const speedsOf = pages => {
  const compared = pages.some(p => p.lengths.some(l => l.against));
  return tableOf(pages, (page, length) => cellOf(page, length, compared));
};

const formatGiB = (least, isBound) => (least === undefined ? 'not known' : `${isBound ? '≤ ' : ''}${significant(least, 3)} GiB`);

// What a length takes at least, and how long one of its sequences takes at the best speed.
const leastCellOf = (page, length) => {
  const [device, host] = ['least_device', 'least_host'].map(name => formatGiB(length[name], length[`${name}_is_bound`]));
  const time = length.tokens === undefined ? null : formatTime((1e9 * length.seqlen) / length.tokens);
  const place = `${page.model} on ${page.machine}, sequences of ${length.seqlen.toLocaleString('en')}`;
  const title = `${place}: at least ${device} of device memory ` +
    `with the most host memory, at least ${host} of host memory with the most device memory` +
    (time === null ? '; fits in no pair of budgets' : `; a sequence takes ${time} at the best speed`);
  return element('td', {}, element('a', { href: `${page.file}#seqlen=${length.seqlen}`, title },
    device, element('small', {}, `host ${host}`), element('small', {}, time === null ? 'no fit' : time)));
};

// Held against others: in how many cells, and by how much.
const summaryOf = pages => {
  const lengths = pages.flatMap(p => p.lengths).filter(l => l.against);
  const ratios = lengths.flatMap(l => l.ratios).sort((a, b) => a - b);
  if (ratios.length === 0) return '';
  const slower = ratios.filter(r => r < 1).length;
  const [gained, lost] = ['gained', 'lost'].map(kind => lengths.reduce((sum, l) => sum + l[kind], 0));
  return (
    `In ${ratios.length.toLocaleString('en')} cells both have a figure: the median is ${formatRatio(medianOf(ratios))}, from ` +
      `${formatRatio(ratios[0])} to ${formatRatio(ratios[ratios.length - 1])}; ${slower} are slower. ` +
    `${formatCount(gained, 'cell')} fit that did not, and ${lost.toLocaleString('en')} that did do not.`
  );
};

const section = (heading, badge, text, pages) =>
  pages.length === 0
    ? []
    : [
        element(
          'section',
          {},
          element('h2', {}, heading),
          badge ? element('p', { class: 'badge' }, badge) : null,
          ...text.filter(t => t !== '').map(t => element('p', { class: 'quiet' }, t)),
          speedsOf(pages),
        ),
      ];

// Only where cells say what the least is.
const leastSection = pages =>
  pages.length === 0 ? []
    : [element('aside', {}, element('h2', {}, 'Least memory and time against length'),
        element('p', { class: 'quiet' },
          'A cell has the least device memory that a length can be trained in, below it the least host memory, each with the most that was '
            + 'tried of the other, and how long a sequence takes at the best speed of its map. ≤: the smallest budget that was tried, in '
            + 'which it fits.'),
        tableOf(pages, leastCellOf))];

const key = 'A cell has the best speed of its map in tok/s and the model FLOPs utilization there';
byId('title').textContent = data.title;
byId('notes').append(...data.notes.map(note => element('p', { class: 'quiet' }, note)));
const compared = data.pages.filter(p => p.lengths.some(l => l.against));
const alone = data.pages.filter(p => !compared.includes(p));
const against = [...new Set(compared.flatMap(p => p.lengths.map(l => l.against)).filter(a => a))];
byId('sections').append(
  ...section(
    `Held against ${against.join(' and ')}`,
    null,
    [
      `${key}; below it the median difference in the cells in which both have a figure. Columns are sequence lengths in tokens (K: 1,024).`,
      summaryOf(compared),
    ],
    compared,
  ),
  ...section(
    'Predictions',
    'Predictions: nothing in this table was measured or published.',
    [`${key}.`],
    alone.filter(p => p.prediction),
  ),
  ...section(
    'Results',
    null,
    [`${key}.`],
    alone.filter(p => !p.prediction),
  ),
  ...leastSection(data.pages.filter(p => p.lengths.some(l => l.least_device_is_bound === false || l.least_host_is_bound === false))),
);
document.documentElement.dataset.ready = '';
