package provision

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// encoderParameters are the settings of the profile that are compared. Those of OBS'
// advanced output mode are out of a client's reach.
var encoderParameters = []parameter{
	{"Output", "Mode"},
	{"SimpleOutput", "StreamEncoder"}, {"SimpleOutput", "UseAdvanced"}, {"SimpleOutput", "Preset"},
	{"SimpleOutput", "VBitrate"}, {"SimpleOutput", "ABitrate"}, {"SimpleOutput", "x264Settings"},
}

// stream sends OBS' program to the studio, with encoder settings that allow fast cuts: by
// default OBS uses B-frames and a keyframe every eight seconds.
func (p *planner) stream() {
	if p.target.Program == "" {
		return
	}
	steps := len(p.plan.Steps)
	p.service()
	p.encoder()
	if len(p.plan.Steps) > steps && p.found.streaming {
		p.note("OBS is streaming: the encoder settings take effect when its stream is restarted.")
	}
}

func (p *planner) service() {
	have := &p.found.service
	if have.to(p.target.Program, p.target.Key) {
		return
	}
	if p.found.streaming {
		p.note("OBS is streaming to another server: stop its stream and set up again, so that it streams to the studio.")
		return
	}
	var back []Request
	if string(have.Settings) == "{}" { // a profile that never streamed; OBS takes no empty object
		have.Settings = json.RawMessage(`{"bwtest":false}`)
	}
	if have.Type != "" && len(have.Settings) > 0 {
		back = append(back, request("SetStreamServiceSettings",
			map[string]any{"streamServiceType": have.Type, "streamServiceSettings": have.Settings}))
	}
	settings := map[string]any{"server": p.target.Program, "key": p.target.Key, "use_auth": false, "bwtest": false}
	p.add(fmt.Sprintf("Set OBS to stream to %s.", p.target.Program), singleRequest(request("SetStreamServiceSettings", map[string]any{
		"streamServiceType": "rtmp_custom", "streamServiceSettings": settings,
	}), back...))
}

func (p *planner) encoder() {
	keyint := strconv.Itoa(p.keyframeInterval())
	hardware := p.found.parameters[parameter{"SimpleOutput", "StreamEncoder"}]
	want := map[parameter]string{
		{"Output", "Mode"}:                "Simple",
		{"SimpleOutput", "StreamEncoder"}: "x264",
		{"SimpleOutput", "UseAdvanced"}:   "true",
		{"SimpleOutput", "Preset"}:        "veryfast",
		{"SimpleOutput", "VBitrate"}:      strconv.Itoa(p.target.VideoKbps),
		{"SimpleOutput", "ABitrate"}:      strconv.Itoa(p.target.AudioKbps),
		{"SimpleOutput", "x264Settings"}:  "bframes=0 keyint=" + keyint + " min-keyint=" + keyint + " scenecut=0 tune=zerolatency",
	}
	changed := 0
	for _, name := range encoderParameters {
		have := p.found.parameters[name]
		if have == want[name] || name.name == "Preset" && have != "" { // any preset will do
			continue
		}
		changed++
		p.add(fmt.Sprintf(`Set %s of OBS' stream to "%s" (was "%s").`, name.name, want[name], have),
			singleRequest(set(name, want[name]), set(name, have)))
	}
	if changed == 0 {
		return
	}
	p.note("The encoder settings take effect at the next start of OBS' stream.")
	if mode := p.found.parameters[parameter{"Output", "Mode"}]; mode != "Simple" && mode != "" {
		p.note("OBS changes its output mode from %s to Simple only when OBS is restarted.", strings.ToLower(mode))
	}
	if hardware != "" && hardware != "x264" {
		p.note("OBS encoded with %s; x264 replaces it, because only its B-frames and keyframes can be set from here.", hardware)
	}
}

func set(p parameter, value string) Request {
	var v any = value
	if value == "" {
		v = nil // removes it
	}
	return request("SetProfileParameter", map[string]any{"parameterCategory": p.category, "parameterName": p.name, "parameterValue": v})
}

// keyframeInterval is the number of frames from one keyframe to the next.
func (p *planner) keyframeInterval() int {
	v := p.found.video
	if v.FpsNumerator <= 0 || v.FpsDenominator <= 0 {
		return 30 * p.target.KeyframeSeconds
	}
	return max(1, int(v.FpsNumerator/v.FpsDenominator+0.5)*p.target.KeyframeSeconds)
}
