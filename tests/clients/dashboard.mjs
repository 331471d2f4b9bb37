// A user at the dashboard, in a real browser: `node dashboard.mjs CHROMIUM URL start FILE…` starts a
// batch of files, `… URL watch BATCH` opens a batch's page. Either watches the batch to its end and
// looks at its graph. `… URL steer FAILED RUNNING` has a batch's failed documents tried again, which
// another page of it sees too, and cancels one that runs. `… URL sign EDITOR VIEWER FILE…` signs in
// with API keys. Prints one JSON line for each thing that was seen.
// Exits with 1 where a page does not come to what is waited for.
import puppeteer from 'puppeteer-core';

const [executablePath, url, task, ...rest] = process.argv.slice(2);
const TIMEOUT = 90_000;

function print(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** What no page of ours may do: fail, complain, or ask anybody else. */
function listen(page, isRefused) {
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    // Where the server is away, or asks for a key, requests fail; the page says so by itself.
    const isNetwork = /WebSocket connection|Failed to load resource/.test(message.text());
    if (message.type() !== 'error' || (isNetwork && isRefused)) return;
    complaints.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (!['data:', 'blob:'].includes(asked.protocol) && asked.host !== new URL(url).host) {
      complaints.push(`foreign: ${request.url()}`);
    }
  });
  return complaints;
}

async function steer(page, browser, [failed, running]) {
  const stage = (page, name) =>
    page.waitForFunction(
      (name) => document.querySelector('.head .stage')?.textContent === name,
      {},
      name,
    );
  const attempt = (page, number) =>
    page.waitForFunction(
      (number) => document.querySelector('.documents tbody tr')?.cells[3].innerText === number,
      {},
      number,
    );
  const address = (batch) => `${url}/#/batches/${encodeURIComponent(batch)}`;
  const other = await browser.newPage();
  await other.goto(address(failed));
  await page.goto(address(failed));
  // Only the page in front is painted, and what is not painted is not waited for.
  for (const each of [other, page]) {
    await each.bringToFront();
    await stage(each, 'failed');
    await attempt(each, '1');
  }
  await click(page, 'Try failed documents again');
  for (const each of [page, other]) {
    await each.bringToFront();
    await attempt(each, '2');
    await stage(each, 'failed');
  }
  print({ saw: 'retry', error: await page.$eval('.documents tbody .error', (it) => it.innerText) });
  await other.close();
  page.on('dialog', (dialog) => dialog.accept());
  await page.goto(address(running));
  await click(page, 'Cancel the batch');
  await stage(page, 'cancelled');
  print({ saw: 'cancel' });
}

async function signIn(page, key) {
  const field = await page.waitForSelector('input[name=key]');
  await field.type(key);
  await click(page, 'Sign in');
  return page.waitForFunction(
    () =>
      document.querySelector('form .error')?.innerText ||
      document.body.innerText.includes('Sign out'),
  );
}

/** Somebody who may start batches does so; then somebody looks at them who may not. */
async function sign(page, [editor, viewer, ...files]) {
  await page.goto(url);
  const refused = await signIn(page, 'kn_wrong');
  print({ saw: 'wrong key', error: await refused.jsonValue() });
  await page.goto('about:blank');
  await page.goto(url);
  await signIn(page, editor);
  await start(page, files);
  print({ saw: 'batch', id: idOf(page) });
  await watch(page);
  await click(page, 'Sign out');
  await signIn(page, viewer);
  await page.waitForSelector('.head .stage');
  await page.goto(`${url}/#/`);
  await page.waitForSelector('tbody .stage');
  await page.waitForFunction(() => !document.body.innerText.includes('Start a batch'));
  print({ saw: 'viewer', page: await page.evaluate(() => document.body.innerText) });
}

async function start(page, files) {
  await page.goto(url);
  await page.waitForFunction(() => document.body.innerText.includes('There is no batch yet.'));
  await click(page, 'Start a batch');
  await (await page.waitForSelector('input[type=file]')).uploadFile(...files);
  await click(page, 'Start');
  await page.waitForFunction(() => location.hash.startsWith('#/batches/'));
}

async function click(page, label) {
  const button = await page.waitForSelector(`::-p-xpath(//button[normalize-space()='${label}'])`);
  await button.click();
}

/** Presses a button wherever it is by now: while lists load, those below them move. */
async function press(page, selector) {
  await page.waitForSelector(selector);
  await page.$eval(selector, (button) => button.click());
}

