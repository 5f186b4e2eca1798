package whep

import (
	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// API makes peer connections for another room, whose media then takes our two ports
// as well: one port to open in a firewall, whoever sends what. tune may change the
// settings, but not the ports. It fails while Run is not running, and the connections
// end with Run.
func (s *Server) API(engine *webrtc.MediaEngine, interceptors *interceptor.Registry, tune func(*webrtc.SettingEngine)) (*webrtc.API, error) {
	s.mu.Lock()
	set, running := s.set, s.api != nil
	s.mu.Unlock()
	if !running {
		return nil, errNotRunning
	}
	tune(&set)
	return webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(interceptors)), nil
}
