// A range test's page: the curve with its mark, steps read off by keys and by pointer, the table, light and dark, wide and narrow.
import { boxOf, expect, inBrowser, look } from './browser.mjs';

await inBrowser(async page => {
  expect('title', await page.textContent('h1'), 'Learning rate range test: <micro>');
  expect('facts', await page.textContent('#facts'), /^adamw, fp32 · 32 sequences/);
  expect('suggestion', await page.textContent('#suggestion strong'), '6.6e-4');
  expect('reason', await page.textContent('#suggestion'), /a tenth of 6.6e-3/);
  expect('mark', await page.textContent('#curve svg'), /suggested 6.6e-4/);
  expect('axis', await page.textContent('#curve svg'), /learning rate, on a logarithmic scale/);
  await look(page, 'rates');
  await page.focus('#curve');
  await page.keyboard.press('ArrowRight');
  expect('the suggested step first', await page.textContent('#read'), /^Step 48: learning rate 7.05e-4, loss/);
  await page.keyboard.press('ArrowRight');
  expect('the next', await page.textContent('#read'), /^Step 49:/);
  await page.keyboard.press('End');
  expect('the last', await page.textContent('#read'), /^Step 100: learning rate 1.00e0, loss 5\d\.\d{4}, smoothed/);
  await page.keyboard.press('Home');
  expect('the first', await page.textContent('#read'), /^Step 1: learning rate 1.00e-6/);
  const box = await boxOf(page, page.locator('#curve'));
  await page.mouse.move(box.x + box.width - 30, box.y + box.height / 2);
  expect('under the pointer', await page.textContent('#read'), /^Step (9[5-9]|100):/);
  await page.click('summary');
  await page.waitForSelector('tr.chosen');
  expect('rows', await page.locator('#table tr').count(), 101);
  expect('the suggested row', await page.textContent('tr.chosen'), /^487.05e-4/);
});