/** Every share and stage that the page shows until the batch is over. */
async function watch(page) {
  const share = await page.waitForSelector('.head output');
  print({ saw: 'share', share: await share.evaluate((it) => it.textContent) });
  const seen = await page.evaluate(
    (timeout) =>
      new Promise((resolve, reject) => {
        const seen = { shares: [], stages: [], reconnected: false };
        const look = () => {
          const share = document.querySelector('.head output')?.textContent ?? '';
          const stage = document.querySelector('.head .stage')?.textContent ?? '';
          if (seen.shares.at(-1) !== share) seen.shares.push(share);
          if (seen.stages.at(-1) !== stage) seen.stages.push(stage);
          seen.reconnected ||= document.querySelector('.head [role=status]') !== null;
          if (!['completed', 'failed', 'cancelled'].includes(stage)) return;
          observer.disconnect();
          clearTimeout(timer);
          resolve(seen);
        };
        const observer = new MutationObserver(look);
        observer.observe(document.body, { subtree: true, childList: true, characterData: true });
        const timer = setTimeout(() => reject(new Error(JSON.stringify(seen))), timeout);
        look();
      }),
    TIMEOUT,
  );
  const facts = await page.$$eval('.facts li', (items) => items.map((item) => item.textContent));
  print({ saw: 'progress', ...seen, facts });
  return facts;
}

/** How many of the first relations are between entities, as the server says. */
async function edgesOf(page) {
  const id = idOf(page);
  return page.evaluate(async (id) => {
    const query = `query ($id: ID!) {
      batch(id: $id) { relations(first: 200) { nodes { object { id } } } }
    }`;
    const headers = { 'content-type': 'application/json' };
    const body = JSON.stringify({ query, variables: { id } });
    const { data } = await (await fetch('/graphql', { method: 'POST', headers, body })).json();
    return data.batch.relations.nodes.filter((it) => it.object !== null).length;
  }, id);
}

function idOf(page) {
  return decodeURIComponent(new URL(page.url()).hash.slice('#/batches/'.length));
}

/** The drawing, and the words about what is chosen from the list. */
async function look(page, facts) {
  const relations = facts.find((fact) => fact.endsWith('relations'));
  const drawn = await page.waitForFunction(
    (relations) => {
      const text = document.querySelector('[data-testid=drawn]')?.textContent.trim() ?? '';
      // Of a large graph a part is drawn.
      return (text.endsWith(`${relations}.`) || text.startsWith('The first')) && text;
    },
    {},
    relations,
  );
  const colours = await page.waitForFunction(() => {
    let painted = 0;
    for (const canvas of document.querySelectorAll('.canvas canvas')) {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let at = 3; at < data.length; at += 4) painted += data[at] > 0 ? 1 : 0;
    }
    return painted > 500 && painted;
  });
  const edges = await edgesOf(page);
  const canvas = `.canvas[data-edges='${edges}']`;
  await page.waitForSelector(canvas);
  print({ saw: 'graph', drawn: await drawn.jsonValue(), edges, painted: await colours.jsonValue() });
  await press(page, '.entities .entity');
  await page.waitForSelector('.selected blockquote');
  const chosen = await page.evaluate(() => ({
    name: document.querySelector('.selected h3').textContent,
    quotes: [...document.querySelectorAll('.selected blockquote')].map((quote) => ({
      text: quote.firstChild.textContent,
      from: quote.querySelector('footer').textContent,
    })),
  }));
  print({ saw: 'entity', ...chosen });
  await page.type('input[aria-label="Search for a name"]', chosen.name);
  await page.waitForFunction(
    (name) =>
      [...document.querySelectorAll('.entities .entity')].length < 20 &&
      document.querySelector('.entities .entity')?.textContent.includes(name),
    {},
    chosen.name,
  );
  const rows = await page.$$eval('.documents tbody tr', (rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim())),
  );
  print({ saw: 'documents', rows });
  await press(page, '.documents tbody button');
  await page.waitForFunction(
    () => document.querySelector('.workflow')?.innerText.startsWith('Workflow completed'),
  );
  const units = await page.$$eval('.workflow tbody tr', (rows) =>
    rows.map((row) => [row.cells[0].innerText, row.cells[1].innerText]),
  );
  print({ saw: 'units', units });
}

let page;
const browser = await puppeteer.launch({
  executablePath,
  // Tests may run as root, where Chromium has no sandbox.
  args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});
try {
  page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT);
  await page.setViewport({ width: 1_280, height: 1_000 });
  const complaints = listen(page, ['watch', 'sign'].includes(task));
  if (task === 'steer') {
    await steer(page, browser, rest);
  } else if (task === 'sign') {
    await sign(page, rest);
  } else {
    if (task === 'start') await start(page, rest);
    else await page.goto(`${url}/#/batches/${encodeURIComponent(rest[0])}`);
    print({ saw: 'batch', id: idOf(page) });
    await look(page, await watch(page));
  }
  if (process.env.SCREENSHOT) await page.screenshot({ path: process.env.SCREENSHOT, fullPage: true });
  await page.goto(`${url}/#/`);
  await page.waitForSelector('tbody .stage');
  const batches = await page.$$eval('tbody tr', (rows) => rows.map((row) => row.innerText));
  print({ saw: 'batches', batches });
  print({ saw: 'complaints', complaints });
} catch (error) {
  const shown = await page?.evaluate(() => document.body.innerText).catch(() => 'nothing');
  console.error(`the page shows: ${shown}`);
  throw error;
} finally {
  await browser.close();
}
