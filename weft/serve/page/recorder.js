"use strict";
/* Recording from the microphone. Browsers compress what they record, each in its own format and some without its length;
   it is decoded here and becomes a WAV file, which the server and every player read. */

const MOST_SECONDS = 180; // 17 MB as WAV, 23 MB in a request
const SAMPLES_A_SECOND = 48000;
const BITS_A_SECOND = 128000; // of what is decoded again
const QUIETEST = -60; // decibels at which the level is shown as none
const AS_HEARD = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

class Recorder {
  /** stream: of a microphone. */
  constructor(stream) {
    this.stream = stream;
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(stream).connect(this.analyser);
    this.heard = new Float32Array(this.analyser.fftSize);
    this.parts = [];
    this.recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS_A_SECOND });
    this.recorder.addEventListener("dataavailable", (event) => this.parts.push(event.data));
    this.ended = new Promise((resolve) => this.recorder.addEventListener("stop", resolve));
    this.recorder.start();
    this.began = performance.now();
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  /** From 0, silence, to 1, as loud as can be recorded. */
  get level() {
    this.analyser.getFloatTimeDomainData(this.heard);
    const peak = this.heard.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    return Math.min(1, Math.max(0, 1 - (20 * Math.log10(peak || 1e-9)) / QUIETEST));
  }

  /** Ends it. Gives {file: WAV, silent}. */
  async stop() {
    this.close();
    await this.ended;
    const encoded = await new Blob(this.parts).arrayBuffer();
    let decoded;
    try {
      decoded = await new OfflineAudioContext(1, 1, SAMPLES_A_SECOND).decodeAudioData(encoded);
    } catch {
      throw new Refused(say("Nothing was recorded."));
    }
    const samples = asMono(decoded);
    return { file: wavFile(samples), silent: samples.every((sample) => sample === 0) };
  }

  /** Gives the microphone back. */
  close() {
    if (this.recorder.state !== "inactive") this.recorder.stop();
    this.stream.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") this.context.close();
  }
}

/** Throws where this page can have no microphone, whatever a person allows. */
function checkRecordable() {
  if (!isSecureContext) throw new Refused(say("The browser gives the microphone only to pages that come by https, or from this machine (localhost)."));
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) throw new Refused(say("This browser cannot record sounds."));
}

/** A stream of the microphone, as it hears; the browser asks the person first. */
async function openMicrophone(signal) {
  checkRecordable();
  const opening = navigator.mediaDevices.getUserMedia({ audio: AS_HEARD });
  const cancelledBefore = new Promise((_, reject) => signal.addEventListener("abort", () => reject(new DOMException("", "AbortError"))));
  opening.then((stream) => signal.aborted && stream.getTracks().forEach((track) => track.stop()), () => {});
  try {
    return await Promise.race([opening, cancelledBefore]);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Refused(whyNoMicrophone(error));
  }
}

function whyNoMicrophone(error) {
  if (error.name === "NotAllowedError") return say("The microphone is not allowed. Allow it for this page in the browser's settings, then start again.");
  if (error.name === "NotFoundError") return say("There is no microphone. Connect one, then start again.");
  if (error.name === "NotReadableError") return say("The microphone cannot be read. Another program may be using it.");
  return say("The microphone cannot be used: {reason}", { reason: error.message || error.name });
}

/** The mean of the channels. */
function asMono(decoded) {
  const channels = Array.from({ length: decoded.numberOfChannels }, (_, channel) => decoded.getChannelData(channel));
  return channels[0].map((_, n) => channels.reduce((sum, channel) => sum + channel[n], 0) / channels.length);
}

/** 16-bit PCM, one channel. */
function wavFile(samples) {
  const view = new DataView(new ArrayBuffer(44 + 2 * samples.length));
  const letters = (place, text) => [...text].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  letters(0, "RIFF");
  view.setUint32(4, view.byteLength - 8, true);
  letters(8, "WAVEfmt ");
  view.setUint32(16, 16, true); // bytes of the format
  view.setUint16(20, 1, true); // PCM
  view.setUint16(22, 1, true); // channels
  view.setUint32(24, SAMPLES_A_SECOND, true);
  view.setUint32(28, 2 * SAMPLES_A_SECOND, true); // bytes a second
  view.setUint16(32, 2, true); // bytes of a sample of all channels
  view.setUint16(34, 16, true); // bits of a sample
  letters(36, "data");
  view.setUint32(40, 2 * samples.length, true);
  samples.forEach((sample, n) => view.setInt16(44 + 2 * n, Math.round(32767 * Math.min(1, Math.max(-1, sample))), true));
  return new Blob([view], { type: "audio/wav" });
}
