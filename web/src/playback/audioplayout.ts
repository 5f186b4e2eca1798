// Sound that was decoded here, on its way to a track: put on the audio clock piece by
// piece, so that it runs evenly whatever the page is busy with.

const strays = 0.03; // s: the stream's clock and the sound card's have parted by more
const soonest = 0.005; // s: later than this can still be put on the clock
const tooLate = 0.2; // s

/** When pieces of sound begin: each where the one before it ends, as long as that is right. */
export class Score {
	#end = 0;

	/** When a piece that is due then begins, in seconds of the audio clock; null when it comes too late. */
	place(due: number, length: number, now: number): number | null {
		if (due < now - tooLate) return null;
		let at = this.#end;
		if (Math.abs(due - at) > strays || at < now) at = Math.max(due, now + soonest);
		this.#end = at + length;
		return at;
	}
}

export class Voice {
	#context = new AudioContext({ latencyHint: 'interactive' });
	#to = this.#context.createMediaStreamDestination();
	#score = new Score();
	#due: (pts: number) => number;

	/** due is when the sound of a time is due, on the page's clock; both in milliseconds. */
	constructor(media: MediaStream, due: (pts: number) => number) {
		this.#due = due;
		for (const track of this.#to.stream.getAudioTracks()) media.addTrack(track);
	}

	push(data: AudioData) {
		const { numberOfChannels, numberOfFrames, sampleRate, timestamp } = data;
		const now = this.#context.currentTime;
		const due = now + (this.#due(timestamp / 1000) - performance.now()) / 1000;
		const at = this.#context.state === 'running' ? this.#score.place(due, numberOfFrames / sampleRate, now) : null;
		if (at !== null) {
			const sound = this.#context.createBuffer(numberOfChannels, numberOfFrames, sampleRate);
			for (let c = 0; c < numberOfChannels; c++)
				data.copyTo(sound.getChannelData(c), { planeIndex: c, format: 'f32-planar' });
			const piece = this.#context.createBufferSource();
			piece.buffer = sound;
			piece.connect(this.#to);
			piece.start(at);
		} else if (this.#context.state === 'suspended') {
			void this.#context.resume(); // allowed once somebody has clicked on the page
		}
		data.close();
	}

	close() {
		for (const track of this.#to.stream.getTracks()) track.stop();
		void this.#context.close();
	}
}
