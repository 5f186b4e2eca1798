package whep

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Reasons for refusing an offer.
var (
	errNoOffer  = errors.New("the body is not an SDP offer")
	errNoVideo  = errors.New("the offer asks for no picture")
	errNoH264   = errors.New("the offer has no H.264 (packetization-mode=1), which is what this server sends")
	errSends    = errors.New("the offer wants to send: a player asks for recvonly")
	errTooMuch  = errors.New("the offer has too many media sections")
	errPaths    = errors.New("the offer has too many candidates")
	errData     = errors.New("the offer asks for a data channel, which this server does not have")
	errAnswer   = errors.New("the offer can't be answered")
	errUnusable = errors.New("the offer has no media that this server could send")
)

const (
	maxSections  = 8
	maxPaths     = 64 // candidates; each is knocked at several times, whoever's address it is
	gatherWithin = 5 * time.Second
)

// checkOffer refuses what a player has no use for, before pion takes memory for
// it, and says whether sound is wanted.
func checkOffer(body string) (sound bool, err error) {
	var offer sdp.SessionDescription
	if err := offer.UnmarshalString(body); err != nil || len(offer.MediaDescriptions) == 0 {
		return false, errNoOffer
	}
	if len(offer.MediaDescriptions) > maxSections {
		return false, errTooMuch
	}
	if strings.Count(body, "candidate:") > maxPaths {
		return false, errPaths
	}
	picture, h264 := false, false
	for _, m := range offer.MediaDescriptions {
		if _, sendonly := m.Attribute(sdp.AttrKeySendOnly); sendonly {
			return false, errSends
		}
		switch m.MediaName.Media {
		case "video":
			picture = true
			h264 = h264 || hasH264(m)
		case "audio":
			sound = sound || hasOpus(m)
		default:
			return false, errData
		}
	}
	switch {
	case !picture:
		return false, errNoVideo
	case !h264:
		return false, errNoH264
	}
	return sound, nil
}

func hasH264(m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" || !strings.Contains(strings.ToUpper(a.Value), " H264/90000") {
			continue
		}
		number, _, _ := strings.Cut(a.Value, " ")
		for _, f := range m.Attributes {
			if of, parameters, _ := strings.Cut(f.Value, " "); f.Key == "fmtp" && of == number && strings.Contains(parameters, "packetization-mode=1") {
				return true
			}
		}
	}
	return false
}

func hasOpus(m *sdp.MediaDescription) bool {
	for _, a := range m.Attributes {
		if a.Key == "rtpmap" && strings.HasSuffix(strings.ToLower(a.Value), " opus/48000/2") {
			return true
		}
	}
	return false
}

// answer negotiates pc against an offer that was checked. pion parses the offer
// too, so a panic of its ends here.
func answer(pc *webrtc.PeerConnection, offer string) (text string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errAnswer, p)
		}
	}()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	reply, err := pc.CreateAnswer(nil)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	// Only our own addresses are gathered: milliseconds.
	gathered := webrtc.GatheringCompletePromise(pc)
	if err := pc.SetLocalDescription(reply); err != nil {
		return "", fmt.Errorf("%w: %w", errAnswer, err)
	}
	select {
	case <-gathered:
	case <-time.After(gatherWithin):
		return "", errAnswer
	}
	text = pc.LocalDescription().SDP
	if !strings.Contains(text, " H264/90000") {
		return "", errUnusable
	}
	return text, nil
}
