// Package store holds the state of the show, with a revision for whoever asks what changed.
package store

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"reflect"
	"strings"
	"sync"

	"obvan/control"
)

// Store holds the state, and returns what changed since a reader last asked.
//
// Nothing is queued: a slow reader gets only the newest sections, complete. A change is
// cheap; what changed is found and marshalled on request, once for all readers. So a flood
// of changes costs no more than its readers take.
type Store struct {
	log   *slog.Logger
	names []string // of the sections, in the state's order

	mu      sync.Mutex
	state   control.State
	dirty   bool // the state changed since it was marshalled
	rev     uint64
	encoded []section // in step with names
	next    chan struct{}
	buf     bytes.Buffer // where a section is marshalled before it is compared
}

// section is a part of the state as it was last marshalled.
type section struct {
	json json.RawMessage // never modified: readers share it
	rev  uint64          // of the store when it changed
	bad  bool            // it can't be marshalled, and that was said
}

// New makes a store of an empty show.
func New(log *slog.Logger) *Store {
	t := reflect.TypeFor[control.State]()
	s := &Store{log: log, dirty: true, next: make(chan struct{}), encoded: make([]section, t.NumField())}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		s.names = append(s.names, name)
	}
	s.state = control.State{Feeds: []control.Feed{}, Tally: map[string]control.Light{}, Clients: []control.Client{}, Log: []control.LogEntry{}}
	fill(&s.state)
	return s
}

// Sections is the names of the state's sections, in order.
func (s *Store) Sections() []string { return s.names }

// Update changes the state. change must not block, and must not keep the pointer.
func (s *Store) Update(change func(*control.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	fill(&s.state)
	if !s.dirty {
		s.dirty = true
		close(s.next)
		s.next = make(chan struct{})
	}
}

// Read hands out the state to look at. look must not block, change anything or keep
// the pointer.
func (s *Store) Read(look func(*control.State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look(&s.state)
}

// Since is the sections that changed after rev (0 for all), the revision they make,
// and a channel that closes when there may be more.
func (s *Store) Since(rev uint64) (sections map[string]json.RawMessage, now uint64, next <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.encode()
	sections = map[string]json.RawMessage{}
	for i, name := range s.names {
		if e := &s.encoded[i]; e.rev > rev && e.json != nil {
			sections[name] = e.json
		}
	}
	return sections, s.rev, s.next
}

// encode finds what changed; s.mu is held.
func (s *Store) encode() {
	if !s.dirty {
		return
	}
	s.dirty = false
	rev := s.rev + 1
	v := reflect.ValueOf(&s.state).Elem()
	for i := range s.encoded {
		e := &s.encoded[i]
		s.buf.Reset()
		if err := json.NewEncoder(&s.buf).Encode(v.Field(i).Addr().Interface()); err != nil {
			if !e.bad { // the section stays as it was: better old than no state at all
				s.log.Error("a section of the state can't be marshalled", "section", s.names[i], "err", err)
			}
			e.bad = true
			continue
		}
		e.bad = false
		if b := bytes.TrimRight(s.buf.Bytes(), "\n"); !bytes.Equal(b, e.json) {
			e.json, e.rev, s.rev = bytes.Clone(b), rev, rev
		}
	}
}

// fill replaces lists that are nil by empty ones: a panel may count on a list.
func fill(st *control.State) {
	empty(&st.Feeds)
	empty(&st.Destinations)
	empty(&st.Clients)
	empty(&st.Log)
	empty(&st.Graphics.Templates)
	empty(&st.Graphics.Items)
	empty(&st.Mixer.Sources)
	empty(&st.Mixer.OnAir)
	empty(&st.Mixer.OnPreview)
	if st.Tally == nil {
		st.Tally = map[string]control.Light{}
	}
}

func empty[T any](list *[]T) {
	if *list == nil {
		*list = []T{}
	}
}
