// Watches a batch with an official client, reconnecting whenever the connection breaks, and prints
// one JSON line an event: `node watch.mjs <websocket|graphql-sse|event-source> URL BATCH`.
// Exits with 0 when the server has said that the batch is over, with 1 when the client gave up.
import { EventSource } from 'eventsource';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import { createServer } from 'node:http';
import WebSocket from 'ws';

const TERMINAL = ['BatchCompleted', 'BatchFailed', 'BatchCancelled'];
const SUBSCRIPTION = `subscription ($id: ID!, $after: Long) {
  batchProgress(batchId: $id, afterSequence: $after) {
    type: __typename
    batchId sequence timestamp progress completedDocuments failedDocuments totalDocuments
  }
}`;
const RETRY = {
  retryAttempts: 100_000,
  shouldRetry: () => true,
};

function retryWait() {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
}

function print(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** Subscribes and names, at each reconnect, the last sequence that was seen. */
function subscribe(client, batch) {
  const variables = { id: batch, after: 0 };
  return new Promise((resolve, reject) => {
    client.subscribe(
      { query: SUBSCRIPTION, variables },
      {
        next({ data, errors }) {
          if (errors) return reject(new Error(JSON.stringify(errors)));
          const event = data.batchProgress;
          // The clients send the request anew at each reconnect, with what the variables are then.
          variables.after = Number(event.sequence);
          print(event);
        },
        error: (error) => reject(error instanceof Error ? error : new Error(describe(error))),
        complete: resolve,
      },
    );
  });
}

function describe(error) {
  return error.code ? `closed with ${error.code} ${error.reason}` : JSON.stringify(error);
}

function websocket(url, batch) {
  const client = createWebSocketClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryWait,
    ...RETRY,
  });
  return subscribe(client, batch).finally(() => client.dispose());
}

function graphqlSse(url, batch) {
  const client = createSseClient({ url: `${url}/graphql`, retry: retryWait, ...RETRY });
  return subscribe(client, batch).finally(() => client.dispose());
}

/** The browser's interface: it reconnects by itself and sends `Last-Event-ID`. */
function eventSource(url, batch) {
  const source = new EventSource(`${url}/api/knowledge/extraction/progress/${batch}`);
  return new Promise((resolve, reject) => {
    let ended = false;
    const names = [
      'BatchCreated', 'BatchStageEntered', 'DocumentStarted', 'StageProgress',
      'DocumentCompleted', 'DocumentFailed', 'DocumentSkipped', 'DocumentQuarantined', 'DocumentSuspended',
      'DocumentResumed', 'BatchSuspended', 'BatchResumed', 'ResolutionStarted',
      'ResolutionCompleted', ...TERMINAL,
    ];
    for (const name of names) {
      source.addEventListener(name, (message) => {
        const event = JSON.parse(message.data);
        if (String(event.sequence) !== message.lastEventId || event.type !== name) {
          reject(new Error(`the fields of the event disagree with its data: ${message.data}`));
        }
        ended = TERMINAL.includes(name);
        print(event);
      });
    }
    source.addEventListener('error', (error) => {
      // The server answers 204 to whoever has seen everything, which ends an EventSource.
      if (source.readyState !== EventSource.CLOSED) return;
      if (ended && error.code === 204) resolve();
      else reject(new Error(`given up: ${error.code} ${error.message}`));
    });
  }).finally(() => source.close());
}

/**
 * Lets Node.js load the HTTP parser of its `fetch`, which it does at the first connection: one that
 * breaks meanwhile is never noticed, its request never ends, and Node.js exits with 13.
 */
async function loadParser() {
  const server = createServer((_, response) => response.end());
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const answer = await fetch(`http://127.0.0.1:${server.address().port}`);
  await answer.text();
  server.closeAllConnections();
  server.close();
}

const PROTOCOLS = { websocket, 'graphql-sse': graphqlSse, 'event-source': eventSource };
const [protocol, url, batch] = process.argv.slice(2);
await loadParser();
await PROTOCOLS[protocol](url, batch);
