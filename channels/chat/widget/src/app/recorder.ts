/* Records a voice message with the browser's own recorder. */

export const LONGEST_SECONDS = 180;
const TYPES = ["audio/webm;codecs=opus", "audio/mp4", "audio/ogg;codecs=opus"];
const ENDINGS: Record<string, string> = { "audio/webm": "webm", "audio/mp4": "m4a", "audio/ogg": "ogg" };

export function canRecord(): boolean {
  const policy = (document as { permissionsPolicy?: { allowsFeature(name: string): boolean } }).permissionsPolicy;
  const isAllowed = policy?.allowsFeature("microphone") ?? true;
  return isAllowed && typeof MediaRecorder === "function" && Boolean(navigator.mediaDevices?.getUserMedia);
}

export class Recording {
  readonly startedAt = Date.now();
  private readonly parts: Blob[] = [];

  private constructor(
    private readonly recorder: MediaRecorder,
    private readonly stream: MediaStream,
  ) {
    recorder.ondataavailable = (event) => this.parts.push(event.data);
    recorder.start(1000);
  }

  /** Ask for the microphone and begin. Throws where the visitor or the page refuses it. */
  static async begin(): Promise<Recording> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    const mimeType = TYPES.find((type) => MediaRecorder.isTypeSupported(type));
    return new Recording(new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 32_000 }), stream);
  }

  /** Stop; the recording as a file. */
  async finish(): Promise<File> {
    const stopped = new Promise((done) => this.recorder.addEventListener("stop", done, { once: true }));
    this.recorder.stop();
    await stopped;
    this.release();
    const type = (this.recorder.mimeType || "audio/webm").split(";")[0] ?? "audio/webm";
    return new File(this.parts, `voice-message.${ENDINGS[type] ?? "webm"}`, { type });
  }

  discard(): void {
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.release();
  }

  private release(): void {
    for (const track of this.stream.getTracks()) track.stop();
  }
}
