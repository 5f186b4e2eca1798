// Writes decoded audio to a track: block by block on the audio clock, so that it plays
// evenly while the page is busy.

const maxDrift = 0.03; // s between the stream's clock and the audio device's
const leadTime = 0.005; // s: the earliest a block can be scheduled
const tooLate = 0.2; // s

/** When blocks of audio start: each where the one before ends, while the clocks agree. */
export class PlayoutSchedule {
	#end = 0;

	/** The start of a block that is due then, in seconds of the audio clock; null when it is too late. */
	place(due: number, length: number, now: number): number | null {
		if (due < now - tooLate) return null;
		let at = this.#end;
		if (Math.abs(due - at) > maxDrift || at < now) at = Math.max(due, now + leadTime);
		this.#end = at + length;
		return at;
	}
}

export class AudioPlayout {
	#context = new AudioContext({ latencyHint: 'interactive' });
	#output = this.#context.createMediaStreamDestination();
	#schedule = new PlayoutSchedule();
	#due: (pts: number) => number;

	/** due turns a presentation time into the page's clock; both in milliseconds. */
	constructor(media: MediaStream, due: (pts: number) => number) {
		this.#due = due;
		for (const track of this.#output.stream.getAudioTracks()) media.addTrack(track);
	}

	push(data: AudioData) {
		const { numberOfChannels, numberOfFrames, sampleRate, timestamp } = data;
		const now = this.#context.currentTime;
		const due = now + (this.#due(timestamp / 1000) - performance.now()) / 1000;
		const at = this.#context.state === 'running' ? this.#schedule.place(due, numberOfFrames / sampleRate, now) : null;
		if (at !== null) {
			const samples = this.#context.createBuffer(numberOfChannels, numberOfFrames, sampleRate);
			for (let c = 0; c < numberOfChannels; c++)
				data.copyTo(samples.getChannelData(c), { planeIndex: c, format: 'f32-planar' });
			const block = this.#context.createBufferSource();
			block.buffer = samples;
			block.connect(this.#output);
			block.start(at);
		} else if (this.#context.state === 'suspended') {
			void this.#context.resume(); // allowed after the first click on the page
		}
		data.close();
	}

	close() {
		for (const track of this.#output.stream.getTracks()) track.stop();
		void this.#context.close();
	}
}
