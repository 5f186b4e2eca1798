package whep

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"obvan/internal/signalling"
)

// Reasons for refusing an offer, besides those of package signalling.
var (
	errOfferNoVideo = fmt.Errorf("%w: it requests no video", signalling.ErrOffer)
	errSends        = fmt.Errorf("%w: it offers to send; a player's offer must be recvonly", signalling.ErrOffer)
	errNoH264       = errors.New("the offer has no H.264 (packetization-mode=1), which is what this server sends")
	errUnusable     = errors.New("the offer has no media that this server could send")
)

// checkOffer refuses an offer with sections that a player doesn't need, before pion allocates
// memory for them, and reports whether audio is requested.
func checkOffer(body string) (audio bool, err error) {
	offer, err := signalling.Parse(body)
	if err != nil {
		return false, err
	}
	video, h264 := false, false
	for _, m := range offer.MediaDescriptions {
		if _, sendonly := m.Attribute(sdp.AttrKeySendOnly); sendonly {
			return false, errSends
		}
		switch m.MediaName.Media {
		case "video":
			video = true
			h264 = h264 || hasH264(m)
		case "audio":
			audio = audio || signalling.Opus(m)
		default:
			return false, signalling.ErrData
		}
	}
	switch {
	case !video:
		return false, errOfferNoVideo
	case !h264:
		return false, errNoH264
	}
	return audio, nil
}

func hasH264(m *sdp.MediaDescription) bool {
	for parameters := range signalling.H264(m) {
		if strings.Contains(parameters, "packetization-mode=1") {
			return true
		}
	}
	return false
}

// answer negotiates pc with an offer that was checked.
func answer(pc *webrtc.PeerConnection, offer string) (string, error) {
	text, err := signalling.Answer(pc, offer)
	if err != nil {
		return "", err
	}
	if !signalling.SendsH264(text) {
		return "", errUnusable
	}
	return text, nil
}
