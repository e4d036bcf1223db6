"use strict";
/* Pictures, sounds and videos: of which kind a file is, how it is sent, how it is shown. */

const SUFFIXES = {
  image: "jpg jpeg jpe jfif png webp gif bmp tif tiff heic heif avif jp2 ppm pgm dcm dicom".split(" "),
  audio: "wav flac mp3 ogg opus m4a aac aiff aif".split(" "),
  video: "mp4 mkv webm avi mov m4v mpg mpeg".split(" "),
};
const FEW_PIXELS = 64;
const MEDIA = Object.keys(SUFFIXES);
const KINDS = { image: say("Picture"), audio: say("Sound"), video: say("Video"), text: say("Words") };
const CHOICES = { image: say("Choose a picture"), audio: say("Choose a sound"), video: say("Choose a video") };

/** image, audio, video, or file where neither its type nor its name tells. */
function kindOf(file) {
  const type = file.type.split("/")[0];
  if (MEDIA.includes(type)) return type;
  const suffix = (file.name ?? "").split(".").pop().toLowerCase();
  return MEDIA.find((kind) => SUFFIXES[kind].includes(suffix)) ?? "file";
}

/** What a person calls a kind, or the kind itself. */
function kindWords(kind) {
  return KINDS[kind] ?? kind;
}

/** {base64: ...}, the form in which the server takes a file. */
function asValue(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve({ base64: reader.result.slice(reader.result.indexOf(",") + 1) });
    reader.onerror = () => reject(new Refused(say("The file cannot be read: {name}", { name: blob.name ?? "" })));
    reader.readAsDataURL(blob);
  });
}

function fromBase64(base64, type) {
  return new Blob([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], { type });
}

/** The picture, or a player of the sound or video. label: its name. */
function showMedia(blob, kind, label) {
  const url = URL.createObjectURL(blob);
  if (kind === "image") {
    const picture = drawn(url, label);
    picture.addEventListener("load", () => URL.revokeObjectURL(url));
    return picture;
  }
  if (kind === "audio" || kind === "video") {
    return make(kind, { src: url, controls: true, preload: "metadata", "aria-label": label });
  }
  return make("span", { class: "unseen" }, label);
}

/** A picture; one of few pixels is shown with sharp edges. */
function drawn(src, alt, properties = {}) {
  const picture = make("img", { src, alt, ...properties });
  picture.addEventListener("load", () => picture.classList.toggle("few-pixels", Math.max(picture.naturalWidth, picture.naturalHeight) <= FEW_PIXELS));
  picture.addEventListener("error", () => picture.replaceWith(unseen()));
  return picture;
}

/** In the place of a picture that this browser does not draw; the server may read it all the same. */
function unseen() {
  return make("span", { class: "unseen" }, say("no preview"));
}

/** What lies behind a preview's address, as it can be seen or heard. kind: of the stream that it shows. */
function showPreview(url, kind, label) {
  if (kind === "image") {
    return drawn(url, label, { loading: "lazy" });
  }
  const place = make("div", { class: "player" });
  previewOf(url).then(
    (blob) => fill(place, showMedia(blob, kindOf(blob), label)),
    () => fill(place, unseen()),
  );
  return place;
}

async function previewOf(url, signal) {
  const answer = await sent("GET", url, undefined, signal);
  if (!answer.ok) throw await refusal(answer);
  return answer.blob();
}

/** The files of something dropped or pasted. */
function filesOf(transfer) {
  return [...(transfer?.files ?? [])];
}
