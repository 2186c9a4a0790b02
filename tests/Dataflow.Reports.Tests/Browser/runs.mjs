// The page of two runs: charts over each other, read off by keys and by pointer, choosers, events, settings that differ; light and dark,
// wide and narrow.
import { boxOf, expect, inBrowser, look } from './browser.mjs';

await inBrowser(async page => {
  const charts = () => page.locator('#charts section h2').allTextContents();
  const lines = id => page.locator(`#chart-${id} svg path[fill="none"]`).count();
  expect('title', await page.textContent('h1'), 'Training: <first>, second');
  expect('what it is of', await page.textContent('#state'), 'As metrics.jsonl of 2 runs have it.');
  expect('charts', (await charts()).join(), 'Loss,Learning rate,Gradient norm,Tokens a second, against the prediction,Memory,'
    + 'How busy streams are,Load of experts over the mean,Preferences: margin of rewards,Preferences: accuracy');
  await look(page, 'runs');
  await page.setViewportSize({ width: 800, height: 900 });
  expect('at 800 pixels', await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), true);
  await page.setViewportSize({ width: 1280, height: 900 });

  await page.focus('#chart-loss');
  await page.keyboard.press('Home');
  const read = () => page.locator('#charts section').first().locator('.read').textContent();
  expect('the first step', await read(), /^<first>, step 1: training 5\.\d+\nsecond, step 1: training/);
  await page.keyboard.press('End');
  expect('the last', await read(), /^<first>, step 100: training 2\.\d+, validation 2\.\d+\nsecond, step 60:/);
  await page.keyboard.press('ArrowLeft');
  expect('the one before', await read(), /^<first>, step 99:/);
  const box = await boxOf(page, page.locator('#chart-loss'));
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  expect('under the pointer', await read(), /^<first>, step (4[5-9]|5\d):/);

  expect('runs', await page.textContent('#runs'), /<first> \(step 100 of 100, finished\)second \(step 60 of 200, failed\)/);
  const both = await lines('rate');
  await page.locator('#runs input').nth(1).uncheck();
  const one = await lines('rate');
  if (one >= both) throw new Error(`a run that is not shown has its line: ${both}, then ${one}`);
  expect('alone', await (await page.focus('#chart-loss'), await page.keyboard.press('Home'), read()), /^<first>, step 1: [^\n]*$/);
  await page.locator('#runs input').nth(1).check();

  await page.selectOption('#over', 'tokens');
  expect('over tokens', await page.textContent('#chart-loss svg'), /tokens/);
  await page.selectOption('#over', 'hours');
  await page.check('#logx');
  await page.check('#logy');
  await page.fill('#smoothing', '0.9');
  expect('smoothing', await page.textContent('#smoothed'), '0.90');
  await page.selectOption('#over', 'step');
  await page.selectOption('#group', 'layer 0');
  expect('a group', (await charts()).join(), /Gradient norm of layer 0,Update over weight of layer 0/);

  expect('events', await page.textContent('#events'), /<first>40gone on with after step 40/);
  expect('a change', await page.textContent('#events'), /global-batch: 1024 → 2048/);
  expect('a rollback', await page.textContent('#events'), /second30back from step 35, whose loss was 9\.00, to step 30/);
  expect('settings that differ', await page.locator('#settings th[scope=row]').allTextContents().then(t => t.join()), /type \(differs\)/);
  expect('settings that do not', await page.locator('#settings th[scope=row]').allTextContents().then(t => t.join()), /model,data/);
  expect('what run files say otherwise', await page.textContent('#files'), 'Run filesoption<first>secondlr3e-41e-3');
});
