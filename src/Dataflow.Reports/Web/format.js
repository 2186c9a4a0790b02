// Quantities for people, in the units of the rest of the project.

const significant = (value, digits) => {
  if (value === 0) return '0';
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 9));
};

const formatTime = ns => {
  const size = Math.abs(ns);
  if (size === 0) return '0';
  if (size < 1e3) return `${Math.round(ns)} ns`;
  if (size < 1e6) return `${significant(ns / 1e3, 4)} µs`;
  if (size < 1e9) return `${significant(ns / 1e6, 4)} ms`;
  return `${significant(ns / 1e9, 4)} s`;
};

// As the command line writes them: the same size is the same text everywhere.
const formatBytes = bytes => {
  const [unit, size, digits] = [
    ['GiB', 2 ** 30, 3, 0.1],
    ['MiB', 2 ** 20, 2, 1],
    ['KiB', 2 ** 10, 1, 1],
  ].find(([, size, , least]) => Math.abs(bytes) >= least * size) ?? [bytes === 1 ? 'byte' : 'bytes', 1, 0];
  return `${(bytes / size).toFixed(digits)} ${unit}`;
};

const formatPercent = share => `${significant(100 * share, 3)}%`;

const formatCount = (count, one, many) => `${count.toLocaleString('en')} ${count === 1 ? one : many ?? one + 's'}`;

// An element with attributes (functions become listeners) and children (strings become text: nothing is ever parsed as HTML).
const element = (tag, attributes = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter(c => c !== null && c !== undefined));
  return made;
};

// "512", "8K" (8,192), "1M" (1,048,576): lengths where there is little room.
const shortLength = tokens =>
  tokens % 1048576 === 0 ? `${tokens / 1048576}M` : tokens % 1024 === 0 ? `${tokens / 1024}K` : tokens.toLocaleString('en');

// What charts are drawn in: the page's own colours, as they are now.
const coloursNow = () =>
  Object.fromEntries(
    ['page', 'text', 'quiet', 'line'].map(n => [n, getComputedStyle(document.documentElement).getPropertyValue(`--${n}`).trim()]),
  );
