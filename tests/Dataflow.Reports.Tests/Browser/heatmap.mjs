// A heatmap: a cell leads to its plan, its plan to its timeline; figures and comparisons are switched.
import { boxOf, expect, inBrowser, look } from './browser.mjs';

await inBrowser(async (page, opened) => {
  console.log(`heatmap opened in ${Math.round(opened)} ms`);
  const rising = await page.evaluate(() =>
    [ramp, differenceRamp].every(stops => {
      const light = stops
        .map(colour => channels(colour).map(v => ((v / 255 + 0.055) / 1.055) ** 2.4))
        .map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b);
      return light.every((l, i) => i === 0 || l > light[i - 1] + 0.03);
    }),
  );
  expect('luminance rises along the colours', rising, true);
  const cell = text => page.locator('#chart text', { hasText: new RegExp(`^${text}$`) }).first();
  await look(page, 'heatmap');
  expect('no empty panel', await page.isVisible('#plan'), false);
  await page.setViewportSize({ width: 400, height: 900 });
  await page.waitForFunction(() => document.querySelector('#chart svg').getBoundingClientRect().width <= 400);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.waitForFunction(() => document.querySelector('#chart svg').getBoundingClientRect().width > 400);
  expect('title', await page.textContent('h1'), '8b on h100-sxm, sequences of 8,192 tokens');

  // 24 GiB of device and 96 GiB of host memory: 100 * 24 + 7 * 96 + 0.25 tok/s.
  const box = await boxOf(page, cell('3,072'));
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.waitForSelector('#chart dd >> text=3,072 (simulated)');
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  expect('the plan of the cell', await page.textContent('#plan h2'), 'host 96 GiB, device 24 GiB');
  expect('its text', await page.textContent('#plan pre'), /parameters of 16 layers stay, 16 travel\nsaves <all> for 24 GiB/);
  expect('its figure, unrounded', await page.textContent('#plan dl'), /3,072\.25 \(simulated\)/);
  await page.frameLocator('#plan iframe').locator('h1', { hasText: 'sample' }).waitFor();
  await look(page, 'plan');

  const black = await boxOf(page, cell('no fit'));
  await page.mouse.click(black.x + black.width / 2, black.y + black.height / 2);
  expect('why nothing fits', await page.textContent('#plan'), /does not fit: needs \d+ GiB of host memory & <more>/);

  await page.selectOption('#metric', 'mfu');
  expect('the unit', await page.textContent('#subtitle'), /% MFU/);
  await page.selectOption('#against', { label: 'published' });
  await cell('\\+25.0').waitFor();
  await look(page, 'difference');
  await page.selectOption('#against', { label: 'nothing' });

  await page.click('summary');
  await page.selectOption('#metric', 'tokens');
  await page.click('#values button >> text=/^3,072$/');
  await page.click('#timeline');
  await page.waitForSelector('#view');
  await page.fill('#search', 'forward l07');
  expect('matches', await page.textContent('#matches'), /^1 op, /);
  await page.press('#search', 'Enter');
  expect('the op found', await page.textContent('#selected h2'), 'Forward L07 C0 R0');
});
