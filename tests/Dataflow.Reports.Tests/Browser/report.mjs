// A report: its charts hold what its tables hold, choosers change them, cells that did not fit say so, tables open.
import { expect, inBrowser, look } from './browser.mjs';

await inBrowser(async (page, opened) => {
  console.log(`report opened in ${Math.round(opened)} ms`);
  const texts = async place => (await page.locator(`${place} svg text`).allTextContents()).join('\n');
  await look(page, 'report');
  expect('the files and their sources', await page.textContent('#files'), /<measured>\.csvmeasured, which the file does not state/);
  expect('cells that were run again', await page.textContent('#notes'), /simulated\.csv has 1 cell twice.*\(lines 7 do not\)/);

  // Whatever is chosen: each item drawn has its row's value, and each row is drawn.
  const wrong = await page.evaluate(() =>
    sections.flatMap(({ kind, choices }) =>
      choices
        .flatMap(c => c.figures)
        .flatMap(figure =>
          metricsFor(kind, figure.records).flatMap(metric => {
            const { series } = reportDrawing(figure, metric, coloursNow(), 600, null).option;
            const items = series.flatMap(s => s.data.filter(i => i?.row !== undefined).map(i => ({ ...i, type: s.type })));
            const value = reportMetrics[kind][metric].value;
            const byRow = new Map(figure.records.map(r => [r.row, r]));
            const said = i => (Array.isArray(i.value) ? i.value.at(-1) : i.value);
            const faults = items
              .filter(i => {
                const row = byRow.get(i.row);
                if (kind === 'peaks') return false;
                if (kind === 'scaling') return said(i) !== (i.type === 'scatter' ? row.from_tok_per_sec : row.tok_per_sec);
                if (kind === 'utilization' && i.type === 'line') return said(i) !== row.latency_s;
                return value(row) !== null && said(i) !== value(row);
              })
              .map(i => `${figure.name} ${metric}: row ${i.row} is drawn as ${said(i)}`);
            const missing = figure.records
              .filter(r => value(r) !== null && !items.some(i => i.row === r.row))
              .map(r => `${figure.name} ${metric}: row ${r.row} is not drawn`);
            return [...faults, ...missing];
          }),
        ),
    ),
  );
  expect('what is drawn otherwise than its row says', wrong.join('; '), '');

  expect('peaks of the model with most machines', await texts('#peaks'), /X · measured: 1,164 to 1,528/);
  await page.selectOption('#peaks-choice', { label: 'n' });
  expect('peaks of another model', await texts('#peaks'), /X · measured: 90\.0/);
  await page.selectOption('#peaks-metric', { label: 'MFU, % of the dense peak' });
  expect('another figure', await texts('#peaks'), /MFU, % of the dense peak/);
  await page.selectOption('#peaks-choice', { label: 'all models' });
  expect('all models', await texts('#peaks'), /n on X · measured[^]*/);

  expect('a projection says so', await page.textContent('#scaling figcaption'), /^Projection: /);
  await page.selectOption('#scaling-choice', { label: 'n on X · measured' });
  expect('its legend', await texts('#scaling'), /measured on 1 node[^]*linear bound[^]*projection at 95%/);
  await page.selectOption('#cost-choice', { label: 'm' });
  expect('cost in node-hours', await texts('#cost'), /node-hours/);
  await page.selectOption('#cost-metric', { label: 'price, in the currency of --price' });
  expect('cost in money', await texts('#cost'), /price/);

  expect('a heatmap a machine', await page.locator('#utilization figure').count(), 2);
  const black = page
    .locator('#utilization figure >> nth=0')
    .locator('text', { hasText: /^no fit$/ })
    .first();
  await black.hover();
  await page.waitForSelector('dd >> text=did not fit');
  expect('why', await page.locator('dd', { hasText: 'CUDA out of' }).first().textContent(), 'CUDA out of <memory>');
  await page.selectOption('#utilization-choice', { label: 'n on X · measured' });
  expect('one machine', await page.locator('#utilization figure').count(), 1);
  await page.selectOption('#utilization-metric', { label: 'tok/s' });
  expect('its speed', await texts('#utilization'), /90\.0/);

  for (const name of await page.evaluate(() => Object.keys(tables).filter(t => tables[t].rows.length > 0))) {
    if (
      !(await page
        .locator(`#${name}-table`)
        .getAttribute('open')
        .then(open => open !== null))
    )
      await page.click(`#${name}-table summary`);
    await page.locator(`#${name}-table tr`).first().waitFor(); // rows come with the event that opening raises
    expect(`rows of ${name}`, await page.locator(`#${name}-table tr`).count(), 1 + (await page.evaluate(n => tables[n].rows.length, name)));
  }
  expect('what no file has', await page.textContent('#systems'), /No two systems of these files have a cell in common/);
  await look(page, 'report-tables');
});
