package obstest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/andreykaipov/goobs/api/events"
	"github.com/andreykaipov/goobs/api/events/subscriptions"
)

func (s *Server) password() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Password
}

// SetPassword changes the password for logins from now on.
func (s *Server) SetPassword(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Password = password
}

// Slow delays each answer by d; 0 ends that.
func (s *Server) Slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.slow = d
}

// MakeUnknown makes the server not know these requests (204).
func (s *Server) MakeUnknown(requests ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range requests {
		s.faults.unknown[r] = true
	}
}

// Refuse refuses a request with a code; 0 ends that.
func (s *Server) Refuse(request string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.refused[request] = code
}

// Requests is how often a request arrived.
func (s *Server) Requests(request string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.requests[request]
}

// Clients is how many are logged in.
func (s *Server) Clients() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Freeze makes the server stop responding: it neither reads nor answers, not even pings,
// and keeps its connections open. Unfreeze ends that.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.frozen == nil {
		s.faults.frozen = make(chan struct{})
	}
}

// Unfreeze ends Freeze.
func (s *Server) Unfreeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.frozen != nil {
		close(s.faults.frozen)
		s.faults.frozen = nil
	}
}

// Drop closes all connections without a closing handshake.
func (s *Server) Drop() { s.each(func(c *session) { c.end() }) }

// Reset ends all connections with a TCP reset.
func (s *Server) Reset() {
	s.each(func(c *session) {
		c.tcp.SetLinger(0)
		c.end()
	})
}

// Kick ends all connections as OBS' own "kick" button does.
func (s *Server) Kick() { s.each(func(c *session) { c.hangUp(4011) }) }

func (s *Server) each(end func(*session)) {
	s.mu.Lock()
	var all []*session
	for c := range s.conns {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		end(c)
	}
}

// Down stops listening and drops all; Up listens again at the same address.
func (s *Server) Down() {
	s.mu.Lock()
	server := s.http
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	server.Shutdown(context.Background()) // does not close upgraded connections
	s.Drop()
}

// Up ends Down.
func (s *Server) Up() { s.listen(s.addr) }

// Crash is a process that was killed: Down, and what existed only in the process is lost.
// Scenes are saved; the stream is off, studio mode is off, the first scene is on air.
func (s *Server) Crash() {
	s.Down()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.restart()
}

// RemoveAll is what OBS does with its scenes before it reports that it is quitting;
// restore undoes that.
func (s *Server) RemoveAll() (restore func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	scenes, inputs := s.state.scenes, s.state.inputs
	s.state.scenes, s.state.inputs = nil, nil
	for _, sc := range scenes {
		s.broadcast("SceneRemoved", subscriptions.Scenes, &events.SceneRemoved{SceneName: sc.name})
	}
	for name := range inputs {
		s.broadcast("InputRemoved", subscriptions.Inputs, &events.InputRemoved{InputName: name})
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.state.scenes, s.state.inputs = scenes, inputs
	}
}

// Quit is OBS being quit: it reports that first, then it is as after Crash.
func (s *Server) Quit() {
	s.mu.Lock()
	s.broadcast("ExitStarted", subscriptions.General, &events.ExitStarted{})
	var all []*session
	for c := range s.conns {
		c.out.put(nil)
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		<-c.closed
	}
	s.Crash()
}

// Flood sends n events without news, then the true state of the buses.
func (s *Server) Flood(n int) {
	for i := range n {
		s.mu.Lock()
		scene := s.state.scenes[i%len(s.state.scenes)].name
		s.broadcast("CurrentPreviewSceneChanged", subscriptions.Scenes, &events.CurrentPreviewSceneChanged{SceneName: scene})
		s.broadcast("SceneItemListReindexed", subscriptions.SceneItems, &events.SceneItemListReindexed{SceneName: scene})
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast("CurrentPreviewSceneChanged", subscriptions.Scenes, &events.CurrentPreviewSceneChanged{SceneName: s.state.preview})
}

// Event sends an event to those who subscribed to intent.
func (s *Server) Event(name string, intent int, data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast(name, intent, data)
}

// Do carries out a request as if another client had sent it. It panics when the request
// is refused: that is a mistake in the test.
func (s *Server) Do(request interface{ GetRequestName() string }) {
	data, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, code := handlers[request.GetRequestName()](s.state, data); code != 0 {
		panic(fmt.Sprintf("%s: %d", request.GetRequestName(), code))
	}
}

// Program is the scene that is named as program, and the one that is really shown.
func (s *Server) Program() (named, shown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.program, s.state.shown
}

// Overlapped reports whether an output was requested to start before its last start had
// finished: requests that overlap are not safe in OBS.
func (s *Server) Overlapped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.overlapped
}

// Group creates a group of an input and adds it to a scene.
func (s *Server) Group(in, name, input string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := &scene{name: name, group: true}
	s.state.scenes = append(s.state.scenes, group)
	s.state.addItem(group, input, s.state.inputs[input].kind, "OBS_SOURCE_TYPE_INPUT")
	s.state.addItem(s.state.scene(in), name, "", "OBS_SOURCE_TYPE_SCENE")
	s.state.updateActive()
}

// Show shows or hides an item of a scene, by its source's name.
func (s *Server) Show(in, source string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.state.scene(in).items {
		if it.SourceName == source {
			it.SceneItemEnabled = on
			s.broadcast("SceneItemEnableStateChanged", subscriptions.SceneItems,
				&events.SceneItemEnableStateChanged{SceneName: in, SceneItemId: it.SceneItemID, SceneItemEnabled: on})
		}
	}
	s.state.updateActive()
}

// DoSilently is Do without events.
func (s *Server) DoSilently(request interface{ GetRequestName() string }) {
	s.mu.Lock()
	emit := s.state.emit
	s.state.emit = func(string, int, any) {}
	s.mu.Unlock()
	s.Do(request)
	s.mu.Lock()
	s.state.emit = emit
	s.mu.Unlock()
}

// Override sets a scene's transition override.
func (s *Server) Override(scene, name string, ms int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.state.scene(scene)
	sc.override.name, sc.override.ms = name, ms
}

// OverrideOf is a scene's transition override.
func (s *Server) OverrideOf(scene string) (name string, ms int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.state.scene(scene)
	return sc.override.name, sc.override.ms
}

// Service sets where the stream goes.
func (s *Server) Service(server string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.service.Server = server
}

// Subscribers is how many clients get events of an intent.
func (s *Server) Subscribers(intent int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		if c.subs&intent != 0 {
			n++
		}
	}
	return n
}

// Swap sets how long after the end of a transition OBS swaps preview and program, and
// whether it is set to swap at all.
func (s *Server) Swap(lag time.Duration, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.swapDelay, s.state.noSwap = lag, !wanted
}

// Preview is what is in preview.
func (s *Server) Preview() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.preview
}

// Dump is everything that provisioning may change, as text to compare.
func (s *Server) Dump() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, sc := range s.state.scenes {
		fmt.Fprintf(&b, "scene %q\n", sc.name)
		for _, it := range sc.items {
			fmt.Fprintf(&b, "\t%q %v\n", it.SourceName, it.SceneItemEnabled)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.state.inputs)) {
		fmt.Fprintf(&b, "input %q %v\n", name, s.state.inputs[name].settings)
	}
	for _, name := range slices.Sorted(maps.Keys(s.state.parameters)) {
		if value := s.state.parameters[name]; value != "" {
			fmt.Fprintf(&b, "parameter %q %q\n", name, value)
		}
	}
	fmt.Fprintf(&b, "stream %q %q\n", s.state.service.Server, s.state.service.Key)
	return b.String()
}
