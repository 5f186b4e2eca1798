package whep

import (
	"fmt"
	"net/netip"

	"github.com/pion/interceptor"
	"github.com/pion/webrtc/v4"
)

// iceSettings is how peers reach the two ports.
type iceSettings struct {
	engine webrtc.SettingEngine // while Run is running
	public []string             // addresses of a router that forwards to the two ports
}

// addPublic offers the public addresses in addition to the local ones, as host candidates: a
// router that forwards the ports keeps their numbers.
func (r *iceSettings) addPublic(set *webrtc.SettingEngine) error {
	if len(r.public) == 0 {
		return nil
	}
	return set.SetICEAddressRewriteRules(webrtc.ICEAddressRewriteRule{
		External: r.public, AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteAppend,
	})
}

// SetPublicAddrs sets the addresses at which a router in front of this machine forwards the
// WebRTC port, UDP and TCP, with the same number. New peers are offered them.
func (s *Server) SetPublicAddrs(addrs []netip.Addr) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ice.public = nil
	for _, a := range addrs {
		s.ice.public = append(s.ice.public, a.Unmap().String())
	}
	if s.api == nil {
		return nil // Run adds them
	}
	if err := s.ice.addPublic(&s.ice.engine); err != nil {
		return fmt.Errorf("set WebRTC up: %w", err)
	}
	api, err := newAPI(s.ice.engine)
	if err != nil {
		return fmt.Errorf("set WebRTC up: %w", err)
	}
	s.api = api
	return nil
}

// API makes peer connections for another package, whose media then uses the same two ports: one
// port number to open in a firewall for all WebRTC. tune may change the settings, but not the
// ports. It fails while Run is not running, and the connections end with Run.
func (s *Server) API(engine *webrtc.MediaEngine, interceptors *interceptor.Registry, tune func(*webrtc.SettingEngine)) (*webrtc.API, error) {
	s.mu.Lock()
	set, running := s.ice.engine, s.api != nil
	s.mu.Unlock()
	if !running {
		return nil, errNotRunning
	}
	tune(&set)
	return webrtc.NewAPI(webrtc.WithSettingEngine(set), webrtc.WithMediaEngine(engine), webrtc.WithInterceptorRegistry(interceptors)), nil
}
