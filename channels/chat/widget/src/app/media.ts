/* Pictures and recordings, drawn and played without an address: no policy of the host page can
 * refuse a canvas or decoded sound, as it may refuse blob: images and media. */
import { button, el, icon } from "../dom.ts";
import { ICONS } from "./icons.ts";
import { fill, type Words } from "./words.ts";

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const THUMB_PX = 480;
const FULL_PX = 2000;

export const isPicture = (mediaType: string): boolean => PICTURES.includes(mediaType);
export const isRecording = (mediaType: string): boolean =>
  mediaType.startsWith("audio/") || mediaType.split(";")[0] === "video/webm";

/** A picture on a canvas, no larger than asked for. Throws for what is no picture. */
export async function drawPicture(blob: Blob, label: string, largest: number): Promise<HTMLCanvasElement> {
  const bitmap = await createImageBitmap(blob);
  const scale = Math.min(1, largest / Math.max(bitmap.width, bitmap.height));
  const canvas = el("canvas", { role: "img", "aria-label": label });
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  canvas.getContext("2d")?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas;
}

export const drawThumbnail = (blob: Blob, label: string): Promise<HTMLCanvasElement> => drawPicture(blob, label, THUMB_PX);
export const drawFull = (blob: Blob, label: string): Promise<HTMLCanvasElement> => drawPicture(blob, label, FULL_PX);

/** Hand the file to the browser's downloads; it is never opened as a page. */
export function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(new Blob([blob], { type: "application/octet-stream" }));
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

let sharedAudio: AudioContext | null = null;

/** The page's one sound device; made when it is first needed. */
export function audio(): AudioContext {
  sharedAudio ??= new AudioContext();
  return sharedAudio;
}

export const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

/** A player of one recording: a button, a bar, the time. */
export function player(words: Words, fetchSound: () => Promise<Blob>, name: string): HTMLElement {
  const time = el("span", { class: "time-left" }, "0:00");
  const bar = el("progress", { class: "bar", max: 1, value: 0, "aria-hidden": "true" });
  const note = el("div", { class: "note", role: "status", hidden: true });
  let buffer: AudioBuffer | null = null;
  let source: AudioBufferSourceNode | null = null;
  let startedAt = 0;
  let offset = 0;

  const press = button({ class: "play", "aria-label": words.play }, [icon(ICONS.play, 18)], () => void toggle());
  const node = el("div", { class: "player" }, press, bar, time, note);

  async function toggle(): Promise<void> {
    if (source) return stop(false);
    press.setAttribute("aria-busy", "true");
    try {
      await audio().resume();
      buffer ??= await audio().decodeAudioData(await (await fetchSound()).arrayBuffer());
      play(buffer);
    } catch {
      note.textContent = words.cannotPlay;
      note.hidden = false;
    } finally {
      press.removeAttribute("aria-busy");
    }
  }

  function play(sound: AudioBuffer): void {
    source = audio().createBufferSource();
    source.buffer = sound;
    source.connect(audio().destination);
    source.onended = () => stop(true);
    if (offset >= sound.duration) offset = 0;
    startedAt = audio().currentTime - offset;
    source.start(0, offset);
    show(true);
    requestAnimationFrame(follow);
  }

  function stop(isOver: boolean): void {
    if (!source) return;
    source.onended = null;
    source.stop();
    source = null;
    offset = isOver ? 0 : audio().currentTime - startedAt;
    show(false);
    tell(offset);
  }

  function follow(): void {
    if (!source || !node.isConnected) return stop(false);
    tell(audio().currentTime - startedAt);
    requestAnimationFrame(follow);
  }

  function tell(at: number): void {
    time.textContent = clock(at);
    bar.value = buffer ? Math.min(1, at / buffer.duration) : 0;
  }

  function show(isPlaying: boolean): void {
    node.classList.toggle("playing", isPlaying);
    press.setAttribute("aria-label", isPlaying ? words.pause : words.play);
    press.replaceChildren(icon(isPlaying ? ICONS.pause : ICONS.play, 18));
  }

  const keep = button({ class: "small", "aria-label": fill(words.save, { name }) }, [icon(ICONS.save, 16)], () =>
    void fetchSound().then((blob) => save(blob, name)));
  node.insertBefore(keep, note);
  return node;
}
