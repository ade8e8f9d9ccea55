/* Files that wait to be sent, kept over a reload: in IndexedDB, else in memory. */

const NAME = "frontdesk-files";
const memory = new Map<string, Blob>();

function database(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore("files");
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore<T>(mode: IDBTransactionMode, ask: (files: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const opened = await database();
  try {
    return await new Promise<T>((resolve, reject) => {
      const change = opened.transaction("files", mode);
      const request = ask(change.objectStore("files"));
      change.oncomplete = () => resolve(request.result);
      change.onerror = change.onabort = () => reject(change.error);
    });
  } finally {
    opened.close();
  }
}

export async function keepFile(key: string, file: Blob): Promise<void> {
  memory.set(key, file);
  // Bytes, not the File: a file of the disk may be gone or changed when its turn comes.
  const kept = { type: file.type, bytes: await file.arrayBuffer() };
  await inStore("readwrite", (files) => files.put(kept, key)).catch(() => null);
}

export async function findFile(key: string): Promise<Blob | null> {
  const here = memory.get(key);
  if (here) return here;
  const kept = await inStore<{ type: string; bytes: ArrayBuffer } | undefined>("readonly", (files) => files.get(key))
    .catch(() => undefined);
  return kept ? new Blob([kept.bytes], { type: kept.type }) : null;
}

/** Forget the files whose keys begin so. */
export async function dropFiles(prefix: string): Promise<void> {
  for (const key of memory.keys()) if (key.startsWith(prefix)) memory.delete(key);
  const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
  await inStore("readwrite", (files) => files.delete(range)).catch(() => null);
}
