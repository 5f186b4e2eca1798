// The messages of /watch/<stream> (monitor/frames in the server): the codecs of a stream,
// then its encoded video and audio.

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

/** One encoded video or audio frame. Times are in milliseconds. */
export interface AccessUnit {
	key: boolean;
	audio: boolean;
	gap: boolean; // units before it were dropped
	pts: number;
	dts: number;
	arrived: number; // at the server, on its clock
	sent: number;
	data: Uint8Array;
}

const headerSize = 33;

export function parseUnit(message: ArrayBuffer): AccessUnit | null {
	if (message.byteLength <= headerSize) return null;
	const view = new DataView(message);
	const flags = view.getUint8(0);
	return {
		key: (flags & 1) !== 0,
		audio: (flags & 2) !== 0,
		gap: (flags & 4) !== 0,
		pts: view.getFloat64(1),
		dts: view.getFloat64(9),
		arrived: view.getFloat64(17),
		sent: view.getFloat64(25),
		data: new Uint8Array(message, headerSize),
	};
}

export function decodeBase64(base64?: string): Uint8Array<ArrayBuffer> | undefined {
	if (!base64) return undefined;
	const text = atob(base64);
	const out = new Uint8Array(text.length);
	for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
	return out;
}
