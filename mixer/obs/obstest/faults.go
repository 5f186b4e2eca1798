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

// SetPassword changes the password for those who log in from now on.
func (s *Server) SetPassword(password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Password = password
}

// Slow makes each answer take d; 0 ends that.
func (s *Server) Slow(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.slow = d
}

// Forget makes the server one that does not know these requests (204).
func (s *Server) MakeUnknown(requests ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range requests {
		s.faults.unknown[r] = true
	}
}

// Refuse answers a request with a code; 0 ends that.
func (s *Server) Refuse(request string, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.refused[request] = code
}

// Asked is how often a request came.
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

// Freeze makes the server silent: it neither reads, answers nor pongs, and keeps
// its connections. Thaw ends that.
func (s *Server) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faults.frozen == nil {
		s.faults.frozen = make(chan struct{})
	}
}

// Thaw ends Freeze.
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
	server.Shutdown(context.Background()) // upgraded connections are none of its own
	s.Drop()
}

// Up ends Down.
func (s *Server) Up() { s.listen(s.addr) }

// Crash is a kill -9: Down, and what only lived in the process is gone. Scenes are
// kept; the stream is off, studio mode is off, the first scene is on air.
func (s *Server) Crash() {
	s.Down()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.restart()
}

// TakeApart is what OBS does with its scenes before it says that it ends; mend
// undoes that.
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

// Leave is OBS being closed: it says so first, then it is gone as after Crash.
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

// Flood sends n events that say nothing new, then the true state of the buses.
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

// Event sends any event to those who subscribed to intent.
func (s *Server) Event(name string, intent int, data any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast(name, intent, data)
}

// Do makes a request of the server as another client would. It panics when it is
// refused: that is a mistake in the test.
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

// Program is what is named as on air, and what is really shown.
func (s *Server) Program() (named, shown string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.program, s.state.shown
}

// Crashed says whether OBS would have crashed: a stream was started while it
// started.
func (s *Server) Overlapped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.overlapped
}

// Group makes a group of an input and puts it into a scene.
func (s *Server) Group(in, name, input string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	group := &scene{name: name, group: true}
	s.state.scenes = append(s.state.scenes, group)
	s.state.addItem(group, input, s.state.inputs[input].kind, "OBS_SOURCE_TYPE_INPUT")
	s.state.addItem(s.state.scene(in), name, "", "OBS_SOURCE_TYPE_SCENE")
	s.state.updateActive()
}

// Show switches an item of a scene by its source's name.
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

// Quietly is Do whose events come to nobody.
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

// Override gives a scene a transition of its own; OverrideOf is what it has.
func (s *Server) Override(scene, name string, ms int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := s.state.scene(scene)
	sc.override.name, sc.override.ms = name, ms
}

// OverrideOf is the transition that a scene has of its own.
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

// Hearing is how many clients are sent events of an intent.
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

// Swap says when OBS swaps preview and program after it said that a transition is
// over, and whether its operator wants that at all.
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

// Dump is everything that a set-up may change, as text to compare.
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
