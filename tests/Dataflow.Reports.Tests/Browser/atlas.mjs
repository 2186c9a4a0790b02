// An atlas: the index leads to maps, a map's cell to its plan, the plan to its timeline, which is zoomed and searched.
import { expect, inBrowser, look, ready } from './browser.mjs';

await inBrowser(async (page, opened) => {
  console.log(`atlas opened in ${Math.round(opened)} ms`);
  await look(page, 'atlas');
  const sections = await page.locator('section h2').allTextContents();
  expect('its sections', sections.join('; '), /^Held against published; Predictions$/);
  expect('a mark', await page.textContent('section:last-of-type .badge'), /nothing in this table was measured or published/);
  expect('how the others compare', await page.textContent('section:first-of-type'), /both have a figure: the median is [+−]/);

  const follow = async selector => {
    await page.locator(selector).first().click();
    await ready(page);
  };
  await follow('section:last-of-type td a:not(.infeasible)');
  expect('predictions say so', await page.isVisible('#badge'), true);
  await follow('#up a');

  await follow('section:first-of-type td a:not(.infeasible)');
  expect('what others measured is no prediction', await page.isVisible('#badge'), false);
  const title = await page.textContent('h1');
  const lengths = await page.locator('#seqlen option').count();
  expect('lengths', lengths > 1, true);
  await page.selectOption('#seqlen', { index: lengths - 1 });
  expect('another length', await page.textContent('h1') !== title, true);
  const address = page.url();
  expect('the address says what is shown', address, /#seqlen=\d+&metric=tokens&of=/);
  await page.selectOption('#set', { label: 'published' });
  expect('whose results', await page.textContent('#subtitle'), /^published · Throughput/);
  await look(page, 'published');
  await page.selectOption('#against', { index: 1 });
  expect('differences', await page.textContent('#subtitle'), /^published, against predicted.*difference in %/);
  await page.goto(address);
  await ready(page);
  expect('an address is gone to', await page.textContent('#subtitle'), /^predicted/);
  await page.selectOption('#seqlen', { index: 0 });
  await look(page, 'map');

  // The first cell with a figure.
  const cell = page.locator('#chart text').filter({ hasText: /^[\d.,]+$/ });
  const axes = new Set(await page.evaluate(() => state.set.cells.flatMap(c => [String(c.host), String(c.device)])));
  const at = (await cell.allTextContents()).findIndex(text => !axes.has(text));
  const box = await cell.nth(at).boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  expect('the plan of a cell', await page.textContent('#plan'), /sequences? a step.*round.*plan [0-9a-f]{16}, policy auto/s);
  await page.frameLocator('#plan iframe').locator('h1', { hasText: 'plan' }).waitFor();
  await look(page, 'cell');
  await follow('#timeline');
  await look(page, 'cell-timeline');
  expect('the timeline of that plan', await page.textContent('h1'), /sequences of [\d,]+ on .*: plan [0-9a-f]{16}/);
  await page.fill('#search', 'update');
  expect('updates are found', await page.textContent('#matches'), /^\d+ ops?, /);
  const length = () => page.evaluate('timeline.state.to - timeline.state.from');
  const whole = await length();
  await page.press('#search', 'Enter');
  expect('one is shown', await page.textContent('#selected h2'), /^Update/);
  expect('and zoomed to', await length() < whole, true);
  await page.click('#out');
  await page.click('#fit');
  expect('all of it again', await length() >= whole, true);
});
