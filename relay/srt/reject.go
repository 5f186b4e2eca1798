package srt

import (
	"errors"
	"fmt"

	"obvan/relay"
)

// A listener refuses with a number (draft-sharabayko-srt-01, table 7; from 1400 on those
// of SRT's access control, which follow HTTP's).
var rejections = map[uint32]string{
	1002: "the server does not accept the stream",
	1004: "the server reports an SRT protocol error on our side",
	1008: "the server's SRT version is too old or too new",
	1010: "the passphrase is wrong",
	1011: "the server requires a passphrase and none is set, or the other way round",
	1012: "the server is not set up for live streams: it needs live mode",
	1013: "the server is not set up for live streams: it needs live mode",
	1014: "the server requires a packet filter (FEC): disable it there",
	1015: "the server requires connection bonding (groups): disable it there",
	1400: "the server does not understand the stream ID",
	1401: "the server requires other credentials in the stream ID",
	1403: "the server does not allow the stream",
	1404: "the server does not know the stream ID",
	1405: "the server does not accept streams under this stream ID",
	1406: "the server can't accept this stream",
	1409: "the stream is already in use",
	1415: "the server does not accept this type of stream",
	1423: "the stream is locked by someone else and already in use",
}

// overloaded are refusals that may pass: the server is busy, restarting or faulty.
var overloaded = map[uint32]string{
	1000: "the server refused without giving a reason",
	1001: "the server has a system error",
	1003: "the server has no resources left",
	1005: "the server's queue of callers is full",
	1006: "the server has an internal error",
	1007: "the server is shutting down",
	1016: "the server timed out",
	1402: "the server is overloaded",
	1424: "a system behind the server failed",
	1500: "the server has an internal error",
	1502: "the server's own source failed",
	1503: "the server is down",
	1507: "the server has no storage left",
}

// rejection is what a refusal means.
func rejection(code uint32) error {
	if why, ok := overloaded[code]; ok {
		return errors.New(why)
	}
	if why, ok := rejections[code]; ok {
		return relay.NewRemoteError(relay.ErrRefused, why)
	}
	return relay.NewRemoteError(relay.ErrRefused, fmt.Sprintf("the server gave reason code %d", code))
}
