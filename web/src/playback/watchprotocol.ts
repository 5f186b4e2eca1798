// The messages of /watch/<stream> (monitor/frames in the server): how a stream is
// coded, then its coded pictures and sound.

export interface Decoder {
	codec: string;
	description?: string; // base64
	width?: number;
	height?: number;
	sampleRate?: number;
	channels?: number;
}

export interface CodecInfo {
	video?: Decoder;
	audio?: Decoder;
}

/** One coded picture or piece of sound. Times are in milliseconds. */
export interface Unit {
	key: boolean;
	sound: boolean;
	gap: boolean; // units before it were left out
	pts: number;
	dts: number;
	arrived: number; // at the server, on its clock
	sent: number;
	data: Uint8Array;
}

const headerSize = 33;

export function unit(message: ArrayBuffer): Unit | null {
	if (message.byteLength <= headerSize) return null;
	const view = new DataView(message);
	const flags = view.getUint8(0);
	return {
		key: (flags & 1) !== 0,
		sound: (flags & 2) !== 0,
		gap: (flags & 4) !== 0,
		pts: view.getFloat64(1),
		dts: view.getFloat64(9),
		arrived: view.getFloat64(17),
		sent: view.getFloat64(25),
		data: new Uint8Array(message, headerSize),
	};
}

export function bytes(base64?: string): Uint8Array<ArrayBuffer> | undefined {
	if (!base64) return undefined;
	const text = atob(base64);
	const out = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
	return out;
}
