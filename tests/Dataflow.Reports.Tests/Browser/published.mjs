// Every published table drawn again: each cell's annotation, found by its place between the axes' labels, is what the CSV has for these
// budgets.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inBrowser, ready } from './browser.mjs';

const csv = resolve(dirname(fileURLToPath(import.meta.url)), '../../../bench/published/published_sweeps.csv');
const [head, ...lines] = readFileSync(csv, 'utf8')
  .trim()
  .split(/\r?\n/)
  .map(line => line.split(','));
const rows = lines.map(line => Object.fromEntries(head.map((name, i) => [name, i === 0 ? line[i] : Number(line[i])])));
const digits = (value, count) => value.toFixed(Math.max(0, count - 1 - Math.floor(Math.log10(value))));
const wanted = {
  tokens: row => (row.tok_per_sec >= 1000 ? Math.round(row.tok_per_sec).toLocaleString('en') : digits(row.tok_per_sec, 4)),
  teraflops: row => digits(row.tflops, 4),
  mfu: row => digits(100 * row.mfu, 3),
  hfu: row => digits(100 * row.hfu, 3),
};

// Annotations by budgets: a text belongs to the labels that it is in line with.
const readChart = () => {
  const texts = [...document.querySelectorAll('#chart text')].map(t => {
    const box = t.getBoundingClientRect();
    return { text: t.textContent, x: box.x + box.width / 2, y: box.y + box.height / 2 };
  });
  const { hosts, devices } = heatmapCells(state.set, state.metric, null);
  const plot = chart.getModel().getComponent('grid').coordinateSystem.getRect();
  const { left, top } = document.getElementById('chart').getBoundingClientRect();
  const inside = texts.filter(
    t => t.x > left + plot.x && t.x < left + plot.x + plot.width && t.y > top + plot.y && t.y < top + plot.y + plot.height,
  );
  const below = texts.filter(t => t.y > top + plot.y + plot.height && t.y < top + plot.y + plot.height + 20).sort((a, b) => a.x - b.x);
  const beside = texts
    .filter(
      t =>
        t.x < left + plot.x && t.x > left + plot.x - 40 && t.y < top + plot.y + plot.height && hosts.length > 0 && /^[\d.]+$/.test(t.text),
    )
    .sort((a, b) => b.y - a.y);
  if (below.map(t => t.text).join() !== hosts.join() || beside.map(t => t.text).join() !== devices.join())
    throw new Error(`axes: ${below.map(t => t.text)} and ${beside.map(t => t.text)}`);
  const nearest = (labels, at) => Number(labels.reduce((a, b) => (Math.abs(at(a)) < Math.abs(at(b)) ? a : b)).text);
  return inside.map(t => [nearest(below, l => l.x - t.x), nearest(beside, l => l.y - t.y), t.text]);
};

await inBrowser(async page => {
  const pages = await page.locator('tbody th a').evaluateAll(links => links.map(a => a.href));
  let [cells, maps] = [0, 0];
  for (const url of pages) {
    await page.goto(url);
    await ready(page);
    for (const seqlen of await page.locator('#seqlen option').evaluateAll(options => options.map(o => o.value))) {
      await page.selectOption('#seqlen', seqlen);
      const { machine, model } = await page.evaluate('({ machine: state.set.machine, model: state.set.model })');
      const own = rows.filter(r => r.machine === machine && `${r.model_size}b` === model && r.seq_len === Number(seqlen));
      const last = new Map(own.map(r => [`${r.host_mem_gb} ${r.dev_mem_gb}`, r])); // of cells that were run again, the later run
      maps++;
      for (const metric of await page.locator('#metric option').evaluateAll(options => options.map(o => o.value))) {
        await page.selectOption('#metric', metric);
        const drawn = await page.evaluate(readChart);
        expect(`annotations of ${machine} ${model} ${seqlen}`, drawn.length, last.size);
        for (const [host, device, text] of drawn) {
          const row = last.get(`${host} ${device}`);
          expect(
            `${metric} of ${machine} ${model} ${seqlen}, host ${host}, device ${device}`,
            text,
            row.avg_step_time > 0 ? wanted[metric](row) : 'no fit',
          );
          cells++;
        }
        expect(
          'the legend has the unit',
          await page.locator('#chart text', { hasText: /tok\/s|TFLOP\/s|% MFU|% HFU/ }).count(),
          await page.evaluate('metricsOf(state.set).length > 0 ? 1 : 0'),
        );
      }
    }
  }
  expect('tables', new Set(rows.map(r => `${r.machine} ${r.model_size} ${r.seq_len}`)).size, maps);
  console.log(`${maps} tables, ${cells} annotated cells`);
});
