package whip

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"obvan/internal/signalling"
)

// Reasons for refusing an offer, beside those of its form.
var (
	errReceives = fmt.Errorf("%w: it asks to receive, but a camera has to send", signalling.ErrOffer)
	errNoCodec  = errors.New("the offer has neither H.264 nor Opus")
	errNoH264   = errors.New("cameras must send H.264 (packetization-mode=1), and the offer has only other codecs")
)

// offer is what a camera's offer contains.
type offer struct {
	text    string
	h264    string // the fmtp of the H.264 to accept; "" without video
	audio   bool
	passive bool // the client insists on being the DTLS server
}

// readOffer refuses unusable offers, before pion allocates memory for them.
func readOffer(body string) (offer, error) {
	o := offer{text: body}
	desc, err := signalling.Parse(body)
	if err != nil {
		return o, err
	}
	setup, _ := desc.Attribute("setup")
	video := false
	for _, m := range desc.MediaDescriptions {
		if _, receives := m.Attribute(sdp.AttrKeyRecvOnly); receives {
			return o, errReceives
		}
		if own, ok := m.Attribute("setup"); ok {
			setup = own
		}
		switch m.MediaName.Media {
		case "video":
			video = true
			if o.h264 == "" {
				o.h264 = h264Of(m)
			}
		case "audio":
			o.audio = o.audio || signalling.Opus(m)
		default:
			return o, signalling.ErrData
		}
	}
	o.passive = setup == "passive"
	switch {
	case video && o.h264 == "":
		return o, errNoH264
	case !video && !o.audio:
		return o, errNoCodec
	}
	return o, nil
}

// preferredProfile is the one that every decoder supports: Constrained Baseline. Others
// are accepted when it is not offered.
const preferredProfile = "profile-level-id=42e0"

// h264Of is the parameters of the H.264 format to answer with; "" when there is none.
func h264Of(m *sdp.MediaDescription) (found string) {
	for parameters := range signalling.H264(m) {
		parameters = strings.ToLower(strings.ReplaceAll(parameters, " ", ""))
		if !strings.Contains(parameters, "packetization-mode=1") || !profilePattern.MatchString(parameters) {
			continue
		}
		if strings.Contains(parameters, preferredProfile) {
			return parameters
		}
		if found == "" {
			found = parameters
		}
	}
	return found
}

var profilePattern = regexp.MustCompile(`(^|;)profile-level-id=[0-9a-f]{6}(;|$)`)

// Bitrates that a camera is asked for. Without a start bitrate a browser begins at 300
// kbit/s and a quarter of the resolution, and takes half a minute to increase it.
const (
	startKbps = 2500
	opusKbps  = 96
)

// nackEvery is how soon a lost packet is requested: pion's default of 100 ms would be as
// long as the whole latency from camera to screen.
const nackEvery = 20 * time.Millisecond

// engine supports exactly the codecs to accept from this offer.
func engine(o offer) (*webrtc.MediaEngine, *interceptor.Registry, error) {
	m, r := &webrtc.MediaEngine{}, &interceptor.Registry{}
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	var errs []error
	if o.h264 != "" {
		errs = append(errs, m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 96, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeH264, ClockRate: 90000, RTCPFeedback: feedback, SDPFmtpLine: o.h264,
		}}, webrtc.RTPCodecTypeVideo))
	}
	if o.audio {
		errs = append(errs, m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
			MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
		}}, webrtc.RTPCodecTypeAudio))
	}
	quiet := &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}
	lost, err := nack.NewGeneratorInterceptor(nack.GeneratorInterval(nackEvery), nack.GeneratorSize(1024), nack.WithGeneratorLoggerFactory(quiet))
	errs = append(errs, err)
	reports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(quiet))
	errs = append(errs, err)
	// Browsers estimate the bandwidth from transport-wide feedback.
	errs = append(errs, webrtc.ConfigureTWCCSender(m, r))
	if err := errors.Join(errs...); err != nil {
		return nil, nil, fmt.Errorf("set up WebRTC: %w", err)
	}
	r.Add(lost)
	r.Add(reports)
	return m, r, nil
}

// answer negotiates pc against an offer that readOffer accepted.
func answer(pc *webrtc.PeerConnection, o offer) (string, error) {
	text, err := signalling.Answer(pc, o.text)
	if err != nil {
		return "", err
	}
	if o.h264 != "" && !signalling.SendsH264(text) {
		return "", signalling.ErrAnswer
	}
	return tuneAnswer(text), nil
}

var (
	h264Line = regexp.MustCompile(`(?m)^(a=fmtp:\d+ [^\r\n]*profile-level-id=[^\r\n]*)`)
	opusMap  = regexp.MustCompile(`(?mi)^a=rtpmap:(\d+) opus/48000/2\r?\n`)
)

// tuneAnswer asks a browser to start at a good bitrate, and for good audio: in stereo
// when the microphone is. It changes only the text that is sent: pion ignores these
// parameters, and answers with the offer's own.
func tuneAnswer(text string) string {
	text = h264Line.ReplaceAllString(text, fmt.Sprintf("${1};x-google-start-bitrate=%d", startKbps))
	number := opusMap.FindStringSubmatch(text)
	if number == nil {
		return text
	}
	fmtp := "a=fmtp:" + number[1] + " "
	audio := fmt.Sprintf("stereo=1;maxaveragebitrate=%d", opusKbps*1000)
	if strings.Contains(text, fmtp) {
		return strings.Replace(text, fmtp, fmtp+audio+";", 1)
	}
	return strings.Replace(text, number[0], number[0]+fmtp+audio+"\r\n", 1)
}
