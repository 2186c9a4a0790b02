// A long timeline: it is searched, zoomed, moved; an op says what it waited for, and stalls lead to it.
import { expect, inBrowser, look } from './browser.mjs';

await inBrowser(async (page, opened) => {
  const frames = await page.evaluate(async () => {
    const [{ zoom, drawing, state }, times] = [window.timeline, []];
    for (let i = 0; i < 40; i++) {
      const begun = performance.now();
      zoom(i < 20 ? 0.7 : 1 / 0.7);
      drawing.draw(state);
      times.push(performance.now() - begun);
      await new Promise(requestAnimationFrame);
    }
    return times.sort((a, b) => a - b);
  });
  console.log(
    `timeline of ${await page.evaluate('timeline.model.count')} ops opened in ${Math.round(opened)} ms; a frame took ` +
      `${frames[20].toFixed(1)} ms, at most ${frames[39].toFixed(1)} ms`,
  );
  await page.click('#fit');
  await look(page, 'timeline');
  expect(
    'what fetches and saves are',
    await page.textContent('#key'),
    /Fetch: a copy from host to device memory\. Save: a copy from device to host memory\./,
  );
  expect('no empty panel', await page.isVisible('#selected'), false);
  expect('stalls in plain words', await page.textContent('#stalls'), /computeparameters to come/);
  // Labels of the ruler and of the lanes are drawn within the canvas.
  expect('labels that are cut', await page.evaluate(() => {
    const { drawing, state } = window.timeline;
    const c = drawing.context;
    const fill = c.fillText;
    const cut = [];
    c.fillText = (text, x, y) => {
      const width = c.measureText(text).width;
      const left = c.textAlign === 'right' ? x - width : x;
      if (left < 0 || left + width > drawing.width || text.endsWith('…')) cut.push(text);
      fill.call(c, text, x, y);
    };
    drawing.draw(state);
    c.fillText = fill;
    return cut.join('; ');
  }), '');

  await page.fill('#search', 'forward l4167');
  expect('matches', await page.textContent('#matches'), /^1 op, 1.000 µs/);
  await page.press('#search', 'Enter');
  expect('the op found', await page.textContent('#selected h2'), 'Forward L4167 C0 R0');
  expect('both its times', await page.textContent('#selected'), /simulated1.000 µs from .*measured1.100 µs from .*difference\+10.0%/);
  const length = () => page.evaluate('timeline.state.to - timeline.state.from');
  expect('the view is about the op', await length() < 30000, true);
  await page.check('#align');
  expect('the measured op is where the predicted one is', await page.evaluate(() => {
    const { drawing, model, state } = window.timeline;
    const [op, step] = [state.selected, model.steps[1]];
    return step.start[op] - drawing.offsetOf(step, state) === model.steps[0].start[op];
  }), true);
  await look(page, 'found');
  await page.uncheck('#align');

  const before = await length();
  await page.focus('#view');
  await page.keyboard.press('+');
  expect('+ zooms in', await length() < before, true);
  const box = await page.locator('#view').boundingBox();
  await page.mouse.move(box.x + 600, box.y + 60);
  const near = await length();
  await page.mouse.wheel(0, 300);
  await page.waitForFunction(was => timeline.state.to - timeline.state.from > was, near);
  const from = await page.evaluate('timeline.state.from');
  await page.mouse.down();
  await page.mouse.move(box.x + 500, box.y + 60, { steps: 4 });
  await page.mouse.up();
  expect('dragging to the left goes on in time', await page.evaluate('timeline.state.from') > from, true);

  await page.fill('#search', '');
  await page.click('#selected button >> nth=0');
  expect('a link to what was awaited', await page.textContent('#selected h2'), /^Fetch W/);
  await page.click('#fit');
  await page.click('#stalls button >> nth=0');
  expect('the longest stall', await page.textContent('#selected'), /stalled.*waiting for/);
  await look(page, 'stall');
  await page.fill('#search', 'no such op');
  expect('nothing found', await page.textContent('#matches'), 'no op has such words in its name');
});
