// Measures the levels and the loudness of streams without playing them.
import { kWeighting, LoudnessMeter, type Loudness } from './loudness';
import { silence } from './peakmeter';

const rate = 48_000; // the K-weighting filters are for this rate

/** The meter of one stream's audio. */
export class StreamMeter {
	#source: MediaStreamAudioSourceNode;
	#plain: AnalyserNode[];
	#weighted: AnalyserNode[];
	#buffer = new Float32Array(32768);
	#read = 0; // the audio clock up to which loudness was measured
	#meter = new LoudnessMeter();

	constructor(context: AudioContext, media: MediaStream, channels: number) {
		this.#source = context.createMediaStreamSource(media);
		const split = context.createChannelSplitter(channels);
		this.#source.connect(split);
		const analyser = (size: number) => new AnalyserNode(context, { fftSize: size });
		this.#plain = Array.from({ length: channels }, (_, i) => split.connect(analyser(2048), i) as AnalyserNode);
		this.#weighted = Array.from({ length: channels }, (_, i) => {
			const [shelf, pass] = kWeighting.map(([forward, back]) => context.createIIRFilter(forward, back));
			return split.connect(shelf!, i).connect(pass!).connect(analyser(32768)) as AnalyserNode;
		});
		this.#read = context.currentTime;
	}

	/** The peak of each channel in the last 43 ms, in dBFS. */
	peaks(): number[] {
		return this.#plain.map((a) => {
			const samples = this.#buffer.subarray(0, a.fftSize);
			a.getFloatTimeDomainData(samples);
			let peak = 0;
			for (const s of samples) peak = Math.max(peak, Math.abs(s));
			return peak > 0 ? Math.max(silence, 20 * Math.log10(peak)) : silence;
		});
	}

	/** The loudness; must be called a few times a second, or samples are missed. */
	loudness(): Loudness {
		const now = this.#source.context.currentTime;
		const fresh = Math.min(this.#buffer.length, Math.round((now - this.#read) * rate));
		this.#read = now;
		if (fresh > 0) {
			this.#meter.feed(
				this.#weighted.map((a) => {
					const all = new Float32Array(a.fftSize);
					a.getFloatTimeDomainData(all);
					return all.subarray(all.length - fresh);
				}),
			);
		}
		return this.#meter.now;
	}

	close() {
		this.#source.disconnect();
	}
}

class StreamMeters {
	/** A browser processes no audio before the first click or key on the page. */
	running = $state(false);
	#context: AudioContext | null = null;

	/** A meter for a stream, null where the browser can't measure. */
	for(media: MediaStream, channels: number): StreamMeter | null {
		if (typeof AudioContext === 'undefined' || media.getAudioTracks().length === 0) return null;
		try {
			return new StreamMeter(this.#start(), media, Math.min(2, Math.max(1, channels)));
		} catch {
			return null; // a sample rate or a number of contexts that the browser refuses
		}
	}

	#start(): AudioContext {
		if (this.#context) return this.#context;
		const context = new AudioContext({ sampleRate: rate, latencyHint: 'playback' });
		const wake = () => void context.resume().catch(() => {});
		context.onstatechange = () => (this.running = context.state === 'running');
		this.running = context.state === 'running';
		for (const touch of ['pointerdown', 'keydown']) addEventListener(touch, wake);
		wake();
		return (this.#context = context);
	}
}

export const streamMeters = new StreamMeters();
