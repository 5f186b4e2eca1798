package testserver

import "sync"

// SessionLog is the sessions of a server, and how it treats them. The zero value treats
// all well. It is safe for concurrent use.
type SessionLog struct {
	mu       sync.Mutex
	behave   func(key string) Behaviour
	sessions []*Session
}

// Behave sets how to treat publishers from now on, by their key.
func (g *SessionLog) Behave(how func(key string) Behaviour) {
	g.mu.Lock()
	g.behave = how
	g.mu.Unlock()
}

// BehaviourFor is how to treat a publisher with this key.
func (g *SessionLog) BehaviourFor(key string) Behaviour {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.behave == nil {
		return Behaviour{}
	}
	return g.behave(key)
}

// Add adds a session, and returns how to treat it.
func (g *SessionLog) Add(s *Session) Behaviour {
	g.mu.Lock()
	g.sessions = append(g.sessions, s)
	g.mu.Unlock()
	return g.BehaviourFor(s.Key)
}

// Sessions is every session that published or tried to, in order.
func (g *SessionLog) Sessions() []*Session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*Session(nil), g.sessions...)
}

// Last is the newest session that sent this key, nil when there is none.
func (g *SessionLog) Last(key string) *Session {
	all := g.Sessions()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Key == key {
			return all[i]
		}
	}
	return nil
}
