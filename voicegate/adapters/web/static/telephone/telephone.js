// A telephone: JsSIP at the PBX's WebSocket, the browser's WebRTC for sound. One call at a time.
import JsSIP from "./jssip.js";

const LOOK_MS = 200;
const RING_HZ = [440, 480];
const BUSY = 486;
const DECLINED = { status_code: 603, reason_phrase: "Decline" };

export class Telephone {
  /** null, "ringing" or "talking". */
  call = null;
  callerName = "";
  callerNumber = "";
  /** How the last call ended, in words. */
  ending = "";
  onRegistered = () => {};
  onCall = () => {};
  onReceived = () => {};
  #ua;
  #session = null;
  #sound;
  #audio = null;
  #ring = null;
  #analyser = null;
  #looking = 0;

  constructor(account, sound) {
    this.#sound = sound;
    this.#ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(account.websocket_url)],
      uri: account.uri,
      password: account.password,
      register_expires: 120,
      session_timers: false,
    });
    for (const event of ["unregistered", "registrationFailed", "disconnected"]) {
      this.#ua.on(event, () => this.onRegistered(false));
    }
    this.#ua.on("registered", () => this.onRegistered(true));
    this.#ua.on("newRTCSession", ({ session }) => this.#take(session));
  }

  start() {
    this.#ua.start();
  }

  /** Leave the PBX, so that nobody rings a page that is closed. */
  stop() {
    this.#ua.stop();
  }

  /** Take the call that rings; without the microphone, silence is sent, and nobody is asked for a permission. */
  async answer(withMicrophone) {
    this.#stopRinging();
    const audio = this.#context();
    await audio.resume();
    const speak = withMicrophone ? await this.#microphone() : null;
    const mediaStream = speak ?? silence(audio);
    // The caller may have given up while the permission was asked for.
    if (this.call !== "ringing") return;
    this.#session.on("peerconnection", ({ peerconnection }) => this.#hear(peerconnection));
    this.#session.answer({ mediaStream, pcConfig: { iceServers: [] } });
  }

  press(key) {
    this.#session.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833, duration: 160 });
  }

  hangUp() {
    this.#session.terminate(this.call === "ringing" ? DECLINED : {});
  }

  #take(session) {
    if (this.#session) return session.terminate({ status_code: BUSY });
    this.#session = session;
    this.callerName = session.remote_identity.display_name ?? "";
    this.callerNumber = session.remote_identity.uri.user;
    session.on("confirmed", () => this.#set("talking"));
    session.on("ended", ({ originator }) => this.#end(originator === "local" ? "You hung up." : "The caller hung up."));
    session.on("failed", ({ originator, cause }) => this.#end(describeFailure(originator, cause)));
    this.#set("ringing");
    this.#startRinging();
  }

  #set(call) {
    this.call = call;
    this.onCall();
  }

  #end(ending) {
    this.#stopRinging();
    clearInterval(this.#looking);
    this.#sound.srcObject = null;
    this.#session = this.#analyser = null;
    this.ending = ending;
    this.#set(null);
  }

  #hear(connection) {
    connection.addEventListener("track", ({ track, streams }) => {
      const stream = streams[0] ?? new MediaStream([track]);
      this.#sound.srcObject = stream;
      this.#analyser = this.#context().createAnalyser();
      this.#context().createMediaStreamSource(stream).connect(this.#analyser);
    });
    this.#looking = setInterval(() => this.#look(connection), LOOK_MS);
  }

  async #look(connection) {
    const report = await connection.getStats();
    const arrived = [...report.values()].find(entry => entry.type === "inbound-rtp");
    if (!arrived || !this.#analyser) return;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    this.onReceived({
      packets: arrived.packetsReceived,
      lost: arrived.packetsLost,
      codec: (report.get(arrived.codecId)?.mimeType ?? "").replace("audio/", ""),
      level: Math.max(...samples.map(Math.abs)),
    });
  }

  async #microphone() {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      return null;
    }
  }

  #context() {
    this.#audio ??= new AudioContext();
    return this.#audio;
  }

  /** The North American ringing tone: 2 s on, 4 s off. Silent where nobody has touched the page yet. */
  #startRinging() {
    if (!navigator.userActivation.hasBeenActive) return;
    const audio = this.#context();
    const gain = audio.createGain();
    const tones = RING_HZ.map(frequency => new OscillatorNode(audio, { frequency }));
    for (const tone of tones) {
      tone.connect(gain);
      tone.start();
    }
    gain.gain.value = 0;
    gain.connect(audio.destination);
    for (let begin = audio.currentTime; begin < audio.currentTime + 60; begin += 6) {
      gain.gain.setValueAtTime(0.05, begin);
      gain.gain.setValueAtTime(0, begin + 2);
    }
    this.#ring = () => tones.forEach(tone => tone.stop());
  }

  #stopRinging() {
    this.#ring?.();
    this.#ring = null;
  }
}

/** A track without a source would send no packets at all, and so no keys. */
function silence(audio) {
  const destination = audio.createMediaStreamDestination();
  const source = new ConstantSourceNode(audio, { offset: 0 });
  source.connect(destination);
  source.start();
  return destination.stream;
}

function describeFailure(originator, cause) {
  if (cause === "Canceled") return "The caller gave up.";
  return originator === "local" ? "You declined." : `The call failed: ${cause}.`;
}
