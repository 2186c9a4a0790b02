// The page of what fits: chosen by mouse and by keys, answers for each way of training, what does not fit, the link that says the choice.
import { expect, inBrowser, look, ready } from './browser.mjs';

const panel = (page, name) => page.locator('#answers article', { has: page.getByRole('heading', { name, exact: true }) });
const said = async (page, name) => (await panel(page, name).innerText()).replaceAll(/\s+/g, ' ');

await inBrowser(async page => {
  expect('models', await page.locator('#model option').count(), 2);
  expect('a name is text', await page.textContent('#model option'), 'small <1> (1.20B)');
  expect('panels', await page.locator('#answers article').count(), 3);
  expect('the first answer', await said(page, 'full'), /^full 5,000 tok\/s Longest sequences that fit: 32,768 tokens\. time 5\.56 hours/);
  expect('its cost', await said(page, 'full'), / cost 11\.11 /);
  expect('gains', await said(page, 'full'), /1 GiB more device \+1\.7% 1 GiB more host nothing links twice as fast \+21%/);
  expect('memory', await said(page, 'full'), /a step 65,536 tokens or more memory 21\.5 GiB device, 30\.3 GiB host/);
  await look(page, 'fit');
  await page.setViewportSize({ width: 768, height: 900 });
  expect('no scrolling at 768', await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
  await page.selectOption('#model', 'large');
  await page.selectOption('#host', '32');
  expect('nothing of that length', await said(page, 'full'), /does not fit Sequences of 32,768 tokens do not fit this GPU, whatever/);
  expect('nor of any', await said(page, 'full'), /No length fits with so much host memory/);
  expect('an adapter does', await said(page, 'LoRA'), /^LoRA 2,600 tok\/s/);
  await page.selectOption('#seqlen', '2048');
  expect('the memory that it takes', await said(page, 'full'), /take at least 58 GiB of host memory/);
  const lengths = (await page.innerText('#speeds')).replaceAll(/\s+/g, ' ');
  expect('lengths', lengths, /2,048 58 GiB host 5,100 tok\/s 5,200 tok\/s 32,768 does not fit/);
  await page.focus('#machine');
  await page.keyboard.press('ArrowDown');
  expect('by keys', await page.inputValue('#machine'), 'server');
  await page.fill('#tokens', '');
  expect('no tokens', await said(page, 'LoRA'), /time give a number of tokens cost give tokens and a price/);
  await page.fill('#tokens', '1000');
  await page.fill('#price', '0.5');
  expect('hours and cost', await said(page, 'LoRA'), /time 27\.5 hours cost 13\.75/);
  await page.reload();
  await ready(page);
  expect('the link has the choice', await page.inputValue('#machine'), 'server');
  expect('and the tokens', await page.inputValue('#tokens'), '1000');
  const unnamed = await page.evaluate(() => [...document.querySelectorAll('select, input')].filter(f => f.labels.length === 0).length);
  expect('fields without a label', unnamed, 0);
});
