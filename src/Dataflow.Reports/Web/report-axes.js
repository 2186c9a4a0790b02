// What a report's charts share: colours by source and by line, axes, legends, headings.

const channelSum = colour => channels(colour).reduce((sum, v, i) => sum + v * [0.299, 0.587, 0.114][i], 0);
const shadeOf = colours => channelSum(colours.page) < 128 ? 'dark' : 'light';

// Where a number comes from: by colour on bars, by dashes on lines; names say it too.
const sourceColours = {
  light: { measured: '#12324f', simulated: '#3c7fbf', published: '#d99a26' },
  dark: { measured: '#e3ebf3', simulated: '#5d9bd8', published: '#a8741a' },
};
const sourceDashes = { measured: 'solid', simulated: 'dashed', published: 'dotted' };

// Lines differ by colour and, for those who see none, by symbol.
const lineColours = {
  light: ['#0b5cad', '#b8500f', '#1f7a4d', '#7a3ea3', '#8a6a00', '#b3264e', '#177f92', '#4d565e'],
  dark: ['#7db8f5', '#f0a062', '#6fcf9c', '#c99af0', '#dfc04a', '#f58aa8', '#66cfe0', '#b9c3cc'],
};
const paths = [
  'path://M-5-5h10l-10 10h10z',
  'path://M-1-5h2v4h4v2h-4v4h-2v-4h-4v-2h4z',
  'path://M-4-5.4L0-1.4 4-5.4 5.4-4 1.4 0 5.4 4 4 5.4 0 1.4-4 5.4-5.4 4-1.4 0-5.4-4z',
  'path://M0-5L1.5-1.5 5 0 1.5 1.5 0 5-1.5 1.5-5 0-1.5-1.5z',
];
const lineSymbols = ['circle', 'rect', 'triangle', 'diamond']
  .flatMap(symbol => [
    { symbol, hollow: false },
    { symbol, hollow: true },
  ])
  .sort((a, b) => a.hollow - b.hollow)
  .concat(paths.map(symbol => ({ symbol, hollow: false })));
const lineColourAt = (colours, i) => lineColours[shadeOf(colours)][i % lineColours.light.length];

// Colour, symbol and dashes of the line that is the i-th of a chart.
const lineLook = (colours, i, type) => {
  const [color, { symbol, hollow }] = [lineColourAt(colours, i), lineSymbols[i % lineSymbols.length]];
  return {
    color,
    symbol,
    symbolSize: 8,
    lineStyle: { color, width: 1.8, type },
    itemStyle: hollow ? { color: colours.page, borderColor: color, borderWidth: 2 } : { color },
  };
};

// "13,384", "1.24M": for labels; tables have all digits.
const shortNumber = value => {
  const size = Math.abs(value);
  if (size >= 1e15) return value.toExponential(2);
  if (size >= 1e12) return `${significant(value / 1e12, 3)}T`;
  if (size >= 1e9) return `${significant(value / 1e9, 3)}G`;
  if (size >= 1e6) return `${significant(value / 1e6, 3)}M`;
  if (size >= 1000) return Math.round(value).toLocaleString('en');
  return significant(value, 3);
};
const tickNumber = value => {
  const [size, unit] =
    Math.abs(value) >= 1e12 ? [1e12, 'T'] : Math.abs(value) >= 1e9 ? [1e9, 'G'] : Math.abs(value) >= 1e6 ? [1e6, 'M'] : [1, ''];
  return (value / size).toLocaleString('en', { maximumSignificantDigits: 6 }) + unit;
};


// Cut in the middle: a name begins with its machine and ends with its source.
const clipped = (text, most) => {
  const tail = Math.floor(most * 0.55);
  return text.length > most ? `${text.slice(0, Math.max(1, most - tail - 1))}…${text.slice(text.length - tail)}` : text;
};

// Lines of at most so many characters, cut between words where that can be.
const wrapped = (text, most) => text.split(' ').reduce((lines, word) => {
  const longer = lines.length > 0 ? `${lines.at(-1)} ${word}` : word;
  return lines.length > 0 && longer.length <= most ? [...lines.slice(0, -1), longer] : [...lines, clipped(word, most)];
}, []);

const characterWidth = 6.9;

const plainText = colours => ({ color: colours.text, fontSize: 12 });

const axisOf = (colours, name, gap, more) => ({
  name,
  nameLocation: 'middle',
  nameGap: gap,
  nameTextStyle: plainText(colours),
  axisLabel: { ...plainText(colours), hideOverlap: true },
  axisLine: { show: true, lineStyle: { color: colours.line } },
  axisTick: { show: false },
  splitLine: { show: true, lineStyle: { color: colours.line, opacity: 0.6 } },
  ...more,
});

// Of rising values those whose labels find room on a width, evenly: every one, every second, ...
const thinned = (values, width, room) => values.filter((_, i) => i % Math.max(1, Math.ceil(values.length * room / width)) === 0);

// Logarithmic where values differ by much, and every one is above zero.
const scaleOf = (values, base, far) => {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return low > 0 && high / low > far ? { type: 'log', logBase: base } : { type: 'value' };
};

// Legends that wrap, and the height that they take: placed here, entry by entry, since node can measure no text.
const legendsOf = (colours, width, names) => {
  const most = Math.floor((width - 60) / characterWidth);
  const places = [];
  let [row, at] = [0, 0];
  for (const name of names) {
    const needed = 54 + Math.min(name.length, most) * characterWidth;
    if (at > 0 && at + needed > width) [row, at] = [row + 1, 0];
    places.push({ name, row, left: at });
    at += needed;
  }
  return {
    legend: places.map(p => ({
      type: 'plain',
      left: p.left,
      bottom: (row - p.row) * 24,
      data: [p.name],
      textStyle: plainText(colours),
      itemWidth: 30,
      formatter: name => clipped(name, most),
      inactiveColor: colours.line,
    })),
    legendHeight: (row + 1) * 24,
  };
};

const headingHeight = 62;

// What every chart begins with; heading: {title, subtitle} where the picture has them in itself.
const chartBase = (colours, width, heading) => ({
  animation: false,
  backgroundColor: colours.page,
  textStyle: { fontFamily: 'system-ui, DejaVu Sans, sans-serif' },
  title: heading
    ? {
        text: clipped(heading.title, Math.floor(width / 8.6)),
        subtext: clipped(heading.subtitle, Math.floor(width / characterWidth)),
        left: 8,
        top: 6,
        textStyle: { ...plainText(colours), fontSize: 15 },
        subtextStyle: { color: colours.quiet, fontSize: 12 },
      }
    : undefined,
});
