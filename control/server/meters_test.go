package server

import (
	"context"
	"testing"
	"time"

	"obvan/control"
	"obvan/control/studio"
	"obvan/control/studiotest"
	"obvan/internal/testkit"
	"obvan/mixer/obs"
	"obvan/mixer/obs/obstest"
)

// onOBS is a studio that controls a fake OBS, and is served.
func onOBS(t *testing.T, srv *obstest.Server) *house {
	t.Helper()
	m := obs.New(obs.Config{URL: srv.URL, Password: func() string { return srv.Password }, Play: "rtsp://127.0.0.1:8555", Program: "rtmp://127.0.0.1:1935/mixer"}, studiotest.Quiet())
	h := build(t, studio.Options{Token: studiotest.AdminToken}, studiotest.Quiet(), studiotest.On(m))
	h.start(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx, h.MixerChanged) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	h.Await(t, "OBS is connected", func(st *control.State) bool { return st.Mixer.Connected })
	return h
}

func TestAudioLevelsAreRequestedOnlyWhileAPanelShowsThem(t *testing.T) {
	srv := obstest.Start(t, "cam1")
	h := onOBS(t, srv)
	h.Fails(t, "audio.meters", `{"on":true}`, control.BadRequest) // by no websocket
	const meters = 1 << 16                                        // obs-websocket's InputVolumeMeters
	l := h.connect(t, studiotest.AdminToken)
	l.say(`{"jsonrpc":"2.0","id":1,"method":"audio.meters","params":{"on":true}}`)
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Subscribers(meters) == 1 }, "OBS is asked for levels")
	var seen bool
	for !seen {
		srv.Event("InputVolumeMeters", meters, map[string]any{"inputs": []any{map[string]any{"inputName": "cam1 input", "inputLevelsMul": [][]float64{{0.1, 0.5, 0.5}}}}})
		m := l.hear()
		seen = m.Method == "meters"
	}
	l.say(`{"jsonrpc":"2.0","id":2,"method":"audio.meters","params":{"on":false}}`)
	l.answer("2")
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Subscribers(meters) == 0 }, "OBS may be quiet")
	l.say(`{"jsonrpc":"2.0","id":3,"method":"audio.meters","params":{"on":true}}`)
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Subscribers(meters) == 1 }, "OBS is asked for levels")
	l.Close()
	testkit.Eventually(t, 5*time.Second, func() bool { return srv.Subscribers(meters) == 0 }, "no panel shows the levels")
}
