// Opens pages in Debian's Chromium: node SCRIPT.mjs PAGE PLAYWRIGHT CHROMIUM. A script throws at the first thing that is not as it should
// be. With SCREENSHOTS=DIR each `look` writes the page at two widths, in light and in dark.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [file, playwright, executablePath] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);

// No network: a page that asks for anything but files is at fault.
export const inBrowser = async script => {
  const browser = await chromium.launch({
    executablePath,
    timeout: 600_000,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--no-first-run'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.setDefaultTimeout(600_000); // a loaded machine is no fault of a page's
    const faults = [];
    page.on('console', message => ['error', 'warning'].includes(message.type()) && faults.push(message.text()));
    page.on('pageerror', error => faults.push(error.stack));
    page.on('request', request => /^(file|data|about):/.test(request.url()) || faults.push(`asked for ${request.url()}`));
    const begun = performance.now();
    await page.goto(pathToFileURL(file).href);
    await ready(page);
    await page.evaluate(() => new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn))));
    const opened = performance.now() - begun;
    await script(page, opened);
    if (faults.length > 0) throw new Error(`the browser's console says:\n${faults.join('\n')}`);
  } finally {
    await browser.close();
  }
};

// Scripts say when they are done: a module may still be unpacking when its page has loaded.
export const ready = page => page.waitForFunction(() => 'ready' in document.documentElement.dataset);

export const expect = (what, seen, wanted) => {
  const good = wanted instanceof RegExp ? wanted.test(seen) : Object.is(seen, wanted);
  if (!good) throw new Error(`${what}: expected ${wanted}, found ${seen}`);
};

// What observes sizes and colours has been told, and has drawn: observers are called within a frame, and may ask for another one.
const settled = page => page.evaluate(async () => {
  for (let i = 0; i < 4; i++) await new Promise(requestAnimationFrame);
});

// Where something is. A chart that is drawn anew puts other elements in place of those that were found a moment ago.
export const boxOf = async (page, locator) => {
  for (;;) {
    await locator.waitFor();
    const box = await locator.boundingBox();
    if (box) return box;
    await settled(page);
  }
};

export const look = async (page, name) => {
  const folder = process.env.SCREENSHOTS;
  for (const width of [1280, 400]) {
    await page.setViewportSize({ width, height: 900 });
    await settled(page);
    expect(
      `${name} at ${width} pixels needs no scrolling sideways`,
      await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth),
      true,
    );
    for (const colorScheme of folder ? ['light', 'dark'] : []) {
      await page.emulateMedia({ colorScheme });
      await settled(page);
      await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
  await accessible(page, name);
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize({ width: 1280, height: 900 });
  await settled(page);
};

// What axe finds serious, on a narrow screen and in both colour schemes; pages in frames are looked at alone.
const accessible = async (page, name) => {
  await page.addScriptTag({ path: join(dirname(playwright), 'axe-core', 'axe.min.js') });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await settled(page);
    const { violations } = await page.evaluate(() => window.axe.run({ iframes: false, preload: false }));
    const serious = violations.filter(v => ['serious', 'critical'].includes(v.impact));
    expect(`serious faults of ${name} in ${colorScheme}`, JSON.stringify(serious.map(v => [v.id, v.nodes.map(n => n.html)])), '[]');
  }
};
