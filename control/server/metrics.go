package server

import (
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"obvan/control"
	"obvan/control/store"
	"obvan/hub"
	"obvan/internal/netaddr"
	"obvan/mixer/program"
	"obvan/relay"
)

// metrics is GET /metrics: for a viewer's token, or from this machine.
func (s *Server) metrics() http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), counters{s.cfg.Hub, s.cfg.Store})
	answer := promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
	guarded := s.atLeast(control.Viewer, answer.ServeHTTP)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if netaddr.Loopback(clientAddr(r)) && r.Header.Get("Authorization") == "" {
			answer.ServeHTTP(w, r)
			return
		}
		guarded(w, r)
	})
}

// counters reads the counters of all rooms when they are requested.
type counters struct {
	hub   *hub.Hub
	store *store.Store
}

// label is a metric's labels and their values, in turn.
type label []string

// Describe implements prometheus.Collector. Streams and destinations appear and disappear: the
// collector is an unchecked one, which an empty description says.
func (m counters) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (m counters) Collect(out chan<- prometheus.Metric) {
	put := func(kind prometheus.ValueType) func(string, string, float64, label) {
		return func(name, help string, value float64, l label) {
			var names, values []string
			for i := 0; i < len(l); i += 2 {
				names, values = append(names, l[i]), append(values, strings.ToValidUTF8(l[i+1], "?"))
			}
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc("obvan_"+name, help, names, nil), kind, value, values...)
		}
	}
	count, gauge := put(prometheus.CounterValue), put(prometheus.GaugeValue)
	for _, st := range m.hub.Streams() {
		l := label{"stream", st.Name}
		count("stream_bytes_total", "Bytes received.", float64(st.Bytes), l)
		count("stream_frames_total", "Video frames received.", float64(st.Frames), l)
		count("stream_keyframes_total", "Keyframes received.", float64(st.Keyframes), l)
		count("stream_audio_frames_total", "Audio frames received.", float64(st.AudioFrames), l)
		count("stream_skipped_units_total", "Access units that slow readers skipped.", float64(st.Lost), l)
		gauge("stream_readers", "Readers of the stream now.", float64(st.Readers), l)
	}
	var st control.State
	m.store.Read(func(now *control.State) { st = *now })
	for i := range st.Feeds {
		f := &st.Feeds[i]
		gauge("feed_live", "1 while video arrives.", one(f.State == control.FeedLive), label{"feed", f.ID})
		gauge("feed_kbps", "Bitrate over the last seconds.", float64(f.Kbps), label{"feed", f.ID})
		gauge("feed_fps", "Frames per second over the last seconds.", f.FPS, label{"feed", f.ID})
		for kind, n := range f.Corrections {
			count("feed_corrections_total", "Timestamps and units corrected on the way in.", float64(n), label{"feed", f.ID, "kind", kind})
		}
	}
	for i := range st.Destinations {
		d := &st.Destinations[i]
		l := label{"destination", d.ID}
		count("destination_bytes_total", "Bytes sent since it was started.", float64(d.BytesSent), l)
		count("destination_frames_dropped_total", "Frames dropped since it was started.", float64(d.FramesDropped), l)
		count("destination_attempts_total", "Attempts since it was started.", float64(d.Attempt), l)
		gauge("destination_latency_seconds", "How far it is behind the program.", float64(d.LatencyMs)/1000, l)
		for _, state := range []relay.State{relay.Off, relay.Connecting, relay.Live, relay.Retrying, relay.Refused} {
			gauge("destination_state", "1 for the state it is in.", one(d.State == state), append(l, "state", string(state)))
		}
	}
	gauge("clients", "Panels and scripts that are connected.", float64(len(st.Clients)), nil)
	count("program_splices_total", "Changes of the program's source.", float64(st.Program.Splices), nil)
	for _, level := range []string{program.LevelNone, program.LevelMixer, program.LevelBackup, program.LevelFreeze} {
		gauge("program_level", "1 for the fallback level the program is on.", one(st.Program.Level == level), label{"level", level})
	}
	gauge("mixer_connected", "1 while the mixer answers.", one(st.Mixer.Connected), nil)
	gauge("show_live", "1 while the show is live.", one(st.Show.Live), nil)
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
