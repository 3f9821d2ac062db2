"use strict";
// Push to talk: while the button or the key is held, the microphone is recorded. The words come into the line.

const RATE = 16000;
const LONGEST = 60; // seconds
const TALK = "F2";
const NO_MICROPHONE = {
  NotAllowedError: "The browser does not let this page use the microphone. Allow it beside the address, then try again.",
  NotFoundError: "There is no microphone. Connect one, or type.",
  NotReadableError: "Another program uses the microphone. Close it, or type.",
};

const talk = {
  state: "idle", // idle, opening, listening, reading
  held: false,
  parts: [],

  async press() {
    if (this.state !== "idle" || $("talk").disabled) return;
    this.held = true;
    this.parts = [];
    this.show("opening", "The microphone is being opened.");
    const key = sessionStorage.getItem("desk") ?? "";
    try {
      const { why } = await (await fetch("speech", { headers: { "X-Desk-Key": key } })).json();
      if (why) return this.refuse(why);
      if (!navigator.mediaDevices?.getUserMedia) return this.refuse("This browser gives no microphone to this address. Open the desk as http://127.0.0.1, or type.");
      this.stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
      this.context = new AudioContext({ sampleRate: RATE });
      await this.context.audioWorklet.addModule("static/recorder.js");
      const source = this.context.createMediaStreamSource(this.stream);
      const recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
      recorder.port.onmessage = ({ data }) => {
        this.parts.push(data);
        if (this.parts.length * 0.1 >= LONGEST) this.release();
      };
      source.connect(recorder);
      await this.context.resume();
    } catch (error) {
      return this.refuse(NO_MICROPHONE[error.name] ?? `The microphone cannot be used: ${error.message}`);
    }
    this.show("listening", "Listening. Let go when you have spoken.");
    if (!this.held) this.release();
  },

  async release() {
    this.held = false;
    if (this.state !== "listening") return;
    this.show("reading", "Your words are being read.");
    await new Promise((done) => setTimeout(done, 150)); // the last syllable
    this.close();
    const live = front;
    const parts = this.parts.slice(0, LONGEST * 10);
    let answer;
    try {
      const headers = { "Content-Type": "audio/wav", "X-Desk-Key": sessionStorage.getItem("desk") ?? "" };
      answer = await (await fetch(`speech?${new URLSearchParams({ episode: live })}`, { method: "POST", headers, body: wav(parts) })).json();
    } catch {
      answer = { error: "The desk cannot be reached." };
    }
    if (answer.error || front !== live) return this.refuse(answer.error ?? "Another episode is in front now. Speak again.");
    this.show("idle", "");
    recording = answer.recording;
    offer(answer.text, "speech");
    const named = (phrase) => h("button", { type: "button", "data-testid": "offer", onclick: () => offer(phrase, "speech") }, phrase);
    $("offers").replaceChildren(...(answer.offers.length ? [h("span", { class: "soft" }, "Or: "), ...answer.offers.map(named)] : []));
  },

  close() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.context?.close();
    this.stream = this.context = null;
  },

  refuse(sentence) {
    this.close();
    this.held = false;
    this.show("idle", "");
    say(sentence, true);
  },

  show(state, sentence) {
    this.state = state;
    $("talk").textContent = { idle: "Hold to talk", opening: "Opening", listening: "Listening", reading: "Reading" }[state];
    $("talk").classList.toggle("primary", state === "listening");
    $("talk").setAttribute("aria-pressed", state === "listening");
    if (sentence) say(sentence);
  },
};

// A WAV file of one channel with 16 bits.
function wav(parts) {
  const count = parts.reduce((sum, part) => sum + part.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 2 * count));
  const text = (at, word) => [...word].forEach((letter, k) => view.setUint8(at + k, letter.charCodeAt(0)));
  text(0, "RIFF"); view.setUint32(4, 36 + 2 * count, true); text(8, "WAVEfmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
  view.setUint32(24, RATE, true); view.setUint32(28, 2 * RATE, true); view.setUint16(32, 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, 2 * count, true);
  let at = 44;
  for (const part of parts) for (const sample of part) { view.setInt16(at, 32767 * Math.max(-1, Math.min(1, sample)), true); at += 2; }
  return view.buffer;
}

$("talk").addEventListener("pointerdown", (event) => {
  if (event.button) return;
  event.currentTarget.setPointerCapture(event.pointerId);
  talk.press();
});
for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) $("talk").addEventListener(name, () => talk.release());
$("talk").addEventListener("contextmenu", (event) => event.preventDefault()); // a long press on a phone
document.addEventListener("keydown", (event) => {
  const onButton = event.target.id === "talk" && (event.key === " " || event.key === "Enter");
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || $("keys").open || !(event.key === TALK || onButton)) return;
  event.preventDefault();
  talk.press();
});
document.addEventListener("keyup", (event) => {
  if ([TALK, " ", "Enter"].includes(event.key)) talk.release();
});
window.addEventListener("blur", () => talk.release()); // the key's end is not heard from another window
