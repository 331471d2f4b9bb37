import { useRef, useState } from 'react';
import type { FormEvent } from 'react';

import { batchAddress } from './App';
import { ask, text, useAnswer } from './ask';
import { useMayChange } from './caller';

interface Started {
  startBatch: { __typename: string; batch?: { id: string }; message?: string };
}

interface Ontologies {
  ontologies: { nodes: { id: string; name: string }[] };
}

const START = `
mutation Start($input: StartBatchInput!) {
  startBatch(input: $input) {
    __typename
    ... on StartBatchSuccess { batch { id } }
    ... on Error { message }
  }
}`;

const ONTOLOGIES = `query Ontologies { ontologies(first: 100) { nodes { id name } } }`;

interface Document {
  name: string;
  text: string;
}

/** Starts a batch of text files, or of a text that is pasted. */
export function StartBatch() {
  const [isOpen, setOpen] = useState(false);
  if (!useMayChange()) return null;
  if (!isOpen) {
    return (
      <p>
        <button className="main" onClick={() => setOpen(true)}>
          Start a batch
        </button>
      </p>
    );
  }
  return <Form close={() => setOpen(false)} />;
}

function Form({ close }: { close: () => void }) {
  const [error, setError] = useState<string | null>(null);
  const [isStarting, setStarting] = useState(false);
  const { data } = useAnswer<Ontologies>(ONTOLOGIES, {});
  // The same request twice is one batch, also where the answer to the first was lost.
  const key = useRef<string>(newKey());

  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setError(null);
    setStarting(true);
    try {
      const id = await start(form, key.current);
      location.hash = batchAddress(id);
    } catch (failure) {
      setError(text(failure));
      setStarting(false);
    }
  };

  const ontologies = data?.ontologies.nodes ?? [];
  return (
    <form
      className="start"
      onChange={() => (key.current = newKey())}
      onSubmit={(event) => void submit(event)}
    >
      <h2>Start a batch</h2>
      <label>
        Text files
        <input type="file" name="files" multiple accept=".txt,.md,text/plain,text/markdown" />
      </label>
      <label>
        or a text
        <textarea name="text" rows={5} />
      </label>
      {ontologies.length > 0 && (
        <label>
          Ontology
          <select name="ontology">
            <option value="">the core types</option>
            {ontologies.map((ontology) => (
              <option key={ontology.id} value={ontology.id}>
                {ontology.name}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        Documents at a time
        <input type="number" name="concurrency" min={1} max={64} defaultValue={3} />
      </label>
      {error && (
        <p className="error" role="alert">
          {error}
        </p>
      )}
      <p>
        <button className="main" disabled={isStarting}>
          {isStarting ? 'Starting…' : 'Start'}
        </button>{' '}
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
    </form>
  );
}

async function start(form: FormData, idempotencyKey: string): Promise<string> {
  const documents = await documentsOf(form);
  if (documents.length === 0) throw new Error('Choose files, or paste a text.');
  const input = {
    documents,
    ontologyId: form.get('ontology') || null,
    config: { concurrency: Number(form.get('concurrency')) },
    idempotencyKey,
  };
  const { startBatch } = await ask<Started>(START, { input });
  if (!startBatch.batch) throw new Error(startBatch.message ?? startBatch.__typename);
  return startBatch.batch.id;
}

async function documentsOf(form: FormData): Promise<Document[]> {
  const documents: Document[] = [];
  for (const file of form.getAll('files')) {
    // Without a choice there is one without a name.
    if (file instanceof File && file.name !== '') {
      documents.push({ name: file.name, text: await readText(file) });
    }
  }
  const pasted = String(form.get('text') ?? '');
  if (pasted.trim() !== '') documents.push({ name: 'pasted text', text: pasted });
  return documents;
}

async function readText(file: File): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} is not text in UTF-8.`);
  }
}

/** Random without `crypto.randomUUID`, which pages without TLS lack on other hosts than this one. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `dashboard-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}
