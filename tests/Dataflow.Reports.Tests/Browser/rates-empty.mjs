// A range test that ended at once: what is missing is said where a curve would be.
import { expect, inBrowser, look } from './browser.mjs';

await inBrowser(async page => {
  await look(page, 'rates-empty');
  expect('suggestion', await page.textContent('#suggestion'), 'No suggestion: the loss did not fall');
  expect('curve', await page.textContent('#read'), /there is no curve/);
  expect('charts', await page.locator('svg').count(), 0);
});
