// The page of a range test: the loss over the learning rate, the rate to train with marked, and every step to read off.

const { title, facts, reason, suggestion, points } = JSON.parse(document.getElementById('data').textContent);
const byId = id => document.getElementById(id);

const rateText = (rate, digits = 2) => rate.toExponential(digits - 1).replace('e+', 'e');
const lossText = loss => (Math.abs(loss) < 1000 ? loss.toFixed(4) : shortNumber(loss));

// What explodes at the end would press all else flat: the axis ends a little above where the curve was before it rose.
const lossAxis = () => {
  const smoothed = points.map(p => p[2]);
  const lowest = smoothed.indexOf(Math.min(...smoothed));
  const before = points.slice(0, lowest + 1).flatMap(p => [p[1], p[2]]);
  const [low, high] = [Math.min(...before), Math.max(...before)];
  const room = Math.max(high - low, 0.1 * Math.abs(high), 1e-3);
  return { min: low - 0.08 * room, max: high + 0.4 * room };
};

// The step whose rate is nearest to the suggested one.
const chosen = suggestion === null ? -1
  : points.reduce((best, p, i) =>
      Math.abs(Math.log(p[0] / suggestion)) < Math.abs(Math.log(points[best][0] / suggestion)) ? i : best, 0);

// A line from the bottom to the top, with words above it.
const upright = (rate, { min, max }, lineStyle, label) => ({
  type: 'line', silent: true, symbol: 'circle', symbolSize: 0.1, lineStyle, color: lineStyle.color, z: 3,
  data: [[rate, min], { value: [rate, max], label }],
});

const option = (width, colours, at) => {
  const [first, second] = lineColours[shadeOf(colours)];
  const range = lossAxis();
  const inside = p => Math.min(p, range.max + (range.max - range.min));
  const decades = Math.log10(points.at(-1)[0] / points[0][0]);
  return {
    ...chartBase(colours, width, null),
    grid: { left: 58, right: 16, top: 34, bottom: 84 },
    legend: legendsOf(colours, width, ['loss, smoothed', 'loss of each step']).legend,
    xAxis: axisOf(colours, 'learning rate, on a logarithmic scale', 28, {
      type: 'log', min: points[0][0], max: points.at(-1)[0],
      axisLabel: { ...plainText(colours), hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: v => rateText(v, 1) },
    }),
    yAxis: axisOf(colours, 'loss, nats', 42, {
      type: 'value', min: range.min, max: range.max,
      axisLabel: { ...plainText(colours), showMinLabel: false, showMaxLabel: false, formatter: v => significant(v, 3) },
    }),
    series: [
      {
        type: 'line', name: 'loss of each step', silent: true, symbol: 'circle', symbolSize: 4,
        color: second, lineStyle: { color: second, width: 1, opacity: 0.45, type: 'dotted' }, itemStyle: { color: second, opacity: 0.7 },
        data: points.map(p => [p[0], inside(p[1])]), z: 1, clip: true,
      },
      {
        type: 'line', name: 'loss, smoothed', silent: true, symbol: 'none',
        color: first, lineStyle: { color: first, width: 2.6 }, data: points.map(p => [p[0], inside(p[2])]), z: 2, clip: true,
      },
      ...(suggestion === null ? [] : [upright(suggestion, range, { color: colours.text, width: 1.5, type: 'dashed' }, {
        ...plainText(colours), show: true, formatter: `suggested ${rateText(suggestion)}`, position: 'top',
      })]),
      ...(at === null ? [] : [upright(points[at][0], range, { color: colours.quiet, width: 1, type: 'solid' }, { show: false })]),
    ],
  };
};

const host = byId('curve');
let chart = null;
let at = null;
const draw = () => {
  if (points.length < 2) return;
  const width = Math.max(280, host.clientWidth);
  const size = { width, height: Math.round(Math.min(520, Math.max(320, width * 0.5))) };
  chart ??= echarts.init(host, null, { renderer: 'svg', ...size });
  chart.resize(size);
  chart.setOption(option(width, coloursNow(), at), true);
};

const read = i => {
  at = Math.max(0, Math.min(points.length - 1, i));
  const [rate, loss, smoothed] = points[at];
  byId('read').textContent = `Step ${at + 1}: learning rate ${rateText(rate, 3)}, loss ${lossText(loss)}, smoothed ${lossText(smoothed)}`;
  draw();
};

byId('title').textContent = title;
byId('facts').textContent = facts.join(' · ');
byId('suggestion').append(
  suggestion === null
    ? element('p', {}, 'No suggestion: ', reason)
    : element('p', {}, 'Suggested learning rate: ', element('strong', {}, rateText(suggestion)), element('br'),
        element('span', { class: 'quiet' }, reason)),
);
byId('table').firstElementChild.textContent = `Table: every step (${formatCount(points.length, 'row')})`;
byId('table').addEventListener('toggle', () => byId('table').append(
  element('div', { class: 'scroll', tabindex: '0' }, element('table', {},
    element('tr', {}, ...['step', 'learning rate', 'loss', 'smoothed'].map(t => element('th', { class: 'number' }, t))),
    ...points.map(([rate, loss, smoothed], i) => element('tr', { class: i === chosen ? 'chosen' : null },
      ...[`${i + 1}`, rateText(rate, 3), lossText(loss), lossText(smoothed)].map(t => element('td', { class: 'number' }, t)))))),
), { once: true });

if (points.length < 2) {
  host.remove();
  byId('read').textContent = 'Fewer than two steps have a finite loss: there is no curve.';
} else {
  host.setAttribute('aria-label',
    `Loss over learning rate, from ${rateText(points[0][0])} to ${rateText(points.at(-1)[0])}; the table below has the same values.`);
  host.addEventListener('keydown', event => {
    const move = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -points.length, End: points.length }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    read(at === null ? (chosen >= 0 ? chosen : 0) : at + move);
  });
  host.addEventListener('pointermove', event => {
    const [value] = chart.convertFromPixel({ gridIndex: 0 }, [event.clientX - host.getBoundingClientRect().left, 10]);
    const rate = Math.log(value);
    read(points.reduce((best, p, i) => Math.abs(Math.log(p[0]) - rate) < Math.abs(Math.log(points[best][0]) - rate) ? i : best, 0));
  });
  window.addEventListener('resize', draw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  draw();
}
document.documentElement.dataset.ready = '';
