import { expect, test } from 'vitest';
import { decodeBase64, parseUnit } from './watchprotocol';

function message(flags: number, times: number[], data: number[]): ArrayBuffer {
	const out = new ArrayBuffer(33 + data.length);
	const view = new DataView(out);
	view.setUint8(0, flags);
	times.forEach((t, i) => view.setFloat64(1 + 8 * i, t));
	new Uint8Array(out, 33).set(data);
	return out;
}

test('an access unit is read as the server writes it', () => {
	expect(parseUnit(message(5, [40.5, 20, 1000, 1001], [7, 8]))).toEqual({
		key: true,
		audio: false,
		gap: true,
		pts: 40.5,
		dts: 20,
		arrived: 1000,
		sent: 1001,
		data: new Uint8Array([7, 8]),
	});
	expect(parseUnit(message(2, [0, 0, 0, 0], [1]))).toMatchObject({ key: false, audio: true, gap: false });
	expect(parseUnit(new ArrayBuffer(33))).toBeNull();
	expect(decodeBase64('AQID')).toEqual(new Uint8Array([1, 2, 3]));
	expect(decodeBase64()).toBeUndefined();
});
