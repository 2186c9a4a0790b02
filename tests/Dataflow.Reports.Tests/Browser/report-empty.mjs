// A report on a row that says too little: what is missing is said where a chart would be.
import { expect, inBrowser, look } from './browser.mjs';

await inBrowser(async page => {
  await look(page, 'report-empty');
  expect('peaks', await page.textContent('#peaks'), /No row of these files ran with a speed in tokens/);
  expect('scaling', await page.textContent('#scaling'), /No peak of these files has fewer nodes/);
  expect('cost', await page.textContent('#cost'), /do not say their length/);
  expect('the cost itself', await page.textContent('#cost summary'), /\(1 row\)/);
  expect('utilization', await page.textContent('#utilization'), /No row of these files says its length/);
  expect('charts', await page.locator('svg').count(), 0);
});
