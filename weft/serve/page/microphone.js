"use strict";
/* The dialog that records a sound from the microphone and plays it, before it is taken. */

const LOOKS_A_SECOND = 10; // at the level and the time
let recordings = 0;

class Microphone {
  /** taken: is called with the file, if one is taken. */
  constructor(taken) {
    this.taken = taken;
    this.recorder = null;
    this.file = null;
    this.told = make("p", { class: "soft", role: "status" }, say("Start the recording, and stop it at the end of the sound. It is sent only after you choose to use it."));
    this.level = make("meter", { min: 0, max: 1, value: 0, "aria-label": say("Level") });
    this.time = make("span", { role: "timer" });
    this.running = make("div", { class: "level", hidden: true }, this.level, this.time);
    this.player = make("div", {});
    this.place = workplace();
    this.record = button(say("Start recording"), () => (this.recorder ? this.stop() : this.start()), { class: "main" });
    this.take = button(say("Use this recording"), () => this.hand(), { class: "main", hidden: true });
    this.dialog = this.asDialog();
    document.body.append(this.dialog);
    this.dialog.showModal();
    attempt(this.place, () => {
      this.record.hidden = true;
      checkRecordable();
      this.record.hidden = false;
      this.record.focus();
    });
  }

  asDialog() {
    const heading = make("h2", { id: newId("record") }, say("Record a sound"));
    const actions = make("div", { class: "actions" }, this.take, this.record, button(say("Cancel"), () => this.dialog.close()));
    const content = make("div", { class: "stack" }, heading, this.told, this.running, this.player, this.place, actions);
    const closed = () => {
      this.end();
      this.place.working?.abort();
      this.dialog.remove();
    };
    return make("dialog", { "aria-labelledby": heading.id, class: "narrow", on: { close: closed } }, content);
  }

  async start() {
    const stream = await work(this.place, ({ signal, tell }) => {
      tell(say("Allow the microphone where the browser asks for it"));
      return openMicrophone(signal);
    });
    if (!stream) return;
    this.recorder = new Recorder(stream);
    stream.getTracks().forEach((track) => track.addEventListener("ended", () => this.stop())); // it was unplugged
    this.timer = setInterval(() => this.look(), 1000 / LOOKS_A_SECOND);
    this.show(null);
    this.look();
  }

  /** Nothing is read aloud meanwhile: it would be recorded. */
  look() {
    this.level.value = this.recorder.level;
    fill(this.time, say("{seconds} s of at most {most} s", { seconds: this.recorder.seconds.toFixed(1), most: MOST_SECONDS }));
    if (this.recorder.seconds >= MOST_SECONDS) this.stop();
  }

  async stop() {
    const recorder = this.end();
    if (!recorder) return;
    const found = await work(this.place, () => recorder.stop());
    this.show(found ?? null);
  }

  /** Gives the microphone back, and what recorded it, if anything did. */
  end() {
    const { recorder } = this;
    clearInterval(this.timer);
    this.recorder = null;
    recorder?.close();
    return recorder;
  }

  /** found: {file, silent}, or null while there is no recording. */
  show(found) {
    this.file = found?.file ?? null;
    this.running.hidden = this.recorder === null;
    this.take.hidden = found === null;
    setAttribute(this.record, "class", found ? "" : "main");
    fill(this.record, found ? say("Record again") : this.recorder ? say("Stop") : say("Start recording"));
    fill(this.player, found && showMedia(found.file, "audio", say("The recording")));
    fill(this.told, found && (found.silent ? say("The recording is silent: is the microphone switched off?") : say("Listen to it, use it, or record again.")));
    if (found) this.take.focus();
  }

  hand() {
    recordings += 1;
    this.dialog.close(); // first, since it puts the focus back to where it was
    this.taken(new File([this.file], `recording-${recordings}.wav`, { type: this.file.type }));
  }
}

/** A button that records, with its words. */
function recordButton(taken) {
  return make("button", { type: "button", class: "record", on: { click: () => new Microphone(taken) } }, icon("microphone"), say("Record with the microphone"));
}
