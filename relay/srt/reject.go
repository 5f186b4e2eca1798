package srt

import (
	"errors"
	"fmt"

	"obvan/relay"
)

// A listener refuses with a number (draft-sharabayko-srt-01, table 7; from 1400 on
// those of SRT's access control, which lean on HTTP's).
var rejections = map[uint32]string{
	1002: "the server does not accept the stream",
	1004: "the server says that we don't speak SRT properly",
	1008: "the server's version of SRT is too old or too new",
	1010: "the passphrase is wrong",
	1011: "the server wants a passphrase and none is set, or the other way round",
	1012: "the server is not set up for live streams: it needs live mode",
	1013: "the server is not set up for live streams: it needs live mode",
	1014: "the server wants a packet filter (FEC): switch that off there",
	1015: "the server wants connections in groups (bonding): switch that off there",
	1400: "the server does not understand the stream id",
	1401: "the server wants other credentials in the stream id",
	1403: "the server does not allow the stream",
	1404: "the server does not know the stream id",
	1405: "the server does not take streams under this stream id",
	1406: "the server can't take this stream",
	1409: "the stream is already in use",
	1415: "the server does not take this kind of stream",
	1423: "the stream is locked by somebody else and already in use",
}

// overloaded are refusals that pass: the server is busy, restarts or is broken.
var overloaded = map[uint32]string{
	1000: "the server refused for a reason that it does not give",
	1001: "the server has a problem with its system",
	1003: "the server has no resources left",
	1005: "the server has too many callers waiting",
	1006: "the server has an internal error",
	1007: "the server is closing",
	1016: "the server gave up waiting",
	1402: "the server is overloaded",
	1424: "a part behind the server fails",
	1500: "the server has an internal error",
	1502: "the server's own source fails",
	1503: "the server is down",
	1507: "the server has no room left",
}

// rejection is what a refusal means.
func rejection(code uint32) error {
	if why, ok := overloaded[code]; ok {
		return errors.New(why)
	}
	if why, ok := rejections[code]; ok {
		return relay.NewRemoteError(relay.ErrRefused, why)
	}
	return relay.NewRemoteError(relay.ErrRefused, fmt.Sprintf("the server gives reason %d", code))
}
